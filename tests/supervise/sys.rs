//! System calls that nix does not have.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

/// A detached copy of the mounts at `path` (open_tree(2), Linux 5.2).
pub(crate) fn open_tree(path: &Path) -> io::Result<OwnedFd> {
    const OPEN_TREE_CLONE: libc::c_uint = 1;
    let path = std::ffi::CString::new(path.to_str().unwrap_or_default())?;
    let flags =
        OPEN_TREE_CLONE | libc::O_CLOEXEC.cast_unsigned() | libc::AT_RECURSIVE.cast_unsigned();
    // SAFETY: the path is NUL-terminated and outlives the call.
    let number =
        unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number as i32) })
}

/// Readable when the process ends (pidfd_open(2)).
pub(crate) fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes two integers.
    let number = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number as i32) })
}

/// Leaves the descriptor open in programs that are started from now on.
pub(crate) fn inherit(file: BorrowedFd<'_>) {
    // SAFETY: takes three integers.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, 0) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Gives the calling thread alone another user id.
pub(crate) fn become_user(user: u32) -> io::Result<()> {
    // SAFETY: takes three integers; the kernel's call, unlike the library's, is for one thread.
    match unsafe { libc::syscall(libc::SYS_setresuid, user, user, user) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
