//! Ending the container: signals, and the kill that nothing escapes.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Supervisor, request};
use crate::error::{Doing, Result};
use crate::sys::{clock, process};

/// How the container is asked to end, and when it is made to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stop {
    /// Where a request names none.
    pub(super) signal: i32,
    /// `None`: never killed.
    pub(super) timeout: Option<Duration>,
    /// Since boot; set while a stop is under way.
    pub(super) kill_at: Option<Duration>,
}

impl Supervisor {
    /// Asks the container to end, and has it killed after the time. Of several such requests the
    /// earliest kill holds.
    pub(super) fn stop(&mut self, signal: Option<i32>, timeout: Option<Duration>) -> Result<()> {
        let signal = request::signal_number(signal.unwrap_or(self.stop.signal))?;
        if timeout == Some(Duration::ZERO) {
            self.kill();
            return Ok(());
        }
        self.signal(signal)?;
        // A time too far away for the clock is never.
        let kill_at = timeout.and_then(|timeout| clock::since_boot().checked_add(timeout));
        self.stop.kill_at = [self.stop.kill_at, kill_at].into_iter().flatten().min();
        Ok(())
    }

    /// The stop for which nobody waits on a connection. It cannot be refused: where the signal
    /// cannot be sent the container is killed.
    pub(super) fn stop_by_default(&mut self) {
        if self.stop(None, self.stop.timeout).is_err() {
            self.kill();
        }
    }

    /// Signals the container's first process.
    pub(super) fn signal(&self, signal: i32) -> Result<()> {
        process::pidfd_send_signal(self.container.pidfd.as_fd(), signal)
            .doing(format_args!("send signal {signal}"))
    }

    /// Kills every process of the container at once (`cgroup.kill`, Linux 5.14).
    pub(super) fn kill(&mut self) {
        self.stop.kill_at = None;
        let file = self.container.cgroup.path().join("cgroup.kill");
        if let Err(cause) =
            std::fs::write(&file, "1").doing(format_args!("write {}", file.display()))
        {
            // With its first process the others of a process namespace end as well.
            self.say(&cause.to_string());
            if let Err(cause) = self.signal(libc::SIGKILL) {
                self.say(&cause.to_string());
            }
        }
    }

    /// Signals every process of the container.
    pub(super) fn signal_all(&self, signal: i32) -> Result<()> {
        if signal == libc::SIGKILL {
            let file = self.container.cgroup.path().join("cgroup.kill");
            return std::fs::write(&file, "1").doing(format_args!("write {}", file.display()));
        }
        let mut signalled = BTreeSet::new();
        // Those that fork meanwhile have children with the next look; a bound, since somebody may
        // fork for ever.
        for _ in 0..16 {
            let mut found = BTreeSet::new();
            processes(self.container.cgroup.path(), &mut found)?;
            let fresh: Vec<i32> = found.difference(&signalled).copied().collect();
            if fresh.is_empty() {
                break;
            }
            for pid in fresh {
                self.signal_member(pid, signal);
                signalled.insert(pid);
            }
        }
        Ok(())
    }

    /// Signals a process that was in the cgroup a moment ago, unless it has ended and its number is
    /// another's now.
    fn signal_member(&self, pid: i32, signal: i32) {
        let Ok(pidfd) = process::pidfd_open(pid) else { return };
        let mut members = BTreeSet::new();
        if processes(self.container.cgroup.path(), &mut members).is_ok() && members.contains(&pid) {
            // It may have ended since: then there is nothing to signal.
            let _ = process::pidfd_send_signal(pidfd.as_fd(), signal);
        }
    }
}

/// The processes of a cgroup and of those below it.
pub(super) fn processes(cgroup: &Path, found: &mut BTreeSet<i32>) -> Result<()> {
    let file = cgroup.join("cgroup.procs");
    let list = std::fs::read_to_string(&file).doing(format_args!("read {}", file.display()))?;
    found.extend(list.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|&pid| pid > 0));
    let entries = std::fs::read_dir(cgroup).doing(format_args!("read {}", cgroup.display()))?;
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            // One that is removed meanwhile has no processes.
            let _ = processes(&entry.path(), found);
        }
    }
    Ok(())
}
