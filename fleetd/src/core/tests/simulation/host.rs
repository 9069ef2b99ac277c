//! One simulated host: its disk, its containers, and its fleetd, which decides about its units by the
//! same rules as the agent.

use super::units;
use super::world::Happening;
use crate::core::cluster::Facts;
use crate::core::decided::set::Assigned;
use crate::core::decided::{AssignmentSet, Entry};
use crate::core::gossip::Version;
use crate::core::machine_id::MachineId;
use crate::core::obey::{self, Wish};
use crate::core::reconcile::{Action, Life, Seen, StartError, Want};
use crate::core::schedule::Resources;
use crate::core::unit::container::Service;
use fleetd_api::{DesiredState, ExitReason};
use rand::RngExt as _;
use rand::rngs::StdRng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Microseconds.
pub(crate) type Time = u64;
pub(crate) const MS: Time = 1000;
pub(crate) const SECOND: Time = 1_000_000;

/// A container: it lives without a fleetd, and does not survive the power.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    pub(crate) unit: String,
    /// As whose it was started: a host that lost its data has another id.
    pub(crate) owner: MachineId,
    pub(crate) order: u64,
    pub(crate) since: Time,
    pub(crate) ready: bool,
    pub(crate) is_asked: bool,
    pub(crate) ended: Option<(ExitReason, Time)>,
}

/// What a host says of itself by gossip.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) version: Version,
    pub(crate) obeys: u64,
    pub(crate) kept: u64,
    pub(crate) runs: BTreeSet<String>,
    pub(crate) facts: Facts,
}

#[derive(Default)]
pub(crate) struct Unit {
    pub(crate) life: Life,
    pub(crate) run: Option<Run>,
    /// Hash and content of its file.
    pub(crate) file: Option<(String, Arc<Service>)>,
    pub(crate) leaves: Option<Arc<Entry>>,
    pub(crate) wake: Option<Time>,
    /// As the agent's.
    pub(crate) held: bool,
}

impl Unit {
    /// As the agent's.
    fn order(&self) -> u64 {
        let of_run = match self.run.as_ref().map(|run| &run.seen) {
            Some(Seen::Preparing { order } | Seen::Running { order, .. }) => *order,
            _ => 0,
        };
        self.life.order.max(of_run)
    }
}

pub(crate) struct Run {
    pub(crate) id: u64,
    pub(crate) seen: Seen,
    pub(crate) is_cancelled: bool,
}

pub(crate) struct Host {
    pub(crate) id: MachineId,
    pub(crate) zone: &'static str,
    pub(crate) is_on: bool,
    pub(crate) is_paused: bool,
    /// Whether its fleetd lives, the how manieth it is, and the how manieth boot.
    pub(crate) has_daemon: bool,
    pub(crate) life: u64,
    pub(crate) boot: u64,
    /// What its clock shows beyond the world's time.
    pub(crate) clock: Time,
    /// On disk.
    pub(crate) kept: AssignmentSet,
    pub(crate) disk_fails: bool,
    pub(crate) lives: BTreeMap<String, Life>,
    /// By which file a unit came to rest: a later one says nothing of that.
    pub(crate) rested: BTreeMap<String, Arc<Service>>,
    pub(crate) containers: BTreeMap<u64, Container>,
    pub(crate) runs: u64,
    /// Of this fleetd. Whether it may begin something; when it has come.
    pub(crate) confirmed: bool,
    pub(crate) came: Time,
    pub(crate) set: Arc<AssignmentSet>,
    pub(crate) units: BTreeMap<String, Unit>,
    pub(crate) said: u64,
    /// How far it has applied the log, if it has one.
    pub(crate) applied: usize,
    pub(crate) heard: BTreeMap<MachineId, Arc<Report>>,
    pub(crate) away: BTreeMap<MachineId, Time>,
    pub(crate) led: bool,
    /// It believes so long that it leads.
    pub(crate) leads_until: Time,
    /// A proposal of its own is on its way: of places, of voters.
    pub(crate) is_deciding: bool,
    pub(crate) is_changing: bool,
    /// What waits until it goes on.
    pub(crate) waiting: Vec<Happening>,
}

/// What came of a step, for the world to carry out.
pub(crate) enum Act {
    After(Time, Happening),
    /// A start, the end of one, or the end of a run was asked for, for the checker.
    Starts(String, u64),
    Stops(String),
    /// The host has something else to say.
    Says,
}

impl Host {
    pub(crate) fn new(number: usize, id: MachineId, rng: &mut StdRng) -> Self {
        Self {
            id,
            zone: if number.is_multiple_of(2) { "a" } else { "b" },
            is_on: true,
            is_paused: false,
            has_daemon: true,
            life: 1,
            boot: 1,
            clock: 1_000_000 * SECOND + rng.random_range(0..100 * SECOND),
            kept: AssignmentSet { machine: id, ..AssignmentSet::default() },
            disk_fails: false,
            lives: BTreeMap::new(),
            rested: BTreeMap::new(),
            containers: BTreeMap::new(),
            runs: 0,
            confirmed: true,
            came: 0,
            set: Arc::new(AssignmentSet { machine: id, ..AssignmentSet::default() }),
            units: BTreeMap::new(),
            said: 0,
            applied: 0,
            heard: BTreeMap::new(),
            away: BTreeMap::new(),
            led: false,
            leads_until: 0,
            is_deciding: false,
            is_changing: false,
            waiting: Vec::new(),
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.is_on && self.has_daemon && !self.is_paused
    }

    pub(crate) fn facts(&self) -> Facts {
        let capacity = Resources { cpu: 2000, memory: 1 << 30, tasks: 1000 };
        let metadata = [("zone".to_owned(), self.zone.to_owned())].into();
        Facts { capacity, metadata, ..Facts::default() }
    }

    /// Units of which something is there, as the agent tells it.
    pub(crate) fn there(&self) -> BTreeSet<String> {
        let there = self.units.iter().filter(|(_, unit)| unit.run.is_some());
        there.map(|(name, _)| name.clone()).collect()
    }

    /// Takes over a set if it is newer.
    pub(crate) fn offer(&mut self, set: AssignmentSet, now: Time, out: &mut Turn<'_>) {
        if !obey::is_newer(&set, &self.set) {
            return;
        }
        if !self.disk_fails {
            self.kept = set.clone();
        }
        let before = std::mem::replace(&mut self.set, Arc::new(set));
        let after = Arc::clone(&self.set);
        let difference = obey::difference(&before, &after);
        for name in difference.changed {
            let assigned = &after.units[name];
            let unit = self.units.entry(name.to_owned()).or_default();
            unit.leaves = None;
            read(unit, assigned);
            self.step(name, now, out);
        }
        for (name, last) in difference.left {
            let Some(unit) = self.units.get_mut(name) else { continue };
            let desired = DesiredState::Inactive;
            unit.leaves = Some(Arc::new(Entry { desired, ..last.clone() }));
            self.step(name, now, out);
        }
        let unknown = |unit: &Unit| unit.order() > before.index;
        let unknown = self.units.iter().filter(|(_, unit)| unknown(unit));
        let unknown: Vec<String> = unknown.map(|(name, _)| name.clone()).collect();
        unknown.iter().for_each(|name| self.step(name, now, out));
        out.acts.push(Act::Says);
    }

    /// Decides about one unit and acts, as the agent does.
    pub(crate) fn step(&mut self, name: &str, now: Time, out: &mut Turn<'_>) {
        let clock = self.clock + now;
        let Some(unit) = self.units.get_mut(name) else { return };
        let entry = match obey::wish(&self.set, name, unit.order()) {
            Wish::As(entry) => Arc::clone(entry),
            Wish::Ends => unit.leaves.get_or_insert_with(|| Arc::new(Entry::gone())).clone(),
            Wish::Unknown => return,
        };
        let seen = unit.run.as_ref().map_or(Seen::Nothing, |run| run.seen.clone());
        let mut life = unit.life.clone();
        let before = life.phase;
        let step = life.step(&want(unit, &entry), &seen, clock);
        unit.held = matches!(step.action, Some(Action::Start { .. })) && !self.confirmed;
        if unit.held {
            return;
        }
        if before != life.phase
            && let Some((_, service)) = &unit.file
        {
            self.rested.insert(name.to_owned(), Arc::clone(service));
        }
        unit.life = life;
        unit.wake = step.wake.map(|wake| now + wake.saturating_sub(clock));
        self.lives.insert(name.to_owned(), unit.life.clone());
        if let Some(wake) = step.wake {
            let after = wake.saturating_sub(clock);
            out.acts.push(Act::After(after, Happening::Wake { host: out.host, life: self.life }));
        }
        if let Some(action) = step.action {
            self.act(name, action, out);
        }
        let Some(unit) = self.units.get_mut(name) else { return };
        if unit.leaves.is_some() && unit.run.is_none() {
            self.units.remove(name);
            self.lives.remove(name);
        }
    }

    fn act(&mut self, name: &str, action: Action, out: &mut Turn<'_>) {
        let (host, life) = (out.host, self.life);
        let Some(unit) = self.units.get_mut(name) else { return };
        match action {
            Action::Start { order } => {
                self.runs += 1;
                let run = self.runs;
                let seen = Seen::Preparing { order };
                unit.run = Some(Run { id: run, seen, is_cancelled: false });
                let after = out.rng.random_range(5 * MS..500 * MS);
                let unit = name.to_owned();
                out.acts.push(Act::Starts(unit.clone(), order));
                out.acts.push(Act::After(after, Happening::Launched { host, life, unit, run }));
                out.acts.push(Act::Says);
            }
            Action::Cancel => {
                out.acts.push(Act::Stops(name.to_owned()));
                if let Some(run) = unit.run.as_mut() {
                    run.is_cancelled = true;
                }
            }
            Action::Stop => {
                let Some(run) = unit.run.as_mut() else { return };
                if let Seen::Running { asked, .. } = &mut run.seen {
                    *asked = true;
                }
                let run = run.id;
                out.acts.push(Act::Stops(name.to_owned()));
                if let Some(container) = self.containers.get_mut(&run) {
                    container.is_asked = true;
                }
                let after = out.rng.random_range(MS..3 * SECOND);
                let boot = self.boot;
                out.acts.push(Act::After(after, Happening::Ends { host, boot, run }));
            }
            Action::Clear => {
                let Some(run) = unit.run.as_mut() else { return };
                run.seen = Seen::Clearing;
                let run = run.id;
                self.containers.remove(&run);
                out.cleared(life, name, run);
            }
        }
    }

    /// The start of a run has come to its end.
    pub(crate) fn launched(
        &mut self,
        name: &str,
        id: u64,
        (now, fails): (Time, bool),
        out: &mut Turn<'_>,
    ) {
        let clock = self.clock + now;
        let Some(unit) = self.units.get_mut(name) else { return };
        let Some(run) = unit.run.as_mut().filter(|run| run.id == id) else { return };
        let Seen::Preparing { order } = run.seen else { return };
        if run.is_cancelled && out.rng.random_bool(0.5) {
            let error = "cancelled".to_owned();
            run.seen = Seen::StartFailed { error, kind: StartError::Cancelled };
        } else if fails {
            let error = "no image".to_owned();
            run.seen = Seen::StartFailed { error, kind: StartError::Fault };
        } else {
            run.seen = Seen::Running { order, since: clock, ready: false, asked: false };
            self.contain(name, id, order, clock);
        }
        self.step(name, now, out);
    }

    fn contain(&mut self, unit: &str, run: u64, order: u64, since: Time) {
        let (unit, owner) = (unit.to_owned(), self.id);
        let (ready, is_asked, ended) = (false, false, None);
        self.containers
            .insert(run, Container { unit, owner, order, since, ready, is_asked, ended });
    }

    /// What a run's supervisor and the end of clearing tell.
    pub(crate) fn hear_of_run(&mut self, name: &str, id: u64, now: Time, out: &mut Turn<'_>) {
        let Some(unit) = self.units.get_mut(name) else { return };
        let Some(run) = unit.run.as_mut().filter(|run| run.id == id) else { return };
        match self.containers.get(&id) {
            Some(Container { ended: Some((exit, at)), .. }) => {
                if !matches!(run.seen, Seen::Running { .. }) {
                    return;
                }
                run.seen = Seen::Ended { exit: exit.clone(), at: *at };
            }
            Some(container) => {
                if let Seen::Running { ready, .. } = &mut run.seen {
                    *ready = container.ready;
                }
            }
            None => {
                unit.run = None;
                out.acts.push(Act::Says);
            }
        }
        self.step(name, now, out);
    }

    /// What it has not begun may begin from now on.
    pub(crate) fn confirm(&mut self, now: Time, out: &mut Turn<'_>) {
        self.confirmed = true;
        let held = self.units.iter().filter(|(_, unit)| unit.held);
        let held: Vec<String> = held.map(|(name, _)| name.clone()).collect();
        held.iter().for_each(|name| self.step(name, now, out));
    }

    /// What the disk did not take, it is offered again.
    pub(crate) fn keep(&mut self, out: &mut Turn<'_>) {
        if !self.disk_fails && self.kept.index < self.set.index {
            self.kept = self.set.as_ref().clone();
            out.acts.push(Act::Says);
        }
    }

    pub(crate) fn wake(&mut self, now: Time, out: &mut Turn<'_>) {
        let due = self.units.iter().filter(|(_, unit)| unit.wake.is_some_and(|at| at <= now));
        let due: Vec<String> = due.map(|(name, _)| name.clone()).collect();
        for name in due {
            self.step(&name, now, out);
        }
    }

    /// SIGKILL: what it was at, a supervisor may have finished.
    pub(crate) fn kill_daemon(&mut self, now: Time, rng: &mut StdRng) {
        self.has_daemon = false;
        let units = std::mem::take(&mut self.units);
        for (name, unit) in units {
            if let Some(Run { id, seen: Seen::Preparing { order }, .. }) = unit.run
                && rng.random_bool(0.5)
            {
                self.contain(&name, id, order, self.clock + now);
            }
        }
        (self.heard, self.away) = Default::default();
        (self.led, self.leads_until) = (false, 0);
        (self.is_deciding, self.is_changing) = (false, false);
        self.waiting.clear();
    }

    /// The next fleetd takes over what is there.
    pub(crate) fn start_daemon(&mut self, now: Time, out: &mut Turn<'_>) {
        self.has_daemon = true;
        self.life += 1;
        self.said = 0;
        (self.confirmed, self.came) = (false, now);
        self.set = Arc::new(self.kept.clone());
        let set = Arc::clone(&self.set);
        for (name, assigned) in &set.units {
            let life = self.lives.get(name).cloned().unwrap_or_default();
            let mut unit = Unit { life, ..Unit::default() };
            read(&mut unit, assigned);
            self.units.insert(name.clone(), unit);
        }
        for (id, container) in &self.containers {
            let seen = match &container.ended {
                Some((exit, at)) => Seen::Ended { exit: exit.clone(), at: *at },
                None => Seen::Running {
                    order: container.order,
                    since: container.since,
                    ready: container.ready,
                    asked: false,
                },
            };
            let unit = self.units.entry(container.unit.clone()).or_default();
            unit.run = Some(Run { id: *id, seen, is_cancelled: false });
        }
        let all: Vec<String> = self.units.keys().cloned().collect();
        all.iter().for_each(|name| self.step(name, now, out));
        out.acts.push(Act::Says);
    }
}

/// What a host's step needs of the world, and gives back to it.
pub(crate) struct Turn<'a> {
    pub(crate) host: usize,
    pub(crate) rng: &'a mut StdRng,
    pub(crate) acts: Vec<Act>,
}

impl Turn<'_> {
    fn cleared(&mut self, life: u64, unit: &str, run: u64) {
        let (host, unit) = (self.host, unit.to_owned());
        let after = self.rng.random_range(MS..50 * MS);
        self.acts.push(Act::After(after, Happening::OfRun { host, life, unit, run }));
    }
}

fn read(unit: &mut Unit, assigned: &Assigned) {
    let hash = &assigned.entry.hash;
    if unit.file.as_ref().is_none_or(|(known, _)| known != hash) {
        unit.file = Some((hash.clone(), units::service(hash)));
    }
}

pub(crate) fn want<'a>(unit: &'a Unit, entry: &Entry) -> Want<'a> {
    Want {
        launched: entry.desired == DesiredState::Launched && !entry.destroyed,
        start: entry.start,
        restart: entry.restart,
        service: unit.file.as_ref().map(|(_, service)| service.as_ref()),
        unusable: None,
    }
}
