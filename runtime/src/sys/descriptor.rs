//! Descriptors as numbers: those that a caller or the program before has left open for us.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::{check, descriptor};

/// Takes a descriptor that was inherited under a number that somebody named to us. One that is not
/// open is refused. A number is taken once.
pub fn adopt(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::fcntl(number, libc::F_GETFD) })?;
    // SAFETY: it is open, and whoever named the number has given it away with it: nothing else in
    // this process knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Whether execve(2) closes the descriptor.
pub fn set_close_on_exec(file: BorrowedFd<'_>, close: bool) -> io::Result<()> {
    let flags = if close { libc::FD_CLOEXEC } else { 0 };
    // SAFETY: no pointer is passed.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, flags) })?;
    Ok(())
}

/// Makes reads and writes through this open file answer `EAGAIN` instead of blocking, also for
/// others that hold it.
pub fn set_nonblocking(file: BorrowedFd<'_>) -> io::Result<()> {
    let one: libc::c_int = 1;
    // SAFETY: the kernel reads one int.
    check(unsafe { libc::ioctl(file.as_raw_fd(), libc::FIONBIO as _, &raw const one) })?;
    Ok(())
}

/// Closes the descriptors `first` to `last` that a caller has left open and nobody here owns.
pub fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: callers run this before anything has been opened, and leave out what they adopt.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) })?;
    Ok(())
}

/// An empty file in memory, named for those who look at `/proc`.
pub fn memory_file(name: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: the name is NUL-terminated.
    descriptor(unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) })
}
