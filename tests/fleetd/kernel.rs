//! What there is of containers, as the kernel's own tools and the directories show it: not as the
//! daemons believe it.

use crate::host::Host;
use flotilla_tests::{look_until, need};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// As [`Host`] starts netd.
pub(crate) const POOL: usize = 2;

pub(crate) fn needs() -> Result<(), String> {
    need::program("ip")?;
    need::program("nft")?;
    Ok(())
}

/// Counts of what netd puts into the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kernel {
    links: usize,
    sources: usize,
    published: usize,
}

impl Kernel {
    /// What so many containers with one published port each need, beside the pool.
    pub(crate) fn of(containers: usize) -> Self {
        let links = containers + POOL;
        Self { links, sources: containers, published: containers }
    }

    pub(crate) fn now() -> Self {
        let links = json("ip", "-j link show type veth");
        // Without any, ip prints nothing or an empty object.
        let names = links.as_array().into_iter().flatten().filter_map(|l| l["ifname"].as_str());
        Self {
            links: names.filter(|name| name.starts_with("fl") && name.len() == 13).count(),
            sources: elements("set inet flotilla sources4"),
            published: elements("map inet flotilla published4"),
        }
    }
}

fn elements(set: &str) -> usize {
    let dump = json("nft", &format!("-j list {set}"));
    let kind = set.split(' ').next().unwrap();
    let found = dump["nftables"].as_array().into_iter().flatten().find_map(|o| o.get(kind));
    found.unwrap()["elem"].as_array().map_or(0, Vec::len)
}

fn json(program: &str, line: &str) -> Value {
    let output = Command::new(program).args(line.split(' ')).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {line}: {words}");
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// Every mount of this mount namespace, where nothing of a container may be.
pub(crate) fn mounts() -> BTreeSet<String> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Waits until the directories are as they were: what a daemon takes away in the background has
/// gone.
pub(crate) fn assert_files(host: &Host, before: &BTreeSet<String>) {
    if let Err(now) = look_until(|| files(host), |now| now == before) {
        let left: Vec<&String> = now.difference(before).collect();
        let gone: Vec<&String> = before.difference(&now).collect();
        panic!("left {left:#?}, gone {gone:#?}");
    }
}

/// Everything in both daemons' directories.
pub(crate) fn files(host: &Host) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for directory in [host.run_dir(), host.state_dir()] {
        list(&directory, &mut found);
    }
    found
}

fn list(directory: &Path, found: &mut BTreeSet<String>) {
    // What goes while it is listed has gone.
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            list(&path, found);
        }
        found.insert(path.display().to_string());
    }
}
