//! System calls: one function a call, typed in, `io::Result` out, no policy. All `unsafe` of this package.

mod file;
mod process;
mod signal;

pub use file::*;
pub use process::*;
pub use signal::*;

use std::io;

/// The result of a call that answers -1 and sets errno.
fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
