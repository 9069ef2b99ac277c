//! When all is healed: one host leads, all know the same, every host obeys its newest set, every wanted
//! unit runs once, where it has its place, and nothing is left to decide.

use super::host::Fleetd;
use super::world::World;
use crate::core::cluster::is_template;
use crate::core::decided::Decided;
use crate::core::machine_id::MachineId;
use crate::core::tests::simulation::{converged, units};
use std::collections::BTreeSet;

/// What is not so yet.
pub(super) fn missing(world: &World) -> Option<String> {
    let Some(decided) = world.check.newest() else { return Some("nothing is decided".to_owned()) };
    let leaders: BTreeSet<Option<MachineId>> = world.fleetds.iter().map(leader).collect();
    let leaders: Vec<_> = leaders.into_iter().collect();
    let [Some(leader)] = leaders[..] else {
        let known = world.fleetds.iter().zip(0..).map(known);
        return Some(format!("leaders are {}", known.collect::<Vec<_>>().join("; ")));
    };
    of_fleet(world, &decided, leader)
        .or_else(|| of_hosts(world, &decided))
        .or_else(|| of_units(world, &decided, leader))
}

/// Whom the fleetd of a host takes for the leader.
fn leader(fleetd: &Fleetd) -> Option<MachineId> {
    let api = fleetd.api.as_ref()?;
    match &api.links {
        Some(links) => links.leader(&api.consensus),
        None => None,
    }
}

/// The same with what its part of the group knows.
fn known((fleetd, number): (&Fleetd, usize)) -> String {
    let Some(api) = &fleetd.api else { return format!("h{number}: it does not run") };
    let raft = api.consensus.raft().map(|raft| raft.metrics().borrow().clone());
    let raft = raft
        .map(|of| format!("{:?} in term {}, {}", of.state, of.current_term, of.membership_config));
    format!("h{number}: {:?} ({})", leader(fleetd), raft.unwrap_or_default())
}

fn of_fleet(world: &World, decided: &Decided, leader: MachineId) -> Option<String> {
    let fleet = decided.fleet.as_ref()?;
    if fleet.rotation.is_some() {
        return Some("a rotation of keys does not come to its end".to_owned());
    }
    let api = |id: MachineId| {
        let number = world.hosts.iter().position(|host| host.id == id)?;
        world.fleetds[number].api.as_ref()
    };
    for voter in &fleet.voters {
        let known = api(*voter).map_or(0, |api| api.consensus.decided().index);
        if known != decided.index {
            return Some(format!("voter {voter} knows of {known} and not of {}", decided.index));
        }
    }
    let consensus = &api(leader)?.consensus;
    let is_voter = |id: &MachineId| consensus.has_voter(*id) == fleet.voters.contains(id);
    let odd = decided.machines.keys().find(|id| !is_voter(id));
    odd.map(|id| format!("{id} is to be a voter and is none, or the other way round"))
}

fn of_hosts(world: &World, decided: &Decided) -> Option<String> {
    for (host, number) in world.hosts.iter().zip(0..) {
        if !decided.machines.contains_key(&host.id) {
            return Some(format!("h{number} is none of the fleet"));
        }
        let newest = decided.sets.get(&host.id).copied().unwrap_or(0);
        if host.set.index != newest {
            return Some(format!("h{number} obeys {} and not {newest}", host.set.index));
        }
        let set = decided.set(host.id);
        if let Some(wrong) = converged::of_host(&set, host) {
            return Some(format!("h{number}: {wrong}"));
        }
        let Some(api) = &world.fleetds[number].api else { continue };
        for (name, value) in decided.secrets_of(&set) {
            let value = data_encoding::BASE64.decode(value.0.as_bytes()).ok();
            let known = api.context.assignments.secret(&name);
            if known != Ok(value) {
                return Some(format!("h{number} does not know what {name} is now: {known:?}"));
            }
        }
    }
    None
}

/// Every wanted unit has a place, or the leader says that it has none.
fn of_units(world: &World, decided: &Decided, leader: MachineId) -> Option<String> {
    let number = world.hosts.iter().position(|host| host.id == leader)?;
    let settled = world.fleetds[number].api.as_ref()?.settled.borrow().clone();
    if settled.index != decided.index {
        return Some(format!("the leader is at {} and not at {}", settled.index, decided.index));
    }
    for (name, entry) in &decided.units {
        let has_place = decided.places.contains_key(name);
        let wanted = entry.wants_place() && !is_template(name);
        let unplaced = settled.unplaced.iter().any(|one| one.unit == *name);
        if wanted && !has_place && !units::is_global(name) && !unplaced {
            return Some(format!("{name} has no place, and nobody says why"));
        }
        if !wanted && has_place {
            return Some(format!("{name} is not wanted, and has a place"));
        }
        if entry.destroyed {
            return Some(format!("{name} was destroyed, and is there"));
        }
    }
    None
}
