//! Kernel parameters of the calling thread's network namespace: `/proc/sys/net` shows each thread
//! its own.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

/// A parameter under `/proc/sys/net`, such as `ipv4/ip_forward`.
pub fn read(name: &str) -> io::Result<String> {
    Ok(std::fs::read_to_string(path(name))?.trim_end().to_owned())
}

pub fn write(name: &str, value: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(path(name))?.write_all(value.as_bytes())
}

/// Whether the kernel has IPv6 at all.
pub fn has_ipv6() -> bool {
    Path::new("/proc/sys/net/ipv6").exists()
}

fn path(name: &str) -> std::path::PathBuf {
    Path::new("/proc/sys/net").join(name)
}
