//! What is done to hosts that run, and undone: a function a command.

use super::cli::{Cut, Daemons, Hosts};
use super::host::{Ground, remove};
use super::plan::Host;
use super::process::Process;
use super::state::{Playground, make_private, option};
use super::{daemon, filter};
use crate::failure::Failure;

pub(super) fn kill(ground: &Ground, p: &mut Playground, flags: &Hosts) -> Result<(), Failure> {
    let hosts = known(p, "kill", &flags.hosts)?;
    ground.power_cut(p, &hosts)
}

pub(super) fn start(ground: &Ground, p: &mut Playground, flags: &Hosts) -> Result<(), Failure> {
    let hosts = known(p, "start", &flags.hosts)?;
    for &host in &hosts {
        if p.running("start", host)?.holder.is_some_and(|holder| holder.runs()) {
            let failure = Failure::new(format!("start {host}: it runs"));
            let hint = "resume, start-daemon and heal undo the other faults";
            return Err(failure.hint(hint));
        }
    }
    // Of a host whose holder died otherwise there may be something left.
    ground.power_cut(p, &hosts)?;
    let booted = ground.boot(p, &hosts);
    if booted.is_err() {
        // A host that does not come up is off, and its log says why.
        ground.power_cut(p, &hosts)?;
    }
    booted
}

pub(super) fn freeze(
    ground: &Ground,
    p: &mut Playground,
    flags: &Hosts,
    frozen: bool,
) -> Result<(), Failure> {
    let verb = if frozen { "pause" } else { "resume" };
    let hosts = known(p, verb, &flags.hosts)?;
    for &host in &hosts {
        p.holder(verb, &ground.name, host)?;
    }
    hosts.iter().try_for_each(|host| ground.cgroup(*host).freeze(frozen))
}

pub(super) fn kill_daemon(p: &mut Playground, flags: &Daemons) -> Result<(), Failure> {
    let host = flags.host;
    let running = p.running("kill a daemon of", host)?;
    for daemon in flags.chosen() {
        if let Some(process) = running.daemons.remove(&daemon) {
            process.kill().map_err(|e| Failure::io(format!("kill {daemon} of {host}"), &e))?;
        }
    }
    Ok(())
}

pub(super) fn start_daemon(
    ground: &Ground,
    p: &mut Playground,
    flags: &Daemons,
) -> Result<(), Failure> {
    let host = flags.host;
    let holder = p.holder("start a daemon of", &ground.name, host)?;
    let cgroup = ground.cgroup(host);
    ground.goes_on("start a daemon of", host)?;
    let mut starting = Vec::new();
    for daemon in flags.chosen() {
        if p.running("", host)?.daemons.get(&daemon).is_some_and(Process::runs) {
            continue;
        }
        let place = ground.name.place(host);
        let begun = daemon::start(&place, daemon, &p.programs, &holder, &cgroup)?;
        p.running("", host)?.daemons.insert(daemon, begun.process());
        starting.push(begun);
    }
    starting.into_iter().try_for_each(daemon::Starting::finish)
}

/// The oldest kernel whose bridges are known to drop what the rules say: on 6.1 they pass it.
const BRIDGES_FILTER: (u32, u32) = (6, 12);

fn can_cut() -> Result<(), Failure> {
    let path = "/proc/sys/kernel/osrelease";
    let release =
        std::fs::read_to_string(path).map_err(|e| Failure::io(format!("read {path}"), &e))?;
    let release = release.trim();
    match version(release).is_some_and(|version| version >= BRIDGES_FILTER) {
        true => Ok(()),
        false => {
            let message =
                format!("cut: it is not known that the bridges of Linux {release} filter");
            Err(Failure::new(message)
                .hint("those of 6.1 do not, those of 6.12 do; kill and pause work on any"))
        }
    }
}

/// `6.12.4-amd64`: 6, 12.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(['.', '-']).map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

pub(super) fn cut(p: &mut Playground, flags: &Cut) -> Result<(), Failure> {
    can_cut()?;
    let hosts = known(p, "cut", &flags.hosts)?;
    let from = known(p, "cut from", &flags.from)?;
    let others = if from.is_empty() { p.names() } else { from };
    for host in hosts {
        if others == [host] {
            let message = format!("cut {host}: from itself no host can be cut");
            return Err(Failure::new(message).hint("--from names another one"));
        }
        p.cuts.cut(host, &others, flags.one_way);
    }
    filter::apply(&p.switch, &p.cuts)
}

pub(super) fn heal(p: &mut Playground, hosts: &[Host]) -> Result<(), Failure> {
    let hosts = if hosts.is_empty() { p.names() } else { known(p, "heal", hosts)? };
    hosts.into_iter().for_each(|host| p.cuts.heal(host));
    filter::apply(&p.switch, &p.cuts)
}

pub(super) fn wipe(ground: &Ground, p: &mut Playground, flags: &Hosts) -> Result<(), Failure> {
    let hosts = known(p, "wipe", &flags.hosts)?;
    for &host in &hosts {
        if p.running("wipe", host)?.holder.is_some_and(|holder| holder.runs()) {
            let hint = format!("fleetctl playground kill {host}{}", option(&ground.name));
            return Err(Failure::new(format!("wipe {host}: it runs")).hint(hint));
        }
    }
    for host in hosts {
        let state = ground.name.place(host).state;
        remove(&state)?;
        make_private(&state)?;
    }
    Ok(())
}

/// Each once, if all are there.
fn known(p: &mut Playground, verb: &str, hosts: &[Host]) -> Result<Vec<Host>, Failure> {
    let mut hosts = hosts.to_vec();
    hosts.sort_unstable();
    hosts.dedup();
    hosts.iter().try_for_each(|host| p.running(verb, *host).map(drop))?;
    Ok(hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernels_version_is_read_from_its_release() {
        assert_eq!(version("6.12.4-amd64"), Some((6, 12)));
        assert_eq!(version("6.18-rc1"), Some((6, 18)));
        assert_eq!(version("six"), None);
        assert!((6, 1) < BRIDGES_FILTER && (7, 0) > BRIDGES_FILTER);
    }
}
