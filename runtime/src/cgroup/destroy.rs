//! Ends and removes a cgroup.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Doing, Error, Result};
use crate::sys::{file, process};

/// A process in uninterruptible sleep outlives its SIGKILL; longer than this nobody waits.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn destroy(path: &Path, made_parents: &[PathBuf]) -> Result<()> {
    // The usual end: the last process is gone, and the container made no cgroups inside.
    match std::fs::remove_dir(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(_) => {
            kill(path)?;
            wait_until_empty(path)?;
            remove_tree(path)?;
        }
    }
    remove_parents(made_parents);
    Ok(())
}

/// Removes those that nobody else uses by now.
pub(super) fn remove_parents(made: &[PathBuf]) {
    for parent in made.iter().rev() {
        if std::fs::remove_dir(parent).is_err() {
            return;
        }
    }
}

/// SIGKILL to everything in the cgroup and below, at once (cgroup.kill, Linux 5.14).
fn kill(path: &Path) -> Result<()> {
    let name = path.join("cgroup.kill");
    let written = file::openat(file::here(), &name, libc::O_WRONLY, 0)
        .and_then(|file| file::write_whole(file.as_fd(), b"1"));
    match written {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        written => written.doing(format_args!("write {}", name.display())),
    }
}

/// Sends a signal to every process in the cgroup and below.
pub(super) fn signal(path: &Path, number: i32) -> Result<()> {
    if number == libc::SIGKILL {
        return kill(path);
    }
    let procs = path.join("cgroup.procs");
    let list = match std::fs::read_to_string(&procs) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        list => list.doing(format_args!("read {}", procs.display()))?,
    };
    for pid in list.lines().filter_map(|line| line.parse().ok()) {
        // One that ends meanwhile needs no signal.
        let Ok(pidfd) = process::pidfd_open(pid) else { continue };
        match process::pidfd_send_signal(pidfd.as_fd(), number) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            result => result.doing(format_args!("send signal {number} to process {pid}"))?,
        }
    }
    for inner in inner_cgroups(path)? {
        signal(&inner, number)?;
    }
    Ok(())
}

fn inner_cgroups(path: &Path) -> Result<Vec<PathBuf>> {
    let doing = || format!("list {}", path.display());
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.doing(doing())?,
    };
    let mut inner = Vec::new();
    for entry in entries {
        let entry = entry.doing(doing())?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            inner.push(entry.path());
        }
    }
    Ok(inner)
}

fn wait_until_empty(path: &Path) -> Result<()> {
    let name = path.join("cgroup.events");
    let events = match file::openat(file::here(), &name, libc::O_RDONLY, 0) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        events => events.doing(format_args!("open {}", name.display()))?,
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut text = [0; 128];
        let length = file::read_from_start(events.as_fd(), &mut text)
            .doing(format_args!("read {}", name.display()))?;
        if String::from_utf8_lossy(&text[..length]).contains("populated 0") {
            return Ok(());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::new(format_args!(
                "end the processes in {}: some are still there {} s after SIGKILL",
                path.display(),
                PATIENCE.as_secs()
            )));
        }
        let left = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
        crate::sys::signal::poll(&[(events.as_fd(), libc::POLLPRI)], left.max(1))
            .doing(format_args!("wait for {}", name.display()))?;
    }
}

/// Removes the cgroups inside, then the cgroup.
fn remove_tree(path: &Path) -> Result<()> {
    for inner in inner_cgroups(path)? {
        remove_tree(&inner)?;
    }
    match std::fs::remove_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io(format_args!("remove the cgroup {}", path.display()), &error))
        }
        _ => Ok(()),
    }
}
