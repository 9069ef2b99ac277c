//! `fleetd keep-cgroup`: see [`crate::keep_cgroup`].

use crate::agent::cgroup::Cgroups;
use crate::notify_systemd;
use crate::sentence::cause;

/// `path`: from the cgroup2 mount; none: the cgroup of this process.
pub(super) fn run(path: Option<&str>) -> Result<(), String> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => own()?,
    };
    let cgroups = Cgroups::find(&path)?;
    crate::keep_cgroup::run(&cgroups.parent_directory(), || notify_systemd::notify("READY=1"))
}

/// cgroups(7): the line of cgroup v2 begins with `0::`.
fn own() -> Result<String, String> {
    let text = std::fs::read_to_string("/proc/self/cgroup")
        .map_err(|e| format!("read /proc/self/cgroup: {}", cause(&e)))?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::"));
    path.map(str::to_owned).ok_or_else(|| "read /proc/self/cgroup: no cgroup of v2".to_owned())
}
