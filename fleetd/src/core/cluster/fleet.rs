//! What the scheduler is told, from what was decided and what is observed.

use super::moves::is_leaving;
use super::replicas::is_template;
use super::{Observed, Seen};
use crate::core::decided::{Decided, Entry, Machine, Place};
use crate::core::schedule::{Assignment, Fleet, Host, Resources, Unit};
use fleetd_api::DesiredState;

pub(super) fn fleet(
    decided: &Decided,
    observed: &Observed,
    asks: &mut impl FnMut(&str, &Entry) -> Unit,
) -> Fleet {
    let silent = Seen { alive: true, ..Seen::default() };
    let hosts = decided.machines.iter().map(|(id, machine)| {
        let seen = observed.machines.get(id).unwrap_or(&silent);
        (id.to_string(), host(machine, seen))
    });
    let mut fleet = Fleet { hosts: hosts.collect(), ..Fleet::default() };
    for (name, entry) in &decided.units {
        let places = decided.places.get(name).map(|places| places.as_slice()).unwrap_or_default();
        let wanted = entry.wants_place() && !is_template(name);
        // What is not wanted keeps what it has until it has ended, and gets nothing else.
        let held = (!wanted).then(|| places.first().map(|place| place.machine)).flatten();
        if !wanted && held.is_none() {
            continue;
        }
        if wanted && is_leaving(places) {
            continue;
        }
        let mut unit = asks(name, entry);
        // What is stopped and stays loaded takes nothing from the others.
        if entry.desired == DesiredState::Loaded && !may_run(observed, name, places) {
            (unit.ports, unit.requests) = (Vec::new(), Resources::default());
        }
        if let Some(machine) = held {
            unit.machine_id = Some(machine.to_string());
            unit.global = false;
            // Nobody can take from it what it still has.
            unit.priority = i32::MAX;
        }
        fleet.units.insert(name.clone(), unit);
        fleet.assignments.extend(places.iter().map(|place| Assignment {
            unit: name.clone(),
            host: place.machine.to_string(),
            epoch: place.epoch,
            granted: place.granted,
        }));
    }
    fleet
}

/// Whether something of the unit is there, as far as is known.
fn may_run(observed: &Observed, unit: &str, places: &[Place]) -> bool {
    places.iter().any(|place| match observed.machines.get(&place.machine) {
        Some(seen) => seen.facts.is_none() || seen.runs.contains(unit),
        None => true,
    })
}

fn host(machine: &Machine, seen: &Seen) -> Host {
    let facts = seen.facts.clone().unwrap_or_default();
    let mut metadata = facts.metadata;
    metadata.extend(machine.metadata.clone());
    Host {
        metadata,
        capacity: facts.capacity,
        reserved: facts.reserved,
        devices: facts.devices,
        volumes: facts.volumes,
        images: seen.images.clone(),
        alive: seen.alive,
        silent: seen.facts.is_none(),
        full: facts.disk.is_full(),
        cordoned: machine.cordoned,
        draining: machine.draining,
        // A dead one keeps them until it is lost, whatever else is decided about it.
        keeps: !(seen.lost || machine.draining && seen.alive),
    }
}
