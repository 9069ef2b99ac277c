//! The floor: `ocirun run` of the container that fleetd makes of a unit, and nothing around it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::ground::said;
use super::stamps::{INSIDE, SOCKET, Stamps};
use super::undo::Undo;
use crate::start::our_program;
use crate::sys;

pub(super) struct Bare {
    ocirun: PathBuf,
    bundle: PathBuf,
    state: PathBuf,
    _undo: Undo,
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Bare {
    /// `run`: the directory of a run that fleetd has made, with its `config.json`. What fleetd hands over as a
    /// descriptor becomes a path: the root, and the sources of mounts.
    pub(super) fn of(run: &Path, root: &Path, stamps: &Stamps) -> Result<Bare, String> {
        let bundle = stamps.directory().join("bare");
        let doing = |error: std::io::Error| format!("copy {}: {error}", run.display());
        fs::create_dir_all(&bundle).map_err(doing)?;
        let mut config: Value = fs::read(run.join("config.json"))
            .and_then(|text| Ok(serde_json::from_slice(&text)?))
            .map_err(doing)?;
        config["root"]["path"] = json!(root);
        config["process"]["args"] = json!(["/bin/stamp", SOCKET, "bare"]);
        let cgroup = format!("/flotilla-bench-{}", std::process::id());
        config["linux"]["cgroupsPath"] = json!(format!("{cgroup}/bare"));
        for mount in config["mounts"].as_array_mut().into_iter().flatten() {
            if mount["type"] != "bind" {
                continue;
            }
            let destination = mount["destination"].as_str().unwrap_or_default().to_owned();
            if destination == INSIDE {
                mount["source"] = json!(stamps.inside());
                continue;
            }
            let name = Path::new(&destination).file_name().unwrap_or_default();
            let copy = bundle.join(name);
            fs::copy(run.join("files").join(name), &copy).map_err(doing)?;
            mount["source"] = json!(copy);
        }
        fs::write(bundle.join("config.json"), config.to_string()).map_err(doing)?;
        let undo = Undo::later(move || remove_cgroup(&cgroup));
        let state = stamps.directory().join("bare-state");
        Ok(Bare { ocirun: our_program("ocirun")?, bundle, state, _undo: undo })
    }

    fn command(&self, word: &str) -> Command {
        let mut command = Command::new(&self.ocirun);
        command.arg("--root").arg(&self.state).arg(word).stdin(Stdio::null());
        command
    }

    /// From the spawn of `ocirun` until the program runs.
    pub(super) fn start(&self, stamps: &Stamps) -> Result<Duration, String> {
        let began = sys::monotonic_nanos();
        let mut run = self.command("run");
        let run = run.arg("--bundle").arg(&self.bundle).arg("bare").stdout(Stdio::null()).spawn();
        let mut run = run.map_err(|error| format!("run ocirun: {error}"))?;
        let ran = stamps.of("bare", PATIENCE);
        said(self.command("kill").args(["bare", "TERM"]))?;
        let status = run.wait().map_err(|error| format!("wait for ocirun: {error}"))?;
        if !status.success() {
            return Err(format!("ocirun run: {status}"));
        }
        Ok(Duration::from_nanos(ran?.saturating_sub(began)))
    }
}

/// Where cgroup2 is mounted.
pub(super) fn cgroup2() -> Result<PathBuf, String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo");
    let mounts = mounts.map_err(|error| format!("read mountinfo: {error}"))?;
    let found = mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        after.starts_with("cgroup2 ").then(|| before.split(' ').nth(4).map(PathBuf::from))?
    });
    found.ok_or_else(|| "find cgroup2: it is not mounted".to_owned())
}

/// Its processes have ended; what failed may have left one below.
fn remove_cgroup(cgroup: &str) {
    let Ok(mount) = cgroup2() else { return };
    let path = mount.join(cgroup.trim_start_matches('/'));
    // Not there where nothing was run.
    let _ = fs::write(path.join("cgroup.kill"), "1");
    let _ = fs::remove_dir(path.join("bare"));
    let _ = fs::remove_dir(path);
}
