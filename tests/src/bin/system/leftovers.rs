//! What a test left behind in the kernel.
//!
//! Mounts, links, cgroups, nftables tables, forwarding, processes and Flotilla's own directories
//! are compared with what was there before. The kernel clears some of it a moment after the last
//! user is gone, so what is left is asked for again until it is nothing or a time has passed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flotilla_tests::need;

use crate::sys;

/// Directories that exist only while a fleet does.
const DIRECTORIES: &[&str] = &["/run/flotilla", "/run/ocirun", "/var/lib/flotilla"];

/// What is there, each thing as a line that names it.
pub(crate) struct Snapshot(BTreeSet<String>);

impl Snapshot {
    pub(crate) fn take() -> Result<Self, String> {
        let mut found = BTreeSet::new();
        found.extend(mounts()?);
        found.extend(links()?);
        found.extend(cgroups());
        found.extend(tables());
        found.extend(forwarding());
        found.extend(orphans().into_iter().map(|(pid, name)| format!("process {pid} {name}")));
        found.extend(
            DIRECTORIES.iter().filter(|d| Path::new(d).exists()).map(|d| format!("directory {d}")),
        );
        found.extend(scratch());
        Ok(Self(found))
    }
}

pub(crate) struct Leftovers(Vec<String>);

impl Leftovers {
    /// What is there and was not before. `grace` is how long the kernel may take to clear what
    /// nobody uses any more; it is spent only where something is left.
    pub(crate) fn after(before: &Snapshot, grace: Duration) -> Result<Self, String> {
        let begin = Instant::now();
        loop {
            let now = Snapshot::take()?;
            let left = now.0.difference(&before.0).cloned().collect::<Vec<_>>();
            if left.is_empty() || begin.elapsed() > grace {
                return Ok(Self(left));
            }
            sys::pause(Duration::from_millis(20));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first thing and how many more.
    pub(crate) fn first(&self) -> String {
        let more = self.0.len().saturating_sub(1);
        let first = self.0.first().map_or("", String::as_str);
        if more == 0 { first.to_owned() } else { format!("{first} and {more} more") }
    }

    pub(crate) fn text(&self) -> String {
        self.0.iter().map(|line| format!("left behind: {line}\n")).collect()
    }

    /// Ends the processes that were left, so that the next test starts without them.
    pub(crate) fn kill(&self) {
        // Children of what is killed become orphans in turn.
        for _ in 0..100 {
            let orphans = orphans();
            if orphans.is_empty() {
                return;
            }
            orphans.iter().for_each(|&(pid, _)| sys::kill(pid));
            sys::pause(Duration::from_millis(20));
        }
    }
}

fn mounts() -> Result<Vec<String>, String> {
    let table = std::fs::read_to_string("/proc/self/mountinfo")
        .map_err(|e| format!("read /proc/self/mountinfo: {e}"))?;
    let line = |line: &str| {
        let (mount, fs) = line.split_once(" - ")?;
        let mut fields = mount.split(' ');
        let id = fields.next()?;
        let point = fields.nth(3)?;
        Some(format!("mount {point} ({}, id {id})", fs.split(' ').next()?))
    };
    Ok(table.lines().filter_map(line).collect())
}

fn links() -> Result<Vec<String>, String> {
    let table = std::fs::read_to_string("/proc/self/net/dev")
        .map_err(|e| format!("read /proc/self/net/dev: {e}"))?;
    let line = |line: &str| Some(format!("link {}", line.split_once(':')?.0.trim()));
    Ok(table.lines().skip(2).filter_map(line).collect())
}

fn tables() -> Vec<String> {
    // Without nf_tables in the kernel, or the right to ask, there is nothing to compare.
    let tables = sys::nft_tables().unwrap_or_default();
    tables.into_iter().map(|name| format!("nftables table {name}")).collect()
}

fn forwarding() -> Option<String> {
    let value = std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").ok()?;
    Some(format!("net.ipv4.ip_forward = {}", value.trim()))
}

/// Every cgroup, but for those that only hold processes which are not of this run: on the host
/// the tree is shared with everything else that lives there, other runs among it.
fn cgroups() -> Vec<String> {
    let Ok(root) = need::cgroup2() else { return Vec::new() };
    below(&root).into_iter().flat_map(|top| of_this_run(&top)).collect()
}

/// Of one tree below the root. Where nobody in all of it is of this run it is somebody else's, with its
/// cgroups that hold others and no processes.
fn of_this_run(top: &Path) -> Vec<String> {
    let mut all = vec![top.to_owned()];
    let mut next = 0;
    while let Some(cgroup) = all.get(next) {
        let children = below(cgroup);
        all.extend(children);
        next += 1;
    }
    let held: Vec<(&PathBuf, Option<bool>)> =
        all.iter().map(|cgroup| (cgroup, is_held(cgroup))).collect();
    let mut holders = held.iter().filter_map(|(_, ours)| *ours).peekable();
    if holders.peek().is_some() && !holders.any(|ours| ours) {
        return Vec::new();
    }
    let ours = held.into_iter().filter(|(_, ours)| *ours != Some(false));
    ours.map(|(cgroup, _)| format!("cgroup {}", cgroup.display())).collect()
}

fn below(cgroup: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(cgroup).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}

/// Whether one of its processes is of this run; none: it has none itself, or has just gone.
fn is_held(cgroup: &Path) -> Option<bool> {
    let text = std::fs::read_to_string(cgroup.join("cgroup.procs")).ok()?;
    let mut pids = text.lines().filter_map(|line| line.parse().ok()).peekable();
    pids.peek()?;
    Some(pids.any(sys::descends_from_parent))
}

/// The processes whose parent ended: the parent of this process adopts them.
fn orphans() -> Vec<(u32, String)> {
    let name = |pid: u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = line.split(|&b| b == 0).take(6).map(String::from_utf8_lossy);
        words.collect::<Vec<_>>().join(" ").trim().to_owned()
    };
    let own = std::process::id();
    let children = sys::children(std::os::unix::process::parent_id());
    children.into_iter().filter(|&pid| pid != own).map(|pid| (pid, name(pid))).collect()
}

fn scratch() -> Vec<String> {
    let Some(dir) = std::env::var_os("FLOTILLA_SCRATCH") else { return Vec::new() };
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| format!("file {}", entry.path().display())).collect()
}
