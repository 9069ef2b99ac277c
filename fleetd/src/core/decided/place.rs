//! Which unit has its place on which host.

use super::{Decided, Outcome, Refusal};
use crate::core::machine_id::MachineId;
use crate::core::schedule::Resources;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A unit's place on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub machine: MachineId,
    /// The index with which it was given: of two places of a unit the greater is the newer.
    pub epoch: u64,
    /// It is to end there; then the unit has a place elsewhere, if one is found.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
    /// What the unit asked for then.
    #[serde(default)]
    pub granted: Resources,
    /// Why this host, a sentence each.
    #[serde(default)]
    pub reasons: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    Assign {
        unit: String,
        machine: MachineId,
        #[serde(default)]
        granted: Resources,
        #[serde(default)]
        reasons: Vec<String>,
    },
    /// It ends there first.
    Leave {
        unit: String,
        machine: MachineId,
    },
    Unassign {
        unit: String,
        machine: MachineId,
    },
}

pub(super) fn apply(decided: &mut Decided, command: &Command) -> Result<Outcome, Refusal> {
    match command {
        Command::Assign { unit, machine, granted, reasons } => {
            if !decided.units.contains_key(unit) {
                return Err(Refusal::Unknown { unit: unit.clone() });
            }
            if !decided.machines.contains_key(machine) {
                return Err(Refusal::UnknownMachine { machine: *machine });
            }
            let mut places = of(decided, unit);
            let (machine, epoch, reasons) = (*machine, decided.index, reasons.clone());
            let place = Place { machine, epoch, leaving: false, granted: *granted, reasons };
            match places.binary_search_by_key(&machine, |place| place.machine) {
                // Where it is already only what it was granted can be another.
                Ok(at) if places[at].granted == *granted => return Ok(Outcome::Same),
                Ok(at) => places[at].granted = *granted,
                Err(at) => places.insert(at, place),
            }
            decided.places.insert(unit.clone(), Arc::new(places));
            Ok(Outcome::Changed)
        }
        Command::Leave { unit, machine } => {
            let mut places = of(decided, unit);
            let mut staying = places.iter_mut().filter(|place| !place.leaving);
            let Some(place) = staying.find(|place| place.machine == *machine) else {
                return Ok(Outcome::Same);
            };
            place.leaving = true;
            put(decided, unit, places);
            Ok(Outcome::Changed)
        }
        Command::Unassign { unit, machine } => {
            let mut places = of(decided, unit);
            let before = places.len();
            places.retain(|place| place.machine != *machine);
            if places.len() == before {
                return Ok(Outcome::Same);
            }
            put(decided, unit, places);
            Ok(Outcome::Changed)
        }
    }
}

/// Nothing has its place there any more.
pub(super) fn leave(decided: &mut Decided, machine: MachineId) {
    let is_there = |place: &Place| place.machine == machine;
    let there = decided.places.iter().filter(|(_, places)| places.iter().any(is_there));
    let units: Vec<String> = there.map(|(unit, _)| unit.clone()).collect();
    for unit in units {
        let mut places = of(decided, &unit);
        places.retain(|place| place.machine != machine);
        put(decided, &unit, places);
    }
}

fn of(decided: &Decided, unit: &str) -> Vec<Place> {
    decided.places.get(unit).map(|places| places.as_ref().clone()).unwrap_or_default()
}

fn put(decided: &mut Decided, unit: &str, places: Vec<Place>) {
    if places.is_empty() {
        decided.places.remove(unit);
    } else {
        decided.places.insert(unit.to_owned(), Arc::new(places));
    }
}
