//! The cgroups of runs: `<parent>/<run>/supervisor` and `<parent>/<run>/payload`.
//!
//! The second is made by the supervisor, with the limits; the rest here. A cgroup also tells the
//! truth about a run: what is in it runs, whatever files say.

use crate::sentence::cause;
use crate::sys;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use tokio::io::Interest;

/// The controllers that limits of units need.
const WANTED: [&str; 5] = ["cpu", "memory", "pids", "io", "cpuset"];

/// The cgroup below which all runs of this fleetd are.
#[derive(Debug, Clone)]
pub struct Cgroups {
    /// Where cgroup2 is mounted.
    pub mount: PathBuf,
    /// Relative to the mount, without a slash at its ends.
    pub parent: String,
    /// What can be limited below the parent.
    pub controllers: Vec<String>,
}

impl Cgroups {
    /// Finds cgroup2 and makes the parent, with the controllers that are offered.
    pub fn prepare(parent: &str) -> Result<Self, String> {
        let found = Self::find(parent)?;
        let mut directory = found.mount.clone();
        offer(&directory)?;
        for name in found.parent.split('/') {
            directory.push(name);
            make(&directory)?;
            offer(&directory)?;
        }
        let enabled = read(&directory.join("cgroup.subtree_control"))?;
        let controllers = enabled.split_whitespace().map(str::to_owned).collect();
        Ok(Self { controllers, ..found })
    }

    /// Finds cgroup2 and makes nothing.
    pub fn find(parent: &str) -> Result<Self, String> {
        let mounts = read(Path::new("/proc/self/mountinfo"))?;
        let mount = mounts.lines().find_map(cgroup2).ok_or(
            "find cgroup2: it is not mounted (mount -t cgroup2 none /sys/fs/cgroup/unified)",
        )?;
        let parent = parent.trim_matches('/').to_owned();
        let sound = !parent.is_empty()
            && parent.split('/').all(|name| !name.is_empty() && name != "." && name != "..");
        if !sound {
            return Err(format!("read --cgroup-parent {parent:?}: it is not a relative path"));
        }
        Ok(Self { mount, parent, controllers: Vec::new() })
    }

    pub fn parent_directory(&self) -> PathBuf {
        self.mount.join(&self.parent)
    }

    pub fn run(&self, run: &str) -> PathBuf {
        self.parent_directory().join(run)
    }

    pub fn supervisor(&self, run: &str) -> PathBuf {
        self.run(run).join("supervisor")
    }

    /// The payload's path from the mount: `linux.cgroupsPath`.
    pub fn payload_path(&self, run: &str) -> String {
        format!("/{}/{run}/payload", self.parent)
    }

    /// The supervisor's path from the mount, without a slash in front: `--cgroup`.
    pub fn supervisor_path(&self, run: &str) -> String {
        format!("{}/{run}/supervisor", self.parent)
    }

    /// Makes a run's cgroup and the supervisor's in it.
    pub fn make_run(&self, run: &str) -> Result<File, String> {
        let directory = self.run(run);
        make(&directory)?;
        for controller in &self.controllers {
            enable(&directory, controller)?;
        }
        let supervisor = self.supervisor(run);
        make(&supervisor)?;
        File::open(&supervisor).map_err(|e| format!("open {}: {}", supervisor.display(), cause(&e)))
    }

    /// The names of the runs that have a cgroup.
    pub fn runs(&self) -> Result<Vec<String>, String> {
        let parent = self.parent_directory();
        let entries = match fs::read_dir(&parent) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|e| format!("list {}: {}", parent.display(), cause(&e)))?,
        };
        let runs = entries.filter_map(Result::ok).filter(|entry| {
            // Others may have cgroups here, such as the one that keeps a delegated parent alive.
            entry.path().join("supervisor").is_dir() || entry.path().join("payload").is_dir()
        });
        Ok(runs.filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    /// Whether a process of the run lives, in any of its cgroups.
    pub fn populated(&self, run: &str) -> bool {
        populated(&self.run(run))
    }

    /// Kills what is left of a run, waits for it and removes its cgroups.
    pub async fn remove_run(&self, run: &str) -> Result<(), String> {
        let directory = self.run(run);
        if !directory.exists() {
            return Ok(());
        }
        if populated(&directory) {
            kill(&directory)?;
            wait_empty(&directory).await?;
        }
        remove_below(&directory)
    }

    /// Waits until the supervisor has ended.
    pub async fn wait_supervisor(&self, run: &str) -> Result<(), String> {
        wait_empty(&self.supervisor(run)).await
    }
}

/// The mount point, if the line of mountinfo is one of cgroup2 (proc(5)).
fn cgroup2(line: &str) -> Option<PathBuf> {
    let (mount, kind) = line.split_once(" - ")?;
    kind.starts_with("cgroup2 ").then(|| mount.split(' ').nth(4).map(PathBuf::from))?
}

fn make(directory: &Path) -> Result<(), String> {
    match fs::create_dir(directory) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            Err(format!("create cgroup {}: {}", directory.display(), cause(&e)))
        }
        _ => Ok(()),
    }
}

/// Enables what is offered, one by one: a controller that the kernel refuses here must not cost the
/// others. What could not be enabled is missing from the parent's list, which is what counts.
fn offer(directory: &Path) -> Result<(), String> {
    let offered = read(&directory.join("cgroup.controllers"))?;
    let enabled = read(&directory.join("cgroup.subtree_control"))?;
    let has = |list: &str, name: &str| list.split_whitespace().any(|word| word == name);
    for controller in WANTED {
        if has(&offered, controller)
            && !has(&enabled, controller)
            && let Err(error) = enable(directory, controller)
        {
            tracing::warn!("{error}: units cannot ask for its limits");
        }
    }
    Ok(())
}

fn enable(directory: &Path, controller: &str) -> Result<(), String> {
    let file = directory.join("cgroup.subtree_control");
    fs::write(&file, format!("+{controller}"))
        .map_err(|e| format!("enable {controller} in {}: {}", file.display(), cause(&e)))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("read {}: {}", path.display(), cause(&e)))
}

fn populated(directory: &Path) -> bool {
    lives(fs::read_to_string(directory.join("cgroup.events")))
}

/// What `cgroup.events` says. Only a cgroup that is not there is surely empty: to be out of
/// descriptors must not look like the death of whatever runs.
fn lives(events: io::Result<String>) -> bool {
    match events {
        Ok(events) => events.lines().any(|line| line == "populated 1"),
        Err(e) => !matches!(e.raw_os_error(), Some(libc::ENOENT | libc::ENODEV)),
    }
}

fn kill(directory: &Path) -> Result<(), String> {
    let file = directory.join("cgroup.kill");
    match fs::write(&file, "1") {
        // Linux before 5.14 has no such file.
        Err(e) if e.kind() == io::ErrorKind::NotFound => kill_each(directory),
        Err(e) => Err(format!("write {}: {}", file.display(), cause(&e))),
        Ok(()) => Ok(()),
    }
}

fn kill_each(directory: &Path) -> Result<(), String> {
    for child in children(directory) {
        kill_each(&child)?;
    }
    let processes = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    for pid in processes.lines().filter_map(|line| line.parse::<i32>().ok()) {
        if let Ok(pidfd) = crate::sys::process::pidfd_open(pid) {
            let _ = crate::sys::process::kill(&pidfd);
        }
    }
    Ok(())
}

/// Waits for the kernel's word that no process is left (cgroup-v2.rst, `cgroup.events`).
async fn wait_empty(directory: &Path) -> Result<(), String> {
    let path = directory.join("cgroup.events");
    let file = match File::open(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(|e| format!("open {}: {}", path.display(), cause(&e)))?,
    };
    let watch = sys::watch::watch(file.into(), Interest::PRIORITY)
        .map_err(|e| format!("watch {}: {}", path.display(), cause(&e)))?;
    while populated(directory) {
        let mut guard = watch
            .ready(Interest::PRIORITY)
            .await
            .map_err(|e| format!("watch {}: {}", path.display(), cause(&e)))?;
        guard.clear_ready();
    }
    Ok(())
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()).collect()
}

/// Removes empty cgroups, the innermost first.
pub fn remove_below(directory: &Path) -> Result<(), String> {
    for child in children(directory) {
        remove_below(&child)?;
    }
    match fs::remove_dir(directory) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(format!("remove cgroup {}: {}", directory.display(), cause(&e)))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cgroup_that_is_gone_or_says_so_is_empty() {
        let error = |code| Err(io::Error::from_raw_os_error(code));
        assert!(lives(Ok("populated 1\nfrozen 0\n".to_owned())));
        assert!(!lives(Ok("populated 0\nfrozen 0\n".to_owned())));
        // ENODEV: removed while it was open (cgroup-v2.rst).
        assert!(!lives(error(libc::ENOENT)) && !lives(error(libc::ENODEV)));
        assert!(lives(error(libc::EMFILE)) && lives(error(libc::ENOMEM)));
    }
}
