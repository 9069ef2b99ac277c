//! What the scheduler is told, from what was decided and what is observed.

use super::{Observed, Seen};
use crate::core::decided::{Decided, Entry, Machine};
use crate::core::schedule::{Assignment, Fleet, Host, Unit};

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
        let wanted = entry.wants_place();
        // What is not wanted keeps what it has until it has ended, and gets nothing else.
        let held = (!wanted).then(|| places.first().map(|place| place.machine)).flatten();
        if !wanted && held.is_none() {
            continue;
        }
        let mut unit = asks(name, entry);
        if let Some(machine) = held {
            unit.machine_id = Some(machine.to_string());
            unit.global = false;
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
        alive: seen.alive,
        silent: seen.facts.is_none(),
        cordoned: machine.cordoned,
        draining: machine.draining,
        keeps: !seen.lost,
    }
}
