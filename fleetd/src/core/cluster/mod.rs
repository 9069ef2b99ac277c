//! What the leader decides by itself: places for units, and the end of what was destroyed.
//!
//! A pure function of what was decided and what is observed. It gives commands that make the one
//! fit the other, and says which units have no place.

mod fleet;
mod forecast;
mod moves;
mod read;
mod rebalance;
mod replicas;
mod rotation;
mod voters;

use crate::core::decided::{Command, Decided, Entry, GENERATION, place, unit};
use crate::core::disk::Disk;
use crate::core::machine_id::MachineId;
use crate::core::schedule::{self, Change, Options, Resources, Unplaced};
use crate::pki::Fingerprint;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use forecast::{Failure, Forecast, Outlook, Step, forecast};
pub use read::Read;
pub use rebalance::{Balance, Gain, rebalance};
pub use replicas::is_template;
pub use rotation::waits_for as rotation_waits_for;
pub use voters::{have_room, keeps_majority, voters};

/// What is known of the hosts. Those that are not in it are silent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    pub machines: BTreeMap<MachineId, Seen>,
}

/// One host, as it is seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    pub alive: bool,
    /// It has been dead for longer than its units are left to it.
    pub lost: bool,
    /// None: it has not said yet.
    pub facts: Option<Facts>,
    /// The set that it has taken over; that it would still know after a death; and units of which
    /// something is alive there.
    pub obeys: u64,
    pub kept: u64,
    pub runs: BTreeSet<String>,
    /// Names of images that it holds, in Docker's short form; none: it does not say.
    pub images: Option<Arc<BTreeSet<String>>>,
    /// Of the certificate that it shows.
    pub authority: Option<Fingerprint>,
}

impl Seen {
    /// Whether the host goes by its newest set, and would after a death. One that goes by a set of a
    /// later generation knows nothing of what was decided here since.
    pub(super) fn is_told(&self, decided: &Decided, machine: MachineId) -> bool {
        let newest = decided.sets.get(&machine).copied().unwrap_or(0);
        let is_later = self.obeys / GENERATION > decided.index / GENERATION;
        !is_later && self.obeys >= newest && self.kept >= newest
    }
}

/// What a host says about itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    pub metadata: BTreeMap<String, String>,
    pub capacity: Resources,
    pub reserved: Resources,
    pub devices: BTreeSet<String>,
    pub volumes: BTreeSet<String>,
    pub disk: Disk,
}

impl Seen {
    /// As far as it has said.
    pub fn disk(&self) -> Disk {
        self.facts.as_ref().map_or(Disk::Room, |facts| facts.disk)
    }
}

/// What is to be decided next.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Next {
    /// Together, or not at all.
    pub commands: Vec<Command>,
    /// What of places is behind them, with the causes.
    pub changes: Vec<Change>,
    pub unplaced: Vec<Unplaced>,
}

/// What the file of a unit says.
pub trait Files {
    /// What it asks of its host.
    fn asks(&mut self, name: &str, entry: &Entry) -> schedule::Unit;
    /// Of a template: how many instances.
    fn replicas(&mut self, name: &str, entry: &Entry) -> Option<u32>;
}

pub fn next(
    decided: &Decided,
    observed: &Observed,
    options: Options,
    files: &mut impl Files,
) -> Next {
    let instances = replicas::instances(decided, &mut |name, entry| files.replicas(name, entry));
    if !instances.is_empty() {
        // They get their places with the next look.
        let commands = instances.into_iter().map(Command::from).collect();
        return Next { commands, ..Next::default() };
    }
    let asks = &mut |name: &str, entry: &Entry| files.asks(name, entry);
    let fleet = fleet::fleet(decided, observed, asks);
    let mut plan = schedule::place(&fleet, options);
    // Who goes and when is said below.
    let wanted = |unit: &str| decided.units.get(unit).is_none_or(|entry| entry.wants_place());
    // One that is everywhere may run twice, and goes nowhere else.
    let is_global = |unit: &str| fleet.units.get(unit).is_some_and(|unit| unit.global);
    let waits = |change: &Change| moves::waits_for_a_host(change) && !is_global(change.unit());
    plan.changes.retain(|change| wanted(change.unit()) && !waits(change));
    plan.unplaced.retain(|unplaced| wanted(&unplaced.unit));
    let mut commands = Vec::new();
    for change in &plan.changes {
        let is_global = is_global(change.unit());
        let first = moves::first_half(change, decided, observed).filter(|_| !is_global);
        match first {
            Some(first) => commands.push(first),
            None => commands.extend(assigned(change, &fleet)),
        }
    }
    commands.extend(ended(decided, observed));
    commands.extend(rotation::advance(decided, observed).map(Command::from));
    // What is there with less than it asks for now has room for that, or it would have lost its place.
    commands.extend(grown(decided, &fleet, &plan.changes));
    Next { commands, changes: plan.changes, unplaced: plan.unplaced }
}

/// Why a unit is where it is, or what keeps it from having a place. None: there is no such unit.
pub fn why(
    decided: &Decided,
    observed: &Observed,
    options: Options,
    files: &mut impl Files,
    unit: &str,
) -> Option<(schedule::Why, Option<Unplaced>)> {
    let asks = &mut |name: &str, entry: &Entry| files.asks(name, entry);
    let entry = decided.units.get(unit)?;
    let mut fleet = fleet::fleet(decided, observed, asks);
    // Of one that is not wanted it is said where it would go.
    fleet.units.insert(unit.to_owned(), asks(unit, entry));
    let plan = schedule::place(&fleet, options);
    let unplaced = plan.unplaced.into_iter().find(|unplaced| unplaced.unit == unit);
    schedule::why(&fleet, options, unit).map(|why| (why, unplaced))
}

fn assigned(change: &Change, fleet: &schedule::Fleet) -> Vec<Command> {
    let reasons = change.reasons();
    let granted = |unit: &str| fleet.units.get(unit).map(|unit| unit.requests).unwrap_or_default();
    let assign = |unit: &str, host: &str| {
        let machine = host.parse().ok()?;
        let (granted, unit) = (granted(unit), unit.to_owned());
        Some(place::Command::Assign { unit, machine, granted, reasons: reasons.clone() }.into())
    };
    let unassign = |unit: &str, host: &str| {
        let (unit, machine) = (unit.to_owned(), host.parse().ok()?);
        Some(place::Command::Unassign { unit, machine }.into())
    };
    match change {
        Change::Assign { unit, to } => assign(unit, &to.host).into_iter().collect(),
        Change::Move { unit, from, to, .. } => {
            unassign(unit, from).into_iter().chain(assign(unit, &to.host)).collect()
        }
        Change::Unassign { unit, from, .. } => unassign(unit, from).into_iter().collect(),
    }
}

/// Units that are not wanted any more, or not there, and of which nothing runs: their hosts have obeyed.
fn ended(decided: &Decided, observed: &Observed) -> Vec<Command> {
    let mut commands = Vec::new();
    for (name, entry) in &decided.units {
        let places = decided.places.get(name).map(|places| places.as_slice()).unwrap_or_default();
        let wanted = entry.wants_place();
        if wanted && !moves::is_leaving(places) {
            continue;
        }
        let ends = |place: &&place::Place| !wanted || place.leaving;
        let (gone, there): (Vec<_>, Vec<_>) = places
            .iter()
            .filter(ends)
            .partition(|place| moves::has_ended(decided, observed, place.machine, name));
        if entry.destroyed && there.is_empty() {
            commands.push(unit::Command::Remove { unit: name.clone() }.into());
        } else {
            commands.extend(gone.into_iter().map(|place| {
                let (unit, machine) = (name.clone(), place.machine);
                place::Command::Unassign { unit, machine }.into()
            }));
        }
    }
    commands
}

fn grown(decided: &Decided, fleet: &schedule::Fleet, changes: &[Change]) -> Vec<Command> {
    let moved: BTreeSet<&str> = changes.iter().map(Change::unit).collect();
    let mut commands = Vec::new();
    let stays = |name: &str| {
        !moved.contains(name) && decided.units.get(name).is_some_and(|entry| entry.wants_place())
    };
    for (name, unit) in fleet.units.iter().filter(|(name, _)| stays(name)) {
        let places = decided.places.get(name).map(|places| places.as_slice()).unwrap_or_default();
        for place in places.iter().filter(|place| place.granted != unit.requests) {
            let (unit, machine, granted) = (name.clone(), place.machine, unit.requests);
            let reasons = Vec::new();
            commands.push(place::Command::Assign { unit, machine, granted, reasons }.into());
        }
    }
    commands
}

#[cfg(test)]
mod tests;
