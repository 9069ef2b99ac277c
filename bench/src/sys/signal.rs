//! Signals, and the clock that all processes of the machine share.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

use super::check;

/// clock_gettime(2) of `CLOCK_MONOTONIC`: nanoseconds since the boot, the same in every process. It cannot fail.
pub fn monotonic_nanos() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` outlives the call, which writes to it.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// sigprocmask(2): SIGTERM waits from here on, for [`wait_for_terminate`].
pub fn hold_terminate() -> io::Result<()> {
    let set = only(libc::SIGTERM);
    // SAFETY: the set outlives the call; no old set is asked for.
    check(libc::c_long::from(unsafe {
        libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut())
    }))?;
    Ok(())
}

/// sigwaitinfo(2) for a SIGTERM that is held.
pub fn wait_for_terminate() -> io::Result<()> {
    let set = only(libc::SIGTERM);
    // SAFETY: the set outlives the call; nothing of the signal is asked for.
    check(libc::c_long::from(unsafe { libc::sigwaitinfo(&raw const set, std::ptr::null_mut()) }))?;
    Ok(())
}

fn only(signal: i32) -> libc::sigset_t {
    // SAFETY: the set is plain numbers, and the next call makes it an empty one.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is ours, and outlives both calls.
    unsafe {
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
    }
    set
}

/// The end that the handler writes to; -1 before there is one.
static TOLD: AtomicI32 = AtomicI32::new(-1);

/// sigaction(2) for SIGHUP, SIGINT and SIGTERM: each makes the pipe readable that is given back. Once a process.
pub fn hear_of_end() -> io::Result<OwnedFd> {
    let mut ends = [-1; 2];
    // SAFETY: the kernel writes two descriptors to `ends`.
    check(libc::c_long::from(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }))?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows its number. The other one stays open
    // for the handler.
    let read = unsafe { OwnedFd::from_raw_fd(ends[0]) };
    TOLD.store(ends[1], Ordering::SeqCst);
    // SAFETY: the structure is plain numbers, for which zero is a value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = tell as extern "C" fn(i32) as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART;
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the action outlives the call, and its handler does nothing but what signal-safety(7) allows.
        check(libc::c_long::from(unsafe {
            libc::sigaction(signal, &raw const action, std::ptr::null_mut())
        }))?;
    }
    Ok(read)
}

extern "C" fn tell(_signal: i32) {
    // SAFETY: write(2) is allowed in a handler (signal-safety(7)), and the byte outlives the call. It could change
    // errno under who was interrupted only by failing, and a pipe that is open at both ends takes a few bytes.
    unsafe { libc::write(TOLD.load(Ordering::SeqCst), [1_u8].as_ptr().cast(), 1) };
}

/// kill(2) of a process that this one started.
pub fn send(pid: u32, signal: i32) -> io::Result<()> {
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    // SAFETY: no pointer is passed.
    check(libc::c_long::from(unsafe { libc::kill(pid, signal) }))?;
    Ok(())
}

/// setns(2).
pub fn enter(namespace: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: no pointer is passed.
    check(libc::c_long::from(unsafe { libc::setns(namespace.as_raw_fd(), 0) }))?;
    Ok(())
}
