//! What happens to a fleet, and how it is healed.

use super::drive::Drive;
use super::host::name;
use super::sockets::{self, Weather};
use super::world::{say, with};
use super::{draw, wall};
use crate::core::tests::simulation::host::{SECOND, Time};
use crate::store::simulated::below;
use rand::RngExt as _;
use std::collections::BTreeMap;
use std::time::Duration;

/// Who sends and hears nothing for so long takes a connection for broken: as the kernel is told.
const VANISHED: Time = 30 * SECOND;
const LATENCY: Duration = Duration::from_millis(20);

/// How a pair of hosts is kept from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// Nothing goes from one to the other; from the other to the one, too.
    Lost { both: bool },
    /// All of it comes late.
    Held,
    /// One has no power.
    Dark,
}

/// What is wrong with the network.
#[derive(Default)]
pub(super) struct Cuts(BTreeMap<(usize, usize), (Cut, Time)>);

/// One fault, or the end of one.
pub(super) fn fault(drive: &mut Drive) {
    let count = drive.addresses.len();
    let host = draw(|rng| rng.random_range(0..count));
    let other = draw(|rng| rng.random_range(0..count));
    match draw(|rng| rng.random_range(0..19)) {
        0 => {
            let weather = Weather { loss: pick([0.0, 0.1, 0.5]), twice: pick([0.0, 0.1, 0.5]) };
            say(format_args!("datagrams: {weather:?}"));
            sockets::set_weather(weather);
        }
        1 => late(drive, host, other),
        2 => cut(drive, (host, other), Cut::Lost { both: true }),
        3 => cut(drive, (host, other), Cut::Lost { both: false }),
        4 => cut(drive, (host, other), Cut::Held),
        5 => isolate(drive, host),
        6 | 7 => mend(drive),
        8 | 9 => kill(drive, host),
        10 => power_off(drive, host),
        11 | 12 => start(drive),
        13 => {
            say(format_args!("connections between h{host} and h{other} break"));
            sockets::break_between(drive.addresses[host], drive.addresses[other]);
        }
        14 => {
            let hours = pick([-1, 0, 1]);
            say(format_args!("the clock of h{host} is {hours} hours ahead"));
            wall::set_wrong(host, hours * 3600);
        }
        15 => disk(host),
        16 => full(host),
        17 => with(|world| (world.failing, world.ending) = (pick([0.0, 0.2]), pick([0.0, 0.2]))),
        _ => kill_all(drive),
    }
}

fn pick<T: Copy, const N: usize>(from: [T; N]) -> T {
    from[draw(|rng| rng.random_range(0..N))]
}

fn pair(one: usize, other: usize) -> (usize, usize) {
    (one.min(other), one.max(other))
}

fn late(drive: &mut Drive, host: usize, other: usize) {
    if host != other {
        let most = Duration::from_millis(pick([20, 200, 1000]));
        say(format_args!("between h{host} and h{other} it takes {most:?}"));
        drive.sim.set_link_max_message_latency(name(host), name(other), most);
    }
}

fn cut(drive: &mut Drive, (host, other): (usize, usize), how: Cut) {
    let now = drive.now();
    if host == other || drive.cuts.0.contains_key(&pair(host, other)) {
        return;
    }
    say(format_args!("a cut between h{host} and h{other}: {how:?}"));
    let (one, two) = (name(host), name(other));
    match how {
        Cut::Held => drive.sim.hold(one, two),
        Cut::Lost { both: false } => drive.sim.partition_oneway(one, two),
        Cut::Lost { both: true } | Cut::Dark => drive.sim.partition(one, two),
    }
    drive.cuts.0.insert(pair(host, other), (how, now));
}

fn isolate(drive: &mut Drive, host: usize) {
    let how = pick([Cut::Lost { both: true }, Cut::Held]);
    (0..drive.addresses.len()).for_each(|other| cut(drive, (host, other), how));
}

/// Ends all cuts but those of hosts without power.
fn mend(drive: &mut Drive) {
    say("all cuts are mended");
    for ((one, other), (how, _)) in std::mem::take(&mut drive.cuts.0) {
        uncut(drive, (one, other), how);
    }
}

fn uncut(drive: &mut Drive, (one, other): (usize, usize), how: Cut) {
    match how {
        Cut::Held => drive.sim.release(name(one), name(other)),
        Cut::Lost { .. } | Cut::Dark => {
            drive.sim.repair(name(one), name(other));
            // Of what was lost nothing is sent again here.
            sockets::break_between(drive.addresses[one], drive.addresses[other]);
        }
    }
}

/// Connections on which nothing comes any more do not stay for ever.
pub(super) fn look(drive: &mut Drive) {
    let now = drive.now();
    for ((one, other), (how, since)) in &mut drive.cuts.0 {
        if *how != Cut::Held && *since + VANISHED <= now {
            sockets::break_between(drive.addresses[*one], drive.addresses[*other]);
            *since = now;
        }
    }
}

/// Its fleetd dies, and is started again, or not yet.
fn kill(drive: &mut Drive, host: usize) {
    if drive.is_up(host) {
        say(format_args!("h{host}: its fleetd is killed"));
        drive.crash(host, false);
        let soon = pick([0, 1, 1000]) * SECOND;
        drive.starts[host] = Some(drive.now() + soon);
    }
}

fn kill_all(drive: &mut Drive) {
    if draw(|rng| rng.random_bool(0.3)) {
        let power = draw(|rng| rng.random_bool(0.5));
        for host in 0..drive.addresses.len() {
            if power {
                power_off(drive, host);
            } else {
                kill(drive, host);
            }
        }
    }
}

/// Nobody is told.
fn power_off(drive: &mut Drive, host: usize) {
    if !with(|world| world.hosts[host].is_on) {
        return;
    }
    say(format_args!("h{host} loses its power"));
    (0..drive.addresses.len()).for_each(|other| cut(drive, (host, other), Cut::Dark));
    drive.crash(host, true);
    drive.starts[host] = None;
}

/// All that are down.
fn start(drive: &mut Drive) {
    for host in 0..drive.addresses.len() {
        if !drive.is_up(host) {
            power_on(drive, host);
        }
    }
}

fn power_on(drive: &mut Drive, host: usize) {
    say(format_args!("h{host} starts"));
    let of = |(one, other): &(usize, usize)| *one == host || *other == host;
    let dark = drive.cuts.0.iter().filter(|(pair, (how, _))| of(pair) && *how == Cut::Dark);
    let dark: Vec<(usize, usize)> = dark.map(|(pair, _)| *pair).collect();
    for (one, other) in dark {
        let is_dark = |host: usize| !with(|world| world.hosts[host].is_on);
        if is_dark(if one == host { other } else { one }) {
            continue;
        }
        drive.cuts.0.remove(&(one, other));
        uncut(drive, (one, other), Cut::Dark);
    }
    drive.start(host);
}

/// The disk of a host fails after so many writes, or works again.
fn disk(host: usize) {
    let good = pick([None, Some(0), Some(20)]);
    say(format_args!("the disk of h{host} takes so many writes: {good:?}"));
    set_good(host, good);
}

/// Somebody fills the disk of a host, or makes room.
fn full(host: usize) {
    let is_full = pick([true, false]);
    say(format_args!("the disk of h{host} is {}", if is_full { "full" } else { "not full" }));
    set_full(host, is_full);
}

fn set_full(host: usize, is_full: bool) {
    let place = with(|world| world.fleetds[host].place.clone()).unwrap();
    below(&place.database()).unwrap().content().is_full = is_full;
}

fn set_good(host: usize, good: Option<u32>) {
    let place = with(|world| world.fleetds[host].place.clone()).unwrap();
    below(&place.database()).unwrap().content().good = good;
}

/// Most of those who decide lose their power, and are given up: the fleet goes on from one that is left.
/// False: nobody is left who could.
pub(super) fn lose_most_voters(drive: &mut Drive) -> bool {
    heal(drive);
    drive.run(10 * SECOND);
    let newest = with(|world| world.check.newest()).unwrap();
    let voters = &newest.fleet.as_ref().unwrap().voters;
    let is_voter = |host: &usize| voters.contains(&with(|world| world.hosts[*host].id));
    let voters: Vec<usize> = (0..drive.addresses.len()).filter(is_voter).collect();
    let lost = voters.len() / 2 + 1;
    say(format_args!("{lost} voters of {voters:?} are lost"));
    voters.iter().take(lost).for_each(|host| power_off(drive, *host));
    drive.run(15 * SECOND);
    lost < voters.len()
}

/// Everything is as it should be from now on.
pub(super) fn heal(drive: &mut Drive) {
    say("everything is healed");
    with(|world| {
        (world.failing, world.ending) = (0.0, 0.0);
    });
    sockets::set_weather(Weather::default());
    mend(drive);
    let count = drive.addresses.len();
    for host in 0..count {
        wall::set_wrong(host, 0);
        set_good(host, None);
        set_full(host, false);
        for other in host + 1..count {
            drive.sim.set_link_max_message_latency(name(host), name(other), LATENCY);
        }
    }
    start(drive);
}
