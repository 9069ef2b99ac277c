//! Processes by descriptor: a number may be another process by the time it is used.

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_send_signal, waitid,
};
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

/// kill(2) with SIGKILL of the process group that `pid` leads; nothing if that process, which the
/// descriptor holds on to, has ended: its number may be another's by now.
pub fn kill_group(leader: impl AsFd, pid: i32) -> io::Result<()> {
    let group = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    pidfd_send_signal(leader, Signal::KILL)?;
    Ok(kill_process_group(group, Signal::KILL)?)
}

/// waitid(2) for a child that has ended or is about to. Where whoever started this program had
/// SIGCHLD ignored, the kernel has reaped it (waitpid(2), "ECHILD").
pub fn reap(pidfd: &OwnedFd) -> io::Result<()> {
    let ended = || waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
    match rustix::io::retry_on_intr(ended) {
        Ok(_) | Err(Errno::CHILD) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
