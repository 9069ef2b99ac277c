//! Who takes part, and one run of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::sample::Sample;
use super::stage::{Devices, Stage};
use crate::sys;

#[derive(Debug, Clone)]
pub(super) struct Contender {
    pub(super) name: &'static str,
    program: PathBuf,
    /// The first line of `--version`; empty for the floor.
    pub(super) version: String,
    pub(super) is_ours: bool,
    pub(super) devices: Devices,
}

/// The peers that are measured where they are installed.
const PEERS: [&str; 3] = ["crun", "runc", "youki"];

pub(super) const FLOOR: &str = "floor";

/// The floor, `ocirun`, and the peers in `PATH`.
pub(super) fn find() -> Result<Vec<Contender>, String> {
    let mut found = vec![
        Contender {
            name: FLOOR,
            program: our_program(FLOOR)?,
            version: String::new(),
            is_ours: true,
            devices: Devices::Ruled,
        },
        contender("ocirun", our_program("ocirun")?, true),
    ];
    let path = std::env::var_os("PATH").unwrap_or_default();
    for name in PEERS {
        let in_path = std::env::split_paths(&path).map(|folder| folder.join(name));
        if let Some(program) = in_path.into_iter().find(|program| program.is_file()) {
            found.push(contender(name, program, false));
        }
    }
    Ok(found)
}

/// A program that `make programs` built.
pub(crate) fn our_program(name: &str) -> Result<PathBuf, String> {
    let folder = std::env::var_os("FLOTILLA_PROGRAMS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/programs"),
        PathBuf::from,
    );
    let program = folder.join(name);
    if program.is_file() {
        Ok(program)
    } else {
        Err(format!("find {}: run `make programs` first", program.display()))
    }
}

fn contender(name: &'static str, program: PathBuf, is_ours: bool) -> Contender {
    let version = Command::new(&program).arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let version = version.unwrap_or_default().lines().next().unwrap_or_default().to_owned();
    Contender { name, program, version, is_ours, devices: Devices::Ruled }
}

impl Contender {
    /// What a run is, from the spawn of the program on.
    pub(super) fn command(&self, stage: &Stage, seccomp: bool) -> Command {
        let mut command = Command::new(&self.program);
        if self.name == FLOOR {
            command.arg(stage.rootfs()).arg(stage.cgroup(self.name));
            if seccomp {
                command.arg(stage.filter());
            }
        } else {
            command.arg("--root").arg(stage.state(self.name));
            command.arg("run").arg("--bundle").arg(stage.bundle(self.devices)).arg("bench");
        }
        command
    }

    /// One run. An error is one line, with the first that the program said.
    pub(super) fn run(&self, stage: &Stage, seccomp: bool) -> Result<Sample, String> {
        let mut command = self.command(stage, seccomp);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let failed = |error: std::io::Error| format!("run {}: {error}", self.name);
        let cpu = sys::children_cpu_time().map_err(failed)?;
        let start = Instant::now();
        let output = command.spawn().and_then(|child| child.wait_with_output()).map_err(failed)?;
        let wall = start.elapsed();
        let cpu = sys::children_cpu_time().map_err(failed)?.saturating_sub(cpu);
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().next().unwrap_or("it said nothing");
            return Err(format!("{}: {}: {said}", self.name, output.status));
        }
        Ok(Sample { wall, cpu })
    }
}
