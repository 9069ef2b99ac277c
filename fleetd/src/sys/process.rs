//! Processes by descriptor: a number may be another process by the time it is used.

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// pidfd_open(2)
pub fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
}

/// pidfd_send_signal(2) of SIGKILL.
pub fn kill(pidfd: impl AsFd) -> io::Result<()> {
    Ok(pidfd_send_signal(pidfd, Signal::KILL)?)
}

/// waitid(2) for a child that has ended or is about to.
pub fn reap(pidfd: &OwnedFd) -> io::Result<()> {
    let ended = || waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
    rustix::io::retry_on_intr(ended)?;
    Ok(())
}
