//! A unit that changes its host ends on the old one before it has a place on the new one: nothing of
//! it runs twice, unless its host cannot be asked.

use super::Observed;
use crate::core::decided::{Command, Decided, Place, place};
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

/// The first half of a move, if it has two; none: its host cannot be asked. That nothing of the unit
/// is there now says nothing: it may begin in the next moment, the first time or after a failure.
/// A unit that loses its place to others ends there first, too: it may have another one soon.
pub(super) fn first_half(
    change: &Change,
    decided: &Decided,
    observed: &Observed,
) -> Option<Command> {
    let (Change::Move { unit, from, .. } | Change::Unassign { unit, from, .. }) = change else {
        return None;
    };
    let machine: MachineId = from.parse().ok()?;
    let is_lost = observed.machines.get(&machine).is_some_and(|seen| seen.lost);
    let can_be_asked = decided.machines.contains_key(&machine) && !is_lost;
    can_be_asked.then(|| place::Command::Leave { unit: unit.clone(), machine }.into())
}

/// Whether nothing of a unit that is to end on a host is there any more, and nothing will be: the host
/// obeys the set that says so, and has it on disk, where an older one would let the unit begin again
/// when fleetd starts. Or it is lost, and cannot be asked.
pub(super) fn has_ended(
    decided: &Decided,
    observed: &Observed,
    machine: MachineId,
    unit: &str,
) -> bool {
    observed.machines.get(&machine).is_some_and(|seen| {
        seen.lost || (seen.is_told(decided, machine) && !seen.runs.contains(unit))
    })
}
