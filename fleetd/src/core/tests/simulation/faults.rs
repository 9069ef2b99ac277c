//! What happens to a fleet, and how it is healed.

use super::group::Proposer;
use super::host::{MS, SECOND, Time};
use super::world::{Happening, World};
use crate::core::decided::{AssignmentSet, Command, machine};
use crate::core::machine_id::MachineId;
use crate::pki::signed::{Purpose, Signed, Signer};
use rand::RngExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

const HOUR: Time = 3600 * SECOND;

/// One fault, or the end of one.
pub(super) fn fault(world: &mut World) {
    let count = world.hosts.len();
    let host = world.rng.random_range(0..count);
    let other = world.rng.random_range(0..count);
    match world.rng.random_range(0..17) {
        0 => world.network.loss = pick(world, [0.0, 0.1, 0.5]),
        1 => world.network.twice = pick(world, [0.0, 0.1, 0.5]),
        2 => world.network.delay = pick(world, [5 * MS, 100 * MS, 2 * SECOND, 10 * SECOND]),
        3 => cut(world, host, other),
        4 => {
            world.say("all cuts are healed");
            world.network.cut.clear();
        }
        5 => pause(world, host),
        6 => resume(world, host),
        7 => power_off(world, host),
        8 | 9 => power_on(world, host),
        10 => restart(world, host),
        11 => jump(world, host),
        12 => wipe(world, host),
        13 => {
            world.hosts[host].disk_fails = world.rng.random_bool(0.7);
            let words = if world.hosts[host].disk_fails { "fails" } else { "works" };
            world.say(format!("the disk of h{host} {words}"));
        }
        14 => {
            world.failing = pick(world, [0.0, 0.2, 0.8]);
            world.ending = pick(world, [0.0, 0.2, 0.8]);
        }
        15 => {
            let id = world.hosts[host].id;
            if !world.slandered.remove(&id) {
                world.say(format!("h{host} is taken for dead"));
                world.slandered.insert(id);
            }
        }
        _ if world.rng.random_bool(0.1) => restore(world),
        _ => forge(world, host, other),
    }
}

fn pick<T: Copy, const N: usize>(world: &mut World, from: [T; N]) -> T {
    from[world.rng.random_range(0..N)]
}

/// One way, or both.
fn cut(world: &mut World, host: usize, other: usize) {
    if host != other {
        world.say(format!("a cut between h{host} and h{other}"));
        world.network.cut.insert((host, other));
        if world.rng.random_bool(0.5) {
            world.network.cut.insert((other, host));
        }
    }
}

fn pause(world: &mut World, host: usize) {
    if world.hosts[host].is_on && !world.hosts[host].is_paused {
        world.say(format!("h{host} hangs"));
        world.hosts[host].is_paused = true;
    }
}

fn resume(world: &mut World, host: usize) {
    if world.hosts[host].is_paused {
        world.say(format!("h{host} goes on"));
        world.hosts[host].is_paused = false;
        for waiting in std::mem::take(&mut world.hosts[host].waiting) {
            world.plan(0, waiting);
        }
    }
}

fn kill(world: &mut World, host: usize) {
    resume(world, host);
    let now = world.now;
    world.hosts[host].kill_daemon(now, &mut world.rng);
    if world.group.leader == Some(host) {
        world.group.leader = None;
    }
}

fn start(world: &mut World, host: usize) {
    world.say(format!("fleetd of h{host} starts"));
    world.turn(host, |host, now, out| host.start_daemon(now, out));
}

fn power_off(world: &mut World, host: usize) {
    if world.hosts[host].is_on {
        world.say(format!("h{host} loses its power"));
        kill(world, host);
        let at = &mut world.hosts[host];
        at.is_on = false;
        at.boot += 1;
        at.containers.clear();
        at.lives.clear();
    }
}

fn power_on(world: &mut World, host: usize) {
    if !world.hosts[host].is_on {
        world.hosts[host].is_on = true;
        start(world, host);
    } else if !world.hosts[host].has_daemon {
        start(world, host);
    }
}

fn restart(world: &mut World, host: usize) {
    if world.hosts[host].is_on && world.hosts[host].has_daemon {
        world.say(format!("fleetd of h{host} is killed"));
        kill(world, host);
        if world.rng.random_bool(0.7) {
            start(world, host);
        }
    }
}

fn jump(world: &mut World, host: usize) {
    let ahead = world.rng.random_bool(0.5);
    world.say(format!(
        "the clock of h{host} jumps an hour {}",
        if ahead { "ahead" } else { "back" }
    ));
    let clock = &mut world.hosts[host].clock;
    *clock = if ahead { *clock + HOUR } else { *clock - HOUR };
}

/// The data directory is gone. With it goes a vote: not of so many that the fleet is lost for good.
fn wipe(world: &mut World, host: usize) {
    if !survives_without(world, world.hosts[host].id) {
        return;
    }
    if world.hosts[host].is_on && world.rng.random_bool(0.5) {
        power_off(world, host);
    }
    world.ids += 1;
    let id = MachineId(world.ids);
    world.say(format!("h{host} loses its data and is {id} from now on"));
    if world.hosts[host].has_daemon {
        kill(world, host);
    }
    let at = &mut world.hosts[host];
    (at.id, at.applied) = (id, 0);
    at.kept = AssignmentSet { machine: id, ..AssignmentSet::default() };
    if world.hosts[host].is_on {
        start(world, host);
    }
}

/// Nobody removes a host from a fleet that has just lost another one for good.
pub(super) fn ends_the_fleet(world: &World, command: &Command) -> bool {
    match command {
        Command::Machine(machine::Command::Leave { machine }) => !survives_without(world, *machine),
        _ => false,
    }
}

/// Whether those who decide, and those who are about to, are most of them still there without a host:
/// a fleet that has lost most of its voters for good has to be recovered.
pub(super) fn survives_without(world: &World, host: MachineId) -> bool {
    let decided = world.group.now();
    let stays = |id: &&MachineId| {
        **id != host && world.host_of(**id).is_some() && decided.machines.contains_key(*id)
    };
    let wanted = decided.fleet.as_ref().map(|fleet| fleet.voters.clone()).unwrap_or_default();
    let most = |of: &BTreeSet<MachineId>| of.iter().filter(stays).count() * 2 > of.len();
    most(&world.group.members) && most(&wanted)
}

/// A backup takes the place of what was decided since. Whoever restores knows the newest that any
/// host has heard of.
fn restore(world: &mut World) {
    let position = world.group.position();
    // Not to before the fleet was formed.
    let first = position.saturating_sub(30).max(world.hosts.len());
    if first >= position {
        return;
    }
    let position = world.rng.random_range(first..position);
    let before = world.group.now().clone();
    // Who had other keys meanwhile may understand nothing of what was decided with the earlier ones.
    let keys = |of: &crate::core::decided::Decided| {
        let fleet = of.fleet.clone().unwrap();
        (fleet.signer_public.clone(), fleet.rotation.clone())
    };
    if world.group.history[position..].iter().any(|of| keys(of) != keys(&before)) {
        return;
    }
    let newest = world.hosts.iter().map(|host| host.set.index).max().unwrap_or(0);
    let kept = world.group.history.last().map_or(0, |decided| decided.index);
    let voters = |of: &crate::core::decided::Decided| of.fleet.clone().unwrap().voters.clone();
    let there = voters(&world.group.history[position]);
    let there = there.iter().filter(|id| world.host_of(**id).is_some()).count();
    // The one who restores also says who decides from then on; here it is who did.
    if there * 2 <= voters(&world.group.history[position]).len() {
        return;
    }
    world.say(format!("a backup of position {position} is restored"));
    world.group.restore(position, newest.max(kept));
    for host in &mut world.hosts {
        host.applied = 0;
    }
    let after = world.group.now().clone();
    world.check.restored(&before, &after);
    world.decided();
}

/// A set that the fleet has not signed, or not for this host, or not lately.
fn forge(world: &mut World, host: usize, other: usize) {
    static THIEF: OnceLock<String> = OnceLock::new();
    let seed = THIEF.get_or_init(|| Signer::generate().unwrap().0);
    let at = &world.hosts[host];
    let (life, machine, index) = (at.life, at.id, at.set.index);
    let signed = match world.rng.random_range(0..4) {
        0 => {
            let units = BTreeMap::new();
            let set =
                AssignmentSet { machine, index: index + 1000, units, ..AssignmentSet::default() };
            let payload = serde_json::to_string(&set).unwrap();
            Arc::new(Signer::read(seed).unwrap().sign(Purpose::AssignmentSet, payload))
        }
        1 => {
            let decided = world.group.now().clone();
            let id = world.hosts[other].id;
            world.sign(&decided, id)
        }
        2 => {
            let position = world.rng.random_range(1..=world.group.position());
            let decided = world.group.history[position].clone();
            world.sign(&decided, machine)
        }
        _ => {
            let decided = world.group.now().clone();
            let good = world.sign(&decided, machine);
            let payload = good.payload.replacen("\"index\":", "\"index\":9", 1);
            Arc::new(Signed { payload, signature: good.signature.clone() })
        }
    };
    world.say(format!("h{host} is offered a set that was not meant so"));
    world.plan(0, Happening::Offer { host, life, signed });
}

/// Everything is as it should be from now on.
pub(super) fn heal(world: &mut World) {
    world.say("everything is healed");
    (world.network.loss, world.network.twice, world.network.delay) = (0.0, 0.0, 5 * MS);
    (world.failing, world.ending) = (0.0, 0.0);
    world.network.cut.clear();
    world.slandered.clear();
    world.is_healed = true;
    for host in 0..world.hosts.len() {
        resume(world, host);
        world.hosts[host].disk_fails = false;
        power_on(world, host);
    }
}

/// Who is there and none of the fleet joins, as people would have it.
pub(super) fn join_all(world: &mut World) {
    if let (Some(leader), Some(command)) = (world.group.leader, super::client::newcomer(world)) {
        world.propose(leader, command, Proposer::Client);
    }
}
