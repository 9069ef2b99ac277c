//! The smallest change that would give a unit its place, in words.

use super::amount;
use super::board::Board;
use super::explain::{Check, Rule};
use super::fleet::short;
use super::host_set::HostSet;

/// From the easiest change to the hardest.
const EASE: [Rule; 15] = [
    Rule::Cordoned,
    Rule::Memory,
    Rule::Cpu,
    Rule::Tasks,
    Rule::Port,
    Rule::Conflicts,
    Rule::Volume,
    Rule::Device,
    Rule::MachineMetadata,
    Rule::Replaces,
    Rule::Full,
    Rule::Draining,
    Rule::Silent,
    Rule::Leaving,
    Rule::Dead,
];

pub(super) fn remedy(board: &Board<'_>, unit: u32, checks: &[Check]) -> String {
    if let Some(text) = hopeless(board, unit, checks) {
        return text;
    }
    let single = single(board, checks);
    let failing = |rule: Rule| {
        checks.iter().filter(move |check| check.rule == rule).filter_map(|check| {
            nearest(board, check, &single.without(&check.pass)).map(|h| (check, h))
        })
    };
    match EASE.into_iter().flat_map(failing).next() {
        Some((check, host)) => change(board, unit, check, host),
        None => {
            let whole = HostSet::all(board.hosts());
            let nowhere = checks.iter().find(|check| whole.without(&check.pass) == whole);
            match nowhere {
                Some(check) => format!("no host passes this: {}", check.text()),
                None => "every host fails more than one rule: add a host that fits".to_owned(),
            }
        }
    }
}

/// What no change of a host helps.
fn hopeless(board: &Board<'_>, unit: u32, checks: &[Check]) -> Option<String> {
    let of = board.unit(unit)?;
    if board.hosts() == 0 {
        return Some("add a host: the fleet has none".to_owned());
    }
    if board.follow.circle[unit as usize] {
        return Some("take one MachineOf= out of the circle".to_owned());
    }
    let leaders = of.machine_of.iter().zip(&board.follow.leaders[unit as usize]);
    for (name, leader) in leaders {
        match leader {
            None => return Some(format!("start {name}, which it follows")),
            Some(leader) if !board.is_placed(*leader) => {
                return Some(format!("give {name}, which it follows, a place first"));
            }
            Some(_) => {}
        }
    }
    let mut with_all = HostSet::all(board.hosts());
    let led = checks.iter().filter(|check| check.rule == Rule::MachineOf);
    led.for_each(|check| with_all.keep(&check.pass));
    if with_all.is_empty() {
        return Some(format!("bring {} onto one host", of.machine_of.join(" and ")));
    }
    let id = of.machine_id.as_ref()?;
    let known = board.fleet.hosts.contains_key(id);
    (!known).then(|| format!("no host {id} is known: correct MachineID="))
}

/// Hosts that fail one check only.
fn single(board: &Board<'_>, checks: &[Check]) -> HostSet {
    let (mut once, mut twice) = (HostSet::none(board.hosts()), HostSet::none(board.hosts()));
    for check in checks {
        let failing = HostSet::all(board.hosts()).without(&check.pass);
        let mut again = once.clone();
        again.keep(&failing);
        twice.add(&again);
        once.add(&failing);
    }
    once.without(&twice)
}

/// Of a resource the host with the most of it, else the first.
fn nearest(board: &Board<'_>, check: &Check, hosts: &HostSet) -> Option<u32> {
    match check.resource() {
        Some(kind) => hosts.iter().max_by_key(|h| (board.free(*h)[kind], std::cmp::Reverse(*h))),
        None => hosts.iter().next(),
    }
}

fn change(board: &Board<'_>, unit: u32, check: &Check, host: u32) -> String {
    let id = short(board.host_ids[host as usize]);
    if let Some(kind) = check.resource() {
        let (asks, free) = (board.shape(unit).asks[kind], board.free(host)[kind]);
        let name = ["of cpu time", "of memory", "tasks"][kind];
        let short = amount::of(kind, asks - free);
        if asks > board.room(kind, host) {
            let room = amount::of(kind, board.room(kind, host));
            return format!("ask for at most {room} {name}, all that host {id} has for units");
        }
        return format!("free {short} {name} on host {id}, or ask for so much less");
    }
    let text = check.text();
    match (check.rule, check.blocker(board, host)) {
        (Rule::Cordoned, _) => format!("uncordon host {id}"),
        (Rule::Draining, _) => format!("end the drain of host {id}"),
        (Rule::Silent, _) => format!("wait until host {id} has said what it has"),
        (Rule::Full, _) => format!("free space on the disk of host {id}"),
        (Rule::Dead, _) => format!("bring host {id} back"),
        (_, Some(blocker)) => format!("stop or move {blocker} on host {id} ({text})"),
        (Rule::MachineMetadata, _) => {
            format!("give host {id} what it lacks (fleetctl set-metadata): {text}")
        }
        _ => format!("change host {id}, where this alone is in the way: {text}"),
    }
}
