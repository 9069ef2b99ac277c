//! What is remembered of a playground between commands: `playground.json` in its run directory, and
//! the lock that lets one command at a time change it.
//!
//! What the kernel can tell is not remembered, and `down` needs none of it.

use super::cli::Daemon;
use super::cuts::Cuts;
use super::plan::{Host, Name};
use super::process::Process;
use crate::failure::Failure;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Playground {
    /// Holds the switch's network namespace.
    pub(super) switch: Process,
    /// Where netd, fleetd and ocirun are.
    pub(super) programs: PathBuf,
    pub(super) hosts: BTreeMap<Host, Running>,
    pub(super) cuts: Cuts,
}

/// The processes of a host that commands must find again. None: it was killed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Running {
    /// Holds the host's namespaces.
    pub(super) holder: Option<Process>,
    pub(super) daemons: BTreeMap<Daemon, Process>,
}

impl Playground {
    pub(super) fn names(&self) -> Vec<Host> {
        self.hosts.keys().copied().collect()
    }

    /// The host's processes; `verb` is what was asked for.
    pub(super) fn running(&mut self, verb: &str, host: Host) -> Result<&mut Running, Failure> {
        let last = self.hosts.len();
        self.hosts.get_mut(&host).ok_or_else(|| {
            Failure::new(format!("{verb} {host}: there is no such host"))
                .hint(format!("this playground has {}", range(last)))
        })
    }

    /// The holder of a host that runs.
    pub(super) fn holder(
        &mut self,
        verb: &str,
        name: &Name,
        host: Host,
    ) -> Result<Process, Failure> {
        let holder = self.running(verb, host)?.holder;
        holder.filter(Process::runs).ok_or_else(|| {
            let hint = format!("fleetctl playground start {host}{}", option(name));
            Failure::new(format!("{verb} {host}: it is killed")).hint(hint)
        })
    }

    /// In one step: whoever reads sees the old or the new one.
    pub(super) fn save(&self, name: &Name) -> Result<(), Failure> {
        let path = document(name);
        let new = path.with_extension("new");
        let text = serde_json::to_vec_pretty(self)
            .map_err(|e| Failure::new(format!("write {}: {e}", path.display())))?;
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|e| Failure::io(format!("write {}", path.display()), &e))
    }

    pub(super) fn load(name: &Name) -> Result<Self, Failure> {
        let path = document(name);
        let text = match fs::read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let hint = format!("fleetctl playground up{}", option(name));
                return Err(
                    Failure::new(format!("find playground {name}: it is not up")).hint(hint)
                );
            }
            other => other.map_err(|e| Failure::io(format!("read {}", path.display()), &e))?,
        };
        serde_json::from_slice(&text).map_err(|e| {
            let hint = format!("fleetctl playground down{} removes everything", option(name));
            Failure::new(format!("read {}: {e}", path.display())).hint(hint)
        })
    }
}

fn range(count: usize) -> String {
    if count == 1 { "h1".to_owned() } else { format!("h1 to h{count}") }
}

/// How a command line names the playground.
pub(super) fn option(name: &Name) -> String {
    if name.is_default() { String::new() } else { format!(" --name {name}") }
}

fn document(name: &Name) -> PathBuf {
    name.run().join("playground.json")
}

/// The right to change a playground, until it is dropped.
pub(super) struct Lock(#[expect(dead_code, reason = "it locks as long as it is open")] File);

impl Lock {
    /// Waits for other commands. Makes the run directory if `make`; none: there is none.
    pub(super) fn take(name: &Name, make: bool) -> Result<Option<Self>, Failure> {
        let directory = name.run();
        let failed = |e: &io::Error| Failure::io(format!("lock {}", directory.display()), e);
        loop {
            if make {
                make_private(&directory)?;
            }
            let file = match File::open(&directory) {
                Err(e) if e.kind() == io::ErrorKind::NotFound && make => continue,
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
                other => other.map_err(|e| failed(&e))?,
            };
            flock(&file, FlockOperation::LockExclusive).map_err(|e| failed(&e.into()))?;
            // `down` may have removed what was locked.
            let locked = file.metadata().map_err(|e| failed(&e))?;
            let there = fs::metadata(&directory);
            if there.is_ok_and(|there| (there.dev(), there.ino()) == (locked.dev(), locked.ino())) {
                return Ok(Some(Self(file)));
            }
        }
    }
}

/// Makes a directory for root only, and those above it.
pub(super) fn make_private(directory: &Path) -> Result<(), Failure> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|e| Failure::io(format!("create {}", directory.display()), &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_read_back() {
        let [a, b]: [Host; 2] = Host::first(2).collect::<Vec<_>>().try_into().unwrap();
        let own = Process::of(std::process::id()).unwrap();
        let daemons = BTreeMap::from([(Daemon::Fleetd, own)]);
        let mut whole = Playground {
            switch: own,
            programs: "/programs".into(),
            hosts: BTreeMap::from([
                (a, Running { holder: Some(own), daemons }),
                (b, Running::default()),
            ]),
            cuts: Cuts::default(),
        };
        whole.cuts.cut(a, &[b], true);
        let text = serde_json::to_string(&whole).unwrap();
        assert!(text.contains(r#""cuts":[["h1","h2"]]"#), "{text}");
        let mut read: Playground = serde_json::from_str(&text).unwrap();
        assert_eq!(read.names(), [a, b]);
        assert_eq!(read.running("kill", a).unwrap().daemons[&Daemon::Fleetd], own);
        let unknown = read.running("kill", "h3".parse().unwrap()).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "kill h3: there is no such host (this playground has h1 to h2)"
        );
    }
}
