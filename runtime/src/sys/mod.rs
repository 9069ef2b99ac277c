//! System calls: one function a call, typed in, `io::Result` out, no policy. All `unsafe` of this
//! package is here.
//!
//! Every descriptor that these functions make is close-on-exec.

pub mod arena;
pub mod bpf;
pub mod capability;
pub mod clock;
pub mod credentials;
pub mod descriptor;
pub mod epoll;
pub mod file;
pub mod identity;
pub mod mount;
pub mod process;
pub mod rights;
pub mod signal;
pub mod socket;
pub mod start;
pub mod terminal;
pub mod until_exec;
#[cfg(all(panic = "abort", target_env = "musl"))]
mod unwinder;

use std::ffi::CString;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The integer types of system calls' results.
trait Answer: Copy + PartialEq + TryInto<RawFd> {
    const FAILED: Self;
}

impl Answer for i32 {
    const FAILED: Self = -1;
}
impl Answer for i64 {
    const FAILED: Self = -1;
}
impl Answer for isize {
    const FAILED: Self = -1;
}

/// The result of a call that answers -1 and sets errno.
fn check<T: Answer>(result: T) -> io::Result<T> {
    if result == T::FAILED { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The same, for a call that makes a descriptor.
fn descriptor<T: Answer>(result: T) -> io::Result<OwnedFd> {
    let raw = check(result)?.try_into().map_err(|_| io::ErrorKind::InvalidData)?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// A path for the kernel; one with a NUL is refused.
fn path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// Calls again while a signal interrupts.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
