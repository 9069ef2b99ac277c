//! What would come of commands: decided on a copy, until nothing is left to decide.
//!
//! Hosts are taken to do what they are told: one that lives obeys its newest set and ends what that
//! does not want. One that is dead or silent stays as it is seen. What is about to happen anyway is
//! no part of the answer: both ends are looked at, with the commands and without them.

use super::{Files, Observed, next};
use crate::core::decided::{Command, Decided, Entry, Place, Refusal, changed};
use crate::core::machine_id::MachineId;
use crate::core::schedule::{Change, Options, Unplaced};
use fleetd_api::DesiredState;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A fleet rests after a few rounds; one that does not has a fault, which no loop would end.
const ROUNDS: usize = 100;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Forecast {
    /// Units that would be other than they are.
    pub units: BTreeMap<String, Outlook>,
    /// Those that would be without a place and are not without one now, or have been changed.
    pub unplaced: Vec<Unplaced>,
}

/// What would become of one unit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outlook {
    /// None: it is not there, or on its way out.
    pub before: Option<Arc<Entry>>,
    pub after: Option<Arc<Entry>>,
    pub steps: Vec<Step>,
}

/// What would happen to it on hosts. The reasons are sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Add { to: MachineId, reasons: Vec<String> },
    Remove { from: MachineId, reasons: Vec<String> },
    Move { from: MachineId, to: MachineId, reasons: Vec<String> },
    Restart { on: MachineId },
    Start { on: MachineId },
    Stop { on: MachineId },
}

/// Why there is no forecast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// As it would be in earnest.
    Refused(Refusal),
    /// After as many rounds.
    Restless(usize),
}

pub fn forecast(
    decided: &Decided,
    observed: &Observed,
    options: Options,
    files: &mut impl Files,
    commands: Vec<Command>,
) -> Result<Forecast, Failure> {
    let before = settle(decided.clone(), observed, options, files)?;
    let mut changed_copy = decided.clone();
    changed_copy.apply(&Command::All(commands)).map_err(Failure::Refused)?;
    let asked = changed(&decided.units, &changed_copy.units);
    let after = settle(changed_copy, observed, options, files)?;
    let mut names = changed(&before.decided.units, &after.decided.units);
    names.extend(changed(&before.decided.places, &after.decided.places));
    let outlook = |unit: String| {
        let outlook = Outlook {
            before: entry(&before.decided, &unit),
            after: entry(&after.decided, &unit),
            steps: steps(&before.decided, &after, observed, &unit),
        };
        (unit, outlook)
    };
    let was_unplaced: BTreeSet<&str> = before.unplaced.iter().map(|u| u.unit.as_str()).collect();
    let is_asked = |unit: &String| {
        let template = after.decided.units.get(unit).and_then(|entry| entry.made_from.as_ref());
        asked.contains(unit) || template.is_some_and(|template| asked.contains(template))
    };
    let is_news = |u: &Unplaced| !was_unplaced.contains(&*u.unit) || is_asked(&u.unit);
    let units = names.into_iter().map(outlook).collect();
    Ok(Forecast {
        units,
        unplaced: after.unplaced.iter().filter(|u| is_news(u)).cloned().collect(),
    })
}

/// Where nothing is left to decide.
struct Rest {
    decided: Decided,
    unplaced: Vec<Unplaced>,
    /// Why a unit lost a place, by unit and host: the first time.
    causes: BTreeMap<(String, String), String>,
}

fn settle(
    mut decided: Decided,
    observed: &Observed,
    options: Options,
    files: &mut impl Files,
) -> Result<Rest, Failure> {
    let mut observed = observed.clone();
    let mut causes = BTreeMap::new();
    for _ in 0..ROUNDS {
        obey(&decided, &mut observed);
        let next = next(&decided, &observed, options, files);
        if next.commands.is_empty() {
            return Ok(Rest { decided, unplaced: next.unplaced, causes });
        }
        for change in next.changes {
            if let Change::Move { unit, from, cause, .. } | Change::Unassign { unit, from, cause } =
                change
            {
                causes.entry((unit, from)).or_insert_with(|| cause.to_string());
            }
        }
        decided.apply(&Command::All(next.commands)).map_err(Failure::Refused)?;
    }
    Err(Failure::Restless(ROUNDS))
}

/// Hosts that live have done what was decided.
fn obey(decided: &Decided, observed: &mut Observed) {
    for (machine, seen) in observed.machines.iter_mut().filter(|(_, seen)| seen.alive) {
        seen.obeys = decided.sets.get(machine).copied().unwrap_or(0).max(seen.obeys);
        seen.kept = seen.obeys.max(seen.kept);
        let runs = |unit: &String| {
            let places = decided.places.get(unit).map(|places| places.as_slice());
            let stays = |place: &Place| place.machine == *machine && !place.leaving;
            let entry = decided.units.get(unit);
            places.unwrap_or_default().iter().any(stays)
                && entry.is_some_and(|entry| entry.desired == DesiredState::Launched)
        };
        seen.runs.retain(runs);
    }
}

fn entry(decided: &Decided, unit: &str) -> Option<Arc<Entry>> {
    decided.units.get(unit).filter(|entry| !entry.destroyed).cloned()
}

fn steps(before: &Decided, after: &Rest, observed: &Observed, unit: &str) -> Vec<Step> {
    let places = |of: &Decided| of.places.get(unit).cloned().unwrap_or_default();
    let (old, new) = (places(before), places(&after.decided));
    let has = |places: &[Place], machine| places.iter().any(|place| place.machine == machine);
    let gone: Vec<&Place> = old.iter().filter(|place| !has(&new, place.machine)).collect();
    let come: Vec<&Place> = new.iter().filter(|place| !has(&old, place.machine)).collect();
    let why = |place: &Place| {
        let cause = after.causes.get(&(unit.to_owned(), place.machine.to_string()));
        cause.cloned().into_iter().collect()
    };
    if let ([from], [to]) = (&*gone, &*come) {
        return vec![Step::Move { from: from.machine, to: to.machine, reasons: why(from) }];
    }
    let mut steps: Vec<Step> = Vec::new();
    let removed = |place: &&Place| Step::Remove { from: place.machine, reasons: why(place) };
    let added = |place: &&Place| Step::Add { to: place.machine, reasons: place.reasons.clone() };
    steps.extend(gone.iter().map(removed));
    steps.extend(come.iter().map(added));
    if let (Some(was), Some(is)) = (entry(before, unit), entry(&after.decided, unit)) {
        let stay = new.iter().filter(|place| has(&old, place.machine));
        steps.extend(stay.filter_map(|place| in_place(&was, &is, observed, place.machine, unit)));
    }
    steps
}

/// What happens to a unit that stays where it is.
fn in_place(
    was: &Entry,
    is: &Entry,
    observed: &Observed,
    on: MachineId,
    unit: &str,
) -> Option<Step> {
    use DesiredState::Launched;
    // One that has ended, or failed, is woken by a start.
    let idle = || {
        let seen = observed.machines.get(&on);
        seen.is_some_and(|seen| seen.alive && seen.facts.is_some() && !seen.runs.contains(unit))
    };
    match (was.desired == Launched, is.desired == Launched) {
        (true, false) => Some(Step::Stop { on }),
        (false, true) => Some(Step::Start { on }),
        (true, true) if is.start > was.start && idle() => Some(Step::Start { on }),
        (true, true) if is.restart > was.restart => Some(Step::Restart { on }),
        _ => None,
    }
}

#[cfg(test)]
#[path = "forecast_tests.rs"]
mod tests;
