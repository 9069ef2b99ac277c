//! What people ask of the fleet.

use super::group::{Proposer, join, rotate};
use super::units;
use super::world::World;
use crate::core::cluster;
use crate::core::decided::{Command, machine, unit};
use crate::core::machine_id::MachineId;
use fleetd_api::DesiredState;
use rand::RngExt as _;
use std::collections::BTreeMap;

/// Asks something of the leader, if there is one.
pub(super) fn act(world: &mut World) {
    let Some(leader) = world.group.leader else { return };
    let command = match world.rng.random_range(0..13) {
        0..9 => of_unit(world),
        9 => of_machine(world),
        10 => describe(world),
        11 => rotate(world.group.now()),
        _ => remove(world, leader),
    };
    if let Some(command) = command.or_else(|| newcomer(world)) {
        world.propose(leader, command, Proposer::Client);
    }
}

fn of_unit(world: &mut World) -> Option<Command> {
    let names: Vec<&str> = units::names().collect();
    let unit = names[world.rng.random_range(0..names.len())].to_owned();
    let desired = [DesiredState::Launched, DesiredState::Loaded, DesiredState::Inactive];
    let desired = desired[[0, 0, 0, 1, 2][world.rng.random_range(0..5)]];
    let command = match world.rng.random_range(0..10) {
        0..4 => {
            let file = units::of(&unit, world.rng.random_bool(0.5));
            let desired = world.rng.random_bool(0.8).then_some(desired);
            let (text, hash) = (file.text.clone(), file.hash.clone());
            let (drop_ins, replace) = (BTreeMap::new(), world.rng.random_bool(0.8));
            unit::Command::Submit {
                unit,
                text,
                drop_ins,
                hash,
                replace,
                desired,
                made_from: None,
                secrets: Default::default(),
            }
        }
        4..7 => unit::Command::Desire { unit, desired },
        7 => unit::Command::Restart { unit },
        8 => unit::Command::Destroy { unit },
        _ => {
            let (unit, replicas) = ("web@.container".to_owned(), world.rng.random_range(0..5));
            unit::Command::Scale { unit, replicas }
        }
    };
    Some(command.into())
}

fn any(world: &mut World) -> MachineId {
    let ids: Vec<_> = world.group.now().machines.keys().copied().collect();
    ids[world.rng.random_range(0..ids.len())]
}

fn of_machine(world: &mut World) -> Option<Command> {
    let machine = any(world);
    let on = world.rng.random_bool(0.4);
    let command = match world.rng.random_bool(0.5) {
        true => machine::Command::Cordon { machine, cordoned: on },
        false => machine::Command::Drain { machine, draining: on },
    };
    Some(command.into())
}

fn describe(world: &mut World) -> Option<Command> {
    let machine = any(world);
    let value = ["a", "b"][world.rng.random_range(0..2)].to_owned();
    let value = world.rng.random_bool(0.7).then_some(value);
    Some(machine::Command::Describe { machine, key: "zone".to_owned(), value }.into())
}

/// The one that leads cannot be removed, nor one without which nobody could decide.
fn remove(world: &mut World, leader: usize) -> Option<Command> {
    let (decided, machine) = (world.group.now().clone(), any(world));
    let observed = world.observe(leader, &decided);
    let leads = machine == world.hosts[leader].id;
    if leads || !cluster::keeps_majority(&decided, &observed, machine) {
        return None;
    }
    Some(machine::Command::Leave { machine }.into())
}

/// A host that has lost its data joins as another one.
pub(super) fn newcomer(world: &World) -> Option<Command> {
    let decided = world.group.now();
    let revoked = decided.fleet.as_ref().map(|fleet| &fleet.revoked);
    let is_new = |id: &MachineId| {
        !decided.machines.contains_key(id) && revoked.is_none_or(|list| !list.has_host(id))
    };
    let new = world.hosts.iter().find(|host| host.is_up() && is_new(&host.id));
    new.map(|host| join(host.id))
}
