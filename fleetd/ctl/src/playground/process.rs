//! Processes by pid and start time, so that a pid that was given to another one is never taken for
//! ours.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    pub(super) pid: i32,
    /// Clock ticks from boot to its start (proc(5), `/proc/PID/stat`, field 22).
    started: u64,
}

impl Process {
    /// A child that was not waited for.
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let pid = i32::try_from(pid).map_err(io::Error::other)?;
        let (_, started) = stat(pid)?;
        Ok(Self { pid, started })
    }

    /// Whether it is there and not a zombie, which somebody may reap late.
    pub(super) fn runs(&self) -> bool {
        let alive = |state| !matches!(state, 'Z' | 'X');
        stat(self.pid).is_ok_and(|(state, started)| started == self.started && alive(state))
    }

    /// A descriptor of a child that was not waited for, also if it has ended: until then its pid is
    /// nobody else's.
    pub(super) fn open_child(&self) -> io::Result<OwnedFd> {
        let pid = Pid::from_raw(self.pid).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(pidfd_open(pid, PidfdFlags::empty())?)
    }

    /// A descriptor of it; an error if it has ended.
    pub(super) fn open(&self) -> io::Result<OwnedFd> {
        let gone = || io::Error::new(io::ErrorKind::NotFound, "the process has ended");
        let fd = self.open_child().map_err(|_| gone())?;
        // Looked at after the descriptor holds the pid.
        if self.runs() { Ok(fd) } else { Err(gone()) }
    }

    /// SIGKILL, and waits for the end. One that has ended is fine.
    pub(super) fn kill(&self) -> io::Result<()> {
        let Ok(fd) = self.open() else { return Ok(()) };
        match pidfd_send_signal(&fd, Signal::KILL) {
            Err(rustix::io::Errno::SRCH) => return Ok(()),
            other => other?,
        }
        // pidfd_open(2): readable when it has ended, reaped or not.
        wait_for(&[(fd.as_fd(), PollFlags::IN)], None).map(drop)
    }
}

/// Waits until one of the descriptors has what is asked for; which, or none in that time.
pub(super) fn wait_for(
    what: &[(BorrowedFd<'_>, PollFlags)],
    time: Option<Duration>,
) -> io::Result<Option<usize>> {
    let begin = std::time::Instant::now();
    loop {
        let left = time.map(|time| time.saturating_sub(begin.elapsed()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let mut fds: Vec<PollFd<'_>> =
            what.iter().map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        match poll(&mut fds, left.as_ref()) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(fds.iter().position(|fd| !fd.revents().is_empty())),
        }
    }
}

/// State and start time.
fn stat(pid: i32) -> io::Result<(char, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_stat(&text).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

fn parse_stat(text: &str) -> Option<(char, u64)> {
    // The program's name in brackets may hold anything, brackets too. State is the third field.
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strange_name_does_not_hide_the_start_time() {
        let fields = (4..=22).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        let text = format!("7 (a) S ) b) T {fields} 23 24\n");
        assert_eq!(parse_stat(&text), Some(('T', 22)));
        assert_eq!(parse_stat("7 (a) S 1"), None);
    }

    #[test]
    fn a_pid_that_was_given_to_another_is_not_ours() {
        let own = Process::of(std::process::id()).unwrap();
        assert!(own.runs() && own.open().is_ok());
        let earlier = Process { started: own.started - 1, ..own };
        assert!(!earlier.runs() && earlier.open().is_err());
        // It is not signalled: this process goes on.
        earlier.kill().unwrap();
    }
}
