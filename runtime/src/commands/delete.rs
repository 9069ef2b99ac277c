//! `ocirun delete`: removes a stopped container; with `--force` one that lives, too.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::Path;

use super::Global;
use crate::cgroup::Cgroup;
use crate::cli::{self, Flag, Kind, Order};
use crate::error::{Doing, Error, Result};
use crate::hooks;
use crate::plan::container_id;
use crate::spec::Spec;
use crate::store::{Entry, Status};
use crate::sys::{process, signal};

pub(super) const FLAGS: &[Flag] = &[("force", "f", Kind::Switch)];

pub(super) fn run(global: &Global, words: &[OsString]) -> Result<i32> {
    let arguments = cli::parse(words, FLAGS, Order::Anywhere)?;
    let id = arguments.id()?;
    let force = arguments.on("force");
    container_id::check(id)?;
    let entry = match Entry::open(&global.root, id) {
        // What is asked for is so.
        Err(_) if force && !global.root.join(id).exists() => return Ok(0),
        entry => entry?,
    };
    let Some(record) = entry.load()? else {
        if !force {
            return Err(Error::new(format_args!("delete {id}: its creation is not done"))
                .hint("--force removes what is left of one that was interrupted"));
        }
        return entry.remove().map(|()| 0);
    };
    let (status, pidfd) = entry.status(&record)?;
    match (status, pidfd) {
        (Status::Running, _) if !force => {
            return Err(Error::new(format_args!(
                "delete {id}: cannot delete a container that is not stopped: running"
            ))
            .hint("use --force"));
        }
        (_, Some(pidfd)) => {
            process::pidfd_send_signal(pidfd.as_fd(), libc::SIGKILL)
                .doing(format_args!("end {id}"))?;
            signal::poll(&[(pidfd.as_fd(), libc::POLLIN)], 10_000)
                .doing(format_args!("wait for the end of {id}"))?;
        }
        _ => {}
    }
    let spec = entry.config()?;
    remove(global, &entry, &spec, id, &record.bundle, &record.cgroup())?;
    Ok(0)
}

/// Removes what a stopped container has outside itself, then its record.
pub(super) fn remove(
    global: &Global,
    entry: &Entry,
    spec: &Spec,
    id: &str,
    bundle: &Path,
    cgroup: &Cgroup,
) -> Result<()> {
    cgroup.destroy()?;
    let state = hooks::State::new(spec, id, bundle).stopped();
    for fault in hooks::run_all("poststop", &spec.hooks.poststop, &state) {
        global.log.warning(&fault.to_string());
    }
    entry.remove()
}
