//! Processes by descriptor (pidfd_open(2), Linux 5.3).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

pub fn open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two integers and touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(fd).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends a signal to the process, if it has not been reaped.
pub fn signal(process: &OwnedFd, signal: i32) -> io::Result<()> {
    // SAFETY: the descriptor is open for the whole call; the null pointer asks for the default
    // siginfo (pidfd_send_signal(2)).
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            process.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Waits until the process ends, at most `milliseconds`; false when it has not.
pub fn wait(process: &OwnedFd, milliseconds: i32) -> io::Result<bool> {
    let mut poll = libc::pollfd { fd: process.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the pointer is to one pollfd that lives through the call, and the count is one.
    let ready = unsafe { libc::poll(&raw mut poll, 1, milliseconds) };
    if ready < 0 { Err(io::Error::last_os_error()) } else { Ok(ready > 0) }
}
