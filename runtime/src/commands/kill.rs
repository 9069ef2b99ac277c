//! `ocirun kill`: a signal to a container's first process, or with `--all` to all of them.

use std::ffi::OsString;
use std::os::fd::AsFd;

use super::Global;
use crate::cli::{self, Flag, Kind, Order};
use crate::error::{Doing, Error, Result};
use crate::plan::signals;
use crate::store::{Entry, Status};
use crate::sys::process;

pub(super) const FLAGS: &[Flag] = &[("all", "a", Kind::Switch)];

pub(super) fn run(global: &Global, words: &[OsString]) -> Result<i32> {
    let arguments = cli::parse(words, FLAGS, Order::Anywhere)?;
    let (id, signal) = match arguments.rest.as_slice() {
        [id] => (id, libc::SIGTERM),
        [id, signal] => (id, signals::parse(signal)?),
        _ => return Err(Error::new("give the container's id, and a signal or none")),
    };
    let entry = Entry::open(&global.root, id)?;
    let record = entry
        .load()?
        .ok_or_else(|| Error::new(format_args!("kill {id}: its creation is not done")))?;
    let (status, pidfd) = entry.status(&record)?;
    if arguments.on("all") {
        record.cgroup().signal(signal)?;
        return Ok(0);
    }
    match (status, pidfd) {
        (Status::Created | Status::Running, Some(pidfd)) => {
            process::pidfd_send_signal(pidfd.as_fd(), signal).doing(format_args!("kill {id}"))?;
            Ok(0)
        }
        // Engines look for these words.
        _ => Err(Error::new(format_args!("kill {id}: container not running"))),
    }
}
