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

/// The first half of a move, if it has two; none: nothing of the unit can be there. A unit that loses
/// its place to others ends there first, too: it may have another one a moment later.
pub(super) fn first_half(
    change: &Change,
    decided: &Decided,
    observed: &Observed,
) -> Option<Command> {
    let (Change::Move { unit, from, .. } | Change::Unassign { unit, from, .. }) = change else {
        return None;
    };
    let machine: MachineId = from.parse().ok()?;
    let may_run =
        decided.machines.contains_key(&machine) && !has_ended(decided, observed, machine, unit);
    may_run.then(|| place::Command::Leave { unit: unit.clone(), machine }.into())
}

/// Whether nothing of a unit is on a host, and nothing will be by what the host knows; or the host is
/// lost and cannot be asked. What it said before it has the newest set counts for nothing: it may begin
/// right now.
pub(super) fn has_ended(
    decided: &Decided,
    observed: &Observed,
    machine: MachineId,
    unit: &str,
) -> bool {
    let newest = decided.sets.get(&machine).copied().unwrap_or(0);
    observed
        .machines
        .get(&machine)
        .is_some_and(|seen| seen.lost || (seen.obeys >= newest && !seen.runs.contains(unit)))
}
