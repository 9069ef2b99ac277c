//! Moves that make a fleet better which has nothing else to do. A move is a restart, so it is made
//! only where somebody asks for it, and a unit moves as it does from a host that is emptied: it ends
//! there, and gets its next place by the ordinary rules.

use super::{Files, Observed, fleet, next};
use crate::core::decided::{Command, Decided, place};
use crate::core::machine_id::MachineId;
use crate::core::schedule::{self, Cause, Change, Limits, Load, Options, Resources};
use fleetd_api::DesiredState;
use std::collections::BTreeMap;

/// What a rebalance would do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Balance {
    /// The greatest gain first.
    pub moves: Vec<Gain>,
    /// Of each host what units share there, and what they ask for without the moves and with them.
    pub hosts: BTreeMap<MachineId, (Resources, Load, Load)>,
}

/// One unit is better off on another host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gain {
    pub unit: String,
    pub from: MachineId,
    pub to: MachineId,
    /// By so many points of [`schedule::Score`].
    pub points: i64,
}

impl Gain {
    /// The first half of the move; the other one follows when the unit has ended.
    pub fn command(&self) -> Command {
        place::Command::Leave { unit: self.unit.clone(), machine: self.from }.into()
    }
}

/// Err: the fleet is not at rest, and one of the units that are on their way.
pub fn rebalance(
    decided: &Decided,
    observed: &Observed,
    options: Options,
    files: &mut impl Files,
    limits: Limits,
) -> Result<Balance, String> {
    rests(decided, observed, options, files)?;
    let asks = &mut |name: &str, entry: &_| files.asks(name, entry);
    let mut fleet = fleet::fleet(decided, observed, asks);
    for (name, unit) in &mut fleet.units {
        // Who does not run has nothing to gain, and its next start may be elsewhere anyway.
        unit.stays |= !runs(decided, observed, name);
    }
    let moves = schedule::rebalance(&fleet, options, limits);
    let (before, after) = (schedule::loads(&fleet, &[]), schedule::loads(&fleet, &moves));
    let hosts = fleet.hosts.iter().filter_map(|(id, host)| {
        let load = |loads: &BTreeMap<String, Load>| loads.get(id).copied().unwrap_or_default();
        Some((id.parse().ok()?, (free(host), load(&before), load(&after))))
    });
    Ok(Balance { moves: moves.iter().filter_map(gain).collect(), hosts: hosts.collect() })
}

/// While a unit is between two hosts its room on either of them is nobody's.
fn rests(
    decided: &Decided,
    observed: &Observed,
    options: Options,
    files: &mut impl Files,
) -> Result<(), String> {
    let leaving = decided.places.iter().find(|(_, places)| places.iter().any(|p| p.leaving));
    if let Some((unit, _)) = leaving {
        return Err(unit.clone());
    }
    let next = next(decided, observed, options, files);
    let unit = next.commands.iter().find_map(|command| match command {
        Command::Place(
            place::Command::Assign { unit, .. }
            | place::Command::Leave { unit, .. }
            | place::Command::Unassign { unit, .. },
        ) => Some(unit.clone()),
        Command::Unit(command) => Some(command.unit().to_owned()),
        _ => None,
    });
    unit.map_or(Ok(()), Err)
}

fn runs(decided: &Decided, observed: &Observed, unit: &str) -> bool {
    let wanted = decided.units.get(unit).is_some_and(|e| e.desired == DesiredState::Launched);
    let places = decided.places.get(unit).map(|places| places.as_slice()).unwrap_or_default();
    let there = |place: &place::Place| {
        observed.machines.get(&place.machine).is_some_and(|seen| seen.runs.contains(unit))
    };
    wanted && places.iter().any(there)
}

fn free(host: &schedule::Host) -> Resources {
    let (all, kept) = (host.capacity, host.reserved);
    Resources {
        cpu: all.cpu.saturating_sub(kept.cpu),
        memory: all.memory.saturating_sub(kept.memory),
        tasks: all.tasks.saturating_sub(kept.tasks),
    }
}

fn gain(change: &Change) -> Option<Gain> {
    let Change::Move { unit, from, to, cause: Cause::Better { points } } = change else {
        return None;
    };
    let (from, to) = (from.parse().ok()?, to.host.parse().ok()?);
    Some(Gain { unit: unit.clone(), from, to, points: *points })
}

#[cfg(test)]
#[path = "rebalance_tests.rs"]
mod tests;
