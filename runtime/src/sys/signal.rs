//! Signals as data, and waiting for several things at once.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::{check, descriptor, uninterrupted};

/// Sets of signals, by number.
#[derive(Clone, Copy)]
pub struct SignalSet(libc::sigset_t);

impl SignalSet {
    pub fn empty() -> Self {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset initializes the whole set.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            Self(set.assume_init())
        }
    }

    pub fn of(signals: &[i32]) -> Self {
        let mut set = Self::empty();
        for &signal in signals {
            // SAFETY: the set is initialized; a wrong number is refused by the call.
            unsafe { libc::sigaddset(&raw mut set.0, signal) };
        }
        set
    }
}

/// Blocks exactly `signals`; answers what was blocked before.
pub fn set_blocked(signals: &SignalSet) -> io::Result<SignalSet> {
    let mut before = SignalSet::empty();
    // SAFETY: both sets are initialized and outlive the call.
    check(unsafe {
        libc::sigprocmask(libc::SIG_SETMASK, &raw const signals.0, &raw mut before.0)
    })?;
    Ok(before)
}

/// A descriptor that is readable when one of the blocked `signals` is pending.
pub fn signalfd(signals: &SignalSet) -> io::Result<OwnedFd> {
    // SAFETY: the set is initialized.
    descriptor(unsafe {
        libc::signalfd(-1, &raw const signals.0, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
    })
}

/// Takes one signal's number from a signalfd.
pub fn take_signal(signalfd: BorrowedFd<'_>) -> io::Result<i32> {
    let mut info = MaybeUninit::<libc::signalfd_siginfo>::uninit();
    let size = size_of::<libc::signalfd_siginfo>();
    // SAFETY: the kernel writes whole records of this size, and never more than there is room.
    check(unsafe { libc::read(signalfd.as_raw_fd(), info.as_mut_ptr().cast(), size) })?;
    // SAFETY: a read that succeeds fills one record.
    let info = unsafe { info.assume_init() };
    Ok(info.ssi_signo.cast_signed())
}

/// Restores a signal's default action: a caller may have left it ignored, which execve(2) keeps.
pub fn set_default(signal: i32) -> io::Result<()> {
    // SAFETY: SIG_DFL installs no handler.
    if unsafe { libc::signal(signal, libc::SIG_DFL) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Waits until one of `files` has one of its events (`POLLIN` ...) or an error; `timeout` in
/// milliseconds, -1 for ever. Answers each one's events, all 0 after the time.
pub fn poll(files: &[(BorrowedFd<'_>, i16)], timeout: i32) -> io::Result<Vec<i16>> {
    let mut list: Vec<libc::pollfd> = files
        .iter()
        .map(|(file, events)| libc::pollfd { fd: file.as_raw_fd(), events: *events, revents: 0 })
        .collect();
    uninterrupted(|| {
        // SAFETY: the kernel writes to `revents` of as many entries as the list has.
        check(unsafe { libc::poll(list.as_mut_ptr(), list.len() as libc::nfds_t, timeout) })
    })?;
    Ok(list.iter().map(|entry| entry.revents).collect())
}
