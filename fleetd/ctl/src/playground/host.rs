//! A host from its boot to its power cut.

use super::cgroup::Cgroup;
use super::cli::Daemon;
use super::plan::{Host, Name, Place};
use super::process::Process;
use super::state::{Playground, Running, make_private, option};
use super::{daemon, link, namespace};
use crate::failure::Failure;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What every command that acts needs.
pub(super) struct Ground {
    pub(super) name: Name,
    /// Where cgroup2 is mounted.
    pub(super) cgroups: PathBuf,
}

impl Ground {
    pub(super) fn cgroup(&self, host: Host) -> Cgroup {
        Cgroup::new(&self.cgroups, &self.name.cgroup(host))
    }

    /// What is started on a paused host stops before its first instruction, and who waits for it waits.
    pub(super) fn goes_on(&self, verb: &str, host: Host) -> Result<(), Failure> {
        if self.cgroup(host).is_frozen() {
            let hint = format!("fleetctl playground resume {host}{}", option(&self.name));
            return Err(Failure::new(format!("{verb} {host}: it is paused")).hint(hint));
        }
        Ok(())
    }

    /// Boots hosts side by side: namespaces and network, then netd and fleetd. Waits until all answer.
    /// What was started is in `playground` even after a failure.
    pub(super) fn boot(&self, playground: &mut Playground, hosts: &[Host]) -> Result<(), Failure> {
        let mut places = Vec::new();
        for &host in hosts {
            let place = self.name.place(host);
            let holder = self.power_on(&place)?;
            let running = playground.running("start", host)?;
            running.holder = Some(holder);
            link::plug(&playground.switch, &holder, host)?;
            places.push((place, holder));
        }
        let mut starting = Vec::new();
        for daemon in Daemon::ALL {
            for (place, holder) in &places {
                let cgroup = self.cgroup(place.host);
                let begun = daemon::start(place, daemon, &playground.programs, holder, &cgroup)?;
                let running = playground.running("start", place.host)?;
                running.daemons.insert(daemon, begun.process());
                starting.push(begun);
            }
        }
        starting.into_iter().try_for_each(daemon::Starting::finish)
    }

    /// The host without network and daemons: as after a reboot its run directory is empty, and its boot
    /// has an id of its own.
    fn power_on(&self, place: &Place) -> Result<Process, Failure> {
        remove(&place.run)?;
        make_private(&place.run)?;
        make_private(&place.state)?;
        let entrance = self.cgroup(place.host).make()?;
        let file = place.boot_id();
        let uuid = "/proc/sys/kernel/random/uuid";
        fs::read(uuid)
            .and_then(|id| fs::write(&file, id))
            .map_err(|e| Failure::io(format!("write {}", file.display()), &e))?;
        let holder = namespace::start(&place.host.to_string(), Some(&file), entrance);
        // The mount keeps what is in it.
        let _ = fs::remove_file(&file);
        holder
    }

    /// Cuts the power of hosts: first no packet leaves, then every process ends, then what is theirs
    /// in the kernel goes.
    pub(super) fn power_cut(
        &self,
        playground: &mut Playground,
        hosts: &[Host],
    ) -> Result<(), Failure> {
        for &host in hosts {
            link::unplug(&playground.switch, host)?;
        }
        for &host in hosts {
            self.cgroup(host).kill()?;
        }
        for &host in hosts {
            self.cgroup(host).end()?;
            *playground.running("kill", host)? = Running::default();
        }
        Ok(())
    }
}

/// Removes a directory and what is in it. None is fine.
pub(super) fn remove(directory: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(directory) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(Failure::io(format!("remove {}", directory.display()), &e))
        }
        _ => Ok(()),
    }
}
