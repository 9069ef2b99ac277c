//! Lines of the log.

use std::fmt::Display;
use std::io::Write;

/// On standard error. One that cannot be written is lost: `eprintln!` would end the thread for it, and
/// logs lie on disks that are full.
pub fn say(line: impl Display) {
    let _ = std::io::stderr().write_all(format!("netd: {line}\n").as_bytes());
}
