//! Hosts on this machine: `fleetctl playground`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use fleetd_api::{Fleet, Machine, Role, Status, Unit};
use serde::de::DeserializeOwned;

use super::undo::Undo;
use crate::start::our_program;

pub(super) struct Ground {
    name: String,
    fleetctl: PathBuf,
    hosts: usize,
    _undo: Undo,
}

/// For what takes no time where nothing is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

impl Ground {
    /// So many hosts that are one fleet, of the programs that were built. `suffix` tells playgrounds of one benchmark
    /// apart.
    pub(super) fn up(suffix: &str, hosts: usize) -> Result<Ground, String> {
        let ground = Ground::named(suffix, hosts)?;
        ground.play(["up", "--hosts", &hosts.to_string()])?;
        ground.until_settled()?;
        Ok(ground)
    }

    /// The hosts alone, for the daemons of somebody else.
    pub(super) fn without_daemons(suffix: &str, hosts: usize) -> Result<Ground, String> {
        let ground = Ground::named(suffix, hosts)?;
        ground.play(["up", "--separate", "--hosts", &hosts.to_string()])?;
        for host in ground.hosts() {
            ground.play(["kill-daemon", &host])?;
        }
        Ok(ground)
    }

    /// Not there yet; whatever comes of it is removed.
    fn named(suffix: &str, hosts: usize) -> Result<Ground, String> {
        let fleetctl = our_program("fleetctl")?;
        let name = format!("bench-{}-{suffix}", std::process::id());
        let undo = {
            let (fleetctl, name) = (fleetctl.clone(), name.clone());
            Undo::later(move || {
                let down = Command::new(fleetctl)
                    .args(["playground", "--name", &name, "down"])
                    .stdin(Stdio::null())
                    .status();
                if !down.is_ok_and(|status| status.success()) {
                    eprintln!(
                        "flotilla-bench: fleetctl playground --name {name} down: it did not end well"
                    );
                }
            })
        };
        Ok(Ground { name, fleetctl, hosts, _undo: undo })
    }

    /// Everybody lives in everybody's eyes, and the voters are chosen.
    pub(super) fn until_settled(&self) -> Result<(), String> {
        let voters = if self.hosts < 3 { 1 } else { 3 };
        eventually("the hosts know each other", || {
            for host in self.hosts() {
                let machines = self.machines(&host)?;
                let alive = machines.iter().filter(|machine| machine.status == Status::Alive);
                let vote = machines.iter().filter(|machine| machine.role != Role::Host);
                if alive.count() != self.hosts || vote.count() != voters {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// `h1` and so on.
    pub(super) fn hosts(&self) -> Vec<String> {
        (1..=self.hosts).map(|number| format!("h{number}")).collect()
    }

    pub(super) fn socket(&self, host: &str) -> PathBuf {
        self.run_dir(host).join("fleetd.sock")
    }

    pub(super) fn run_dir(&self, host: &str) -> PathBuf {
        Path::new("/run/flotilla-playground").join(&self.name).join(host)
    }

    /// The host's disk.
    pub(super) fn state_dir(&self, host: &str) -> PathBuf {
        Path::new("/var/lib/flotilla-playground").join(&self.name).join(host)
    }

    /// Below the cgroup2 mount.
    pub(super) fn cgroup(&self, host: &str) -> String {
        format!("flotilla-playground-{}-{host}", self.name)
    }

    /// A command of `fleetctl playground`.
    pub(super) fn play<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<String, String> {
        said(&mut self.playing(arguments))
    }

    pub(super) fn playing<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new(&self.fleetctl);
        command.args(["playground", "--name", &self.name]).args(arguments);
        command
    }

    /// fleetctl, asking a host.
    pub(super) fn ctl<A: AsRef<OsStr>>(
        &self,
        host: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new(&self.fleetctl);
        command.arg("--socket").arg(self.socket(host)).args(arguments).stdin(Stdio::null());
        command
    }

    fn asked<T: DeserializeOwned>(&self, host: &str, question: &str) -> Result<T, String> {
        let text = said(&mut self.ctl(host, ["--json", question]))?;
        serde_json::from_str(&text).map_err(|error| format!("read {question} of {host}: {error}"))
    }

    pub(super) fn machines(&self, host: &str) -> Result<Vec<Machine>, String> {
        self.asked(host, "list-machines")
    }

    pub(super) fn units(&self, host: &str) -> Result<Vec<Unit>, String> {
        self.asked(host, "list-units")
    }

    /// `hN`, by the id of its machine.
    pub(super) fn host_of(&self, ask: &str, machine: &str) -> Result<Option<String>, String> {
        let machines = self.machines(ask)?;
        let ip = machines.into_iter().find(|one| one.id == machine).and_then(|one| one.ip);
        Ok(ip.as_deref().and_then(|ip| ip.rsplit_once('.')).map(|(_, last)| format!("h{last}")))
    }

    /// Who decides, as this host says.
    pub(super) fn leader(&self, ask: &str) -> Result<Option<String>, String> {
        let fleet: Fleet = self.asked(ask, "fleet")?;
        match fleet.leader {
            Some(leader) => self.host_of(ask, &leader),
            None => Ok(None),
        }
    }

    /// Gives every host an image of one static program of ours at /bin.
    pub(super) fn import(&self, root: &Path, image: &str) -> Result<(), String> {
        for host in self.hosts() {
            let arguments = [OsStr::new("image"), "import".as_ref(), root.as_ref(), image.as_ref()];
            said(&mut self.ctl(&host, arguments))?;
        }
        Ok(())
    }
}

/// What a command prints; its first word of complaint if it fails.
pub(super) fn said(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("run {}: {error}", shown(command)))?;
    complained(&output).map_err(|error| format!("{}: {error}", shown(command)))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// An error with the first line that a program that failed has said.
pub(super) fn complained(output: &Output) -> Result<(), String> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}: {}", output.status, said.lines().next().unwrap_or("it said nothing")))
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// Waits for what no event tells of here. What cannot be asked yet is not so yet.
#[allow(clippy::disallowed_methods, reason = "other programs are asked again and again")]
pub(super) fn eventually(
    what: &str,
    mut holds: impl FnMut() -> Result<bool, String>,
) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        let now = holds();
        match now {
            Ok(true) => return Ok(()),
            Err(error) if begun.elapsed() > PATIENCE => {
                return Err(format!("wait until {what}: {error}"));
            }
            Ok(false) if begun.elapsed() > PATIENCE => {
                return Err(format!("wait until {what}: not so after a minute"));
            }
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
