//! A unit that changes its host ends on the old one before it has a place on the new one: nothing of
//! it runs twice, unless its host cannot be asked.

use super::Observed;
use crate::core::decided::{Command, Place, place};
use crate::core::machine_id::MachineId;
use crate::core::schedule::{Cause, Change};

/// Whether a unit waits until it has ended where it was.
pub(super) fn is_leaving(places: &[Place]) -> bool {
    places.iter().any(|place| place.leaving)
}

/// Whether a unit stays until another host takes it: from a host that is to be emptied it goes only
/// to one that there is.
pub(super) fn waits_for_a_host(change: &Change) -> bool {
    matches!(change, Change::Unassign { cause: Cause::Draining, .. })
}

/// The first half of a move, if it has two; none: nothing of the unit is there.
pub(super) fn first_half(change: &Change, observed: &Observed) -> Option<Command> {
    let Change::Move { unit, from, .. } = change else { return None };
    let machine: MachineId = from.parse().ok()?;
    let seen = observed.machines.get(&machine)?;
    if !seen.alive || !seen.runs.contains(unit) {
        return None;
    }
    Some(place::Command::Leave { unit: unit.clone(), machine }.into())
}
