//! What a container is doing, judged from its record and the kernel.

use std::os::fd::{AsFd, OwnedFd};

use super::record::boot_id;
use super::{Entry, Record};
use crate::error::{Doing, Result};
use crate::launch::identity::start_time;
use crate::sys::process;

/// As in the specification (runtime.md, "State").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Created,
    Running,
    Stopped,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Stopped => "stopped",
        }
    }
}

impl Entry {
    /// The status, and for a live container its first process.
    pub fn status(&self, record: &Record) -> Result<(Status, Option<OwnedFd>)> {
        let Some(pidfd) = first_process(record)? else { return Ok((Status::Stopped, None)) };
        let status = if self.waits_for_start() { Status::Created } else { Status::Running };
        Ok((status, Some(pidfd)))
    }
}

/// The recorded process, if it lives. Its number may be another's by now: the descriptor is opened
/// first, and then its start time compared.
fn first_process(record: &Record) -> Result<Option<OwnedFd>> {
    if record.boot_id != boot_id()? {
        return Ok(None);
    }
    let pidfd = match process::pidfd_open(record.pid) {
        Ok(pidfd) => pidfd,
        Err(error) if matches!(error.raw_os_error(), Some(libc::ESRCH | libc::EINVAL)) => {
            return Ok(None);
        }
        Err(error) => return Err(error).doing(format_args!("open process {}", record.pid)),
    };
    let same = start_time(record.pid).is_ok_and(|start| start == record.pid_start);
    let ended = crate::sys::signal::poll(&[(pidfd.as_fd(), libc::POLLIN)], 0)
        .doing("look at the container's process")?;
    // A zombie has ended, though its parent has not reaped it.
    Ok((same && ended.iter().all(|events| *events == 0)).then_some(pidfd))
}
