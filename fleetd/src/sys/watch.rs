//! Descriptors in tokio's epoll.

use std::io;
use std::os::fd::OwnedFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// epoll_ctl(2), by the runtime that this is called in.
pub fn watch(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd gives the same open descriptor for as long as it lives, and the AsyncFd
    // owns it, so that it is taken off epoll before it is closed.
    unsafe { AsyncFd::register_with_interest(fd, interest) }.map_err(Into::into)
}
