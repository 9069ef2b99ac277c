//! Waiting for many descriptors at once (epoll(7)), level-triggered.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use super::{check, descriptor};

pub const READABLE: u32 = libc::EPOLLIN as u32;
pub const WRITABLE: u32 = libc::EPOLLOUT as u32;
/// Both directions are closed; reported always.
pub const HUNG_UP: u32 = libc::EPOLLHUP as u32;
/// Reported always.
pub const ERROR: u32 = libc::EPOLLERR as u32;

/// What happened to which descriptor.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    pub events: u32,
    /// As given to [`Epoll::add`].
    pub token: u64,
}

pub struct Epoll(OwnedFd);

impl Epoll {
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointer is passed.
        Ok(Self(descriptor(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?))
    }

    pub fn add(&self, file: BorrowedFd<'_>, events: u32, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, file, events, token)
    }

    pub fn change(&self, file: BorrowedFd<'_>, events: u32, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, file, events, token)
    }

    pub fn remove(&self, file: BorrowedFd<'_>) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, file, 0, 0)
    }

    fn control(
        &self,
        operation: i32,
        file: BorrowedFd<'_>,
        events: u32,
        token: u64,
    ) -> io::Result<()> {
        let mut event = libc::epoll_event { events, u64: token };
        // SAFETY: the kernel only reads the event, which outlives the call.
        check(unsafe {
            libc::epoll_ctl(self.0.as_raw_fd(), operation, file.as_raw_fd(), &raw mut event)
        })?;
        Ok(())
    }

    /// Blocks until something happens, or for `timeout` (rounded up to milliseconds), or until a
    /// signal comes; then the list may be empty.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<Vec<Event>> {
        const MOST: usize = 32;
        let timeout = timeout.map_or(-1, |time| {
            i32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
        });
        let mut list = [libc::epoll_event { events: 0, u64: 0 }; MOST];
        // SAFETY: the kernel writes at most as many entries as the list has.
        let count = check(unsafe {
            libc::epoll_wait(self.0.as_raw_fd(), list.as_mut_ptr(), MOST as i32, timeout)
        });
        let count = match count {
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => 0,
            count => usize::try_from(count?).unwrap_or(0),
        };
        Ok(list[..count]
            .iter()
            .map(|event| Event { events: event.events, token: event.u64 })
            .collect())
    }
}
