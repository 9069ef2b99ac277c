//! Makes this host match what was assigned to it: starts, stops, adopts and cleans up.
//!
//! One task, the [`Agent`], has the state and decides by [`crate::core::reconcile`]; others do the work
//! and send it messages. Nothing here is needed for a container to go on: whatever the agent knows
//! it finds again after its death.
//!
//! | File | Owns |
//! |---|---|
//! | `assignments` | what this host is to run |
//! | `start`, `prepare` | the start of a run, step by step |
//! | `clear` | taking away what a run made |
//! | `adopt`, `take_over` | what an earlier fleetd left |
//! | `supervisor`, `network` | the clients of `ocirun supervise` and of netd |
//! | `launcher`, `cgroup`, `place` | where supervisors start, and where things are kept |
//! | `health`, `notify` | what a running program says about itself |
//! | `board`, `sight` | what is told about units, and about the host |

pub mod adopt;
pub mod assignments;
pub mod board;
pub mod cgroup;
pub mod clear;
pub mod clock;
pub mod context;
mod credentials;
pub mod down;
pub mod health;
pub mod keyring;
pub mod launcher;
pub mod line;
pub mod message;
pub mod network;
pub mod notify;
pub mod place;
pub mod prepare;
pub mod sight;
pub mod start;
pub mod supervisor;
pub mod take_over;
pub mod task;
pub mod unit;

use crate::core::decided::{AssignmentSet, Entry};
use crate::core::obey::{self, Wish};
use crate::core::oci::image::ImageConfig;
use crate::core::reconcile::{Action, Seen};
use crate::core::restart::micros;
use crate::core::run::RunId;
use crate::core::unit::container::ContainerUnit;
use assignments::Assignments;
use board::Board;
use context::Context;
use fleetd_api::{DesiredState, EventKind};
use message::{Message, What};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use take_over::keep_life;
use task::Task;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use unit::{File, Run, Unit};

/// Makes this host match.
pub struct Agent {
    context: Arc<Context>,
    assignments: watch::Receiver<Arc<AssignmentSet>>,
    kept: watch::Receiver<u64>,
    confirmed: watch::Receiver<Option<u64>>,
    /// The set that was taken over with: a newer one is a change from it.
    adopted: Arc<AssignmentSet>,
    board: Board,
    units: BTreeMap<String, Unit>,
    machine: String,
    incarnation: u64,
    runs: u64,
    progress: watch::Sender<Progress>,
}

/// How far the agent is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Of the set that the board shows the effects of.
    pub index: u64,
    /// Of the newest set that is safe on disk.
    pub kept: u64,
    /// Units of which something is there.
    pub runs: BTreeSet<String>,
}

/// What the rest of fleetd knows about this host's agent.
#[derive(Clone)]
pub struct Handle {
    pub board: Board,
    pub progress: watch::Receiver<Progress>,
}

impl Agent {
    /// `incarnation`: the number of this start of fleetd, for the ids of runs.
    pub fn new(
        context: Arc<Context>,
        assignments: &Assignments,
        machine: String,
        incarnation: u64,
    ) -> (Self, Handle) {
        let progress = watch::Sender::default();
        let board = Board::default();
        let handle = Handle { board: board.clone(), progress: progress.subscribe() };
        let (kept, confirmed) = (assignments.kept(), assignments.confirmed());
        let mut assignments = assignments.subscribe();
        let adopted = assignments.borrow_and_update().clone();
        let agent = Self {
            context,
            assignments,
            kept,
            confirmed,
            adopted,
            board,
            units: BTreeMap::new(),
            machine,
            incarnation,
            runs: 0,
            progress,
        };
        (agent, handle)
    }

    /// Until fleetd ends.
    pub async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Message>) {
        let mut assignments = self.assignments.clone();
        let mut set = self.adopted.clone();
        let all: Vec<String> = self.units.keys().cloned().collect();
        all.iter().for_each(|name| self.step(name, &set));
        self.progress(&set);
        loop {
            let wake = self.units.values().filter_map(|unit| unit.wake).min();
            tokio::select! {
                changed = assignments.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let newer = assignments.borrow_and_update().clone();
                    self.changed(&set, &newer);
                    set = newer;
                    self.begin_held(&set);
                }
                message = queue.recv() => match message {
                    Some(message) => self.take(message, &set),
                    None => return,
                },
                kept = self.kept.changed() => if kept.is_err() { return },
                confirmed = self.confirmed.changed() => {
                    if confirmed.is_err() {
                        return;
                    }
                    self.begin_held(&set);
                }
                () = until(wake) => self.wake(&set),
            }
            self.progress(&set);
        }
    }

    /// Tells how far it is.
    fn progress(&self, set: &AssignmentSet) {
        let there = self.units.iter().filter(|(_, unit)| unit.run.is_some());
        let now = Progress {
            index: set.index,
            kept: *self.kept.borrow(),
            runs: there.map(|(name, _)| name.clone()).collect(),
        };
        self.progress.send_if_modified(|before| {
            let changed = *before != now;
            if changed {
                *before = now;
            }
            changed
        });
    }

    fn changed(&mut self, before: &AssignmentSet, after: &AssignmentSet) {
        let difference = obey::difference(before, after);
        for name in difference.changed {
            if let Some(assigned) = after.units.get(name) {
                let unit = self.units.entry(name.to_owned()).or_default();
                unit.leaves = None;
                if unit.file.as_ref().is_none_or(|file| file.hash != assigned.entry.hash) {
                    unit.file = Some(File::read(name, &assigned.entry, &self.context.host));
                }
                self.step(name, after);
            }
        }
        for (name, last) in difference.left {
            self.leave(name, last, after);
        }
        // Runs of which the set before could say nothing.
        let unknown = |unit: &Unit| unit.order(before) > before.index;
        let unknown = self.units.iter().filter(|(_, unit)| unknown(unit));
        let unknown: Vec<String> = unknown.map(|(name, _)| name.clone()).collect();
        unknown.iter().for_each(|name| self.step(name, after));
    }

    /// The unit has its place elsewhere, or nowhere: what runs of it ends, then it is forgotten.
    fn leave(&mut self, name: &str, last: &Entry, set: &AssignmentSet) {
        let Some(unit) = self.units.get_mut(name) else { return };
        let desired = DesiredState::Inactive;
        unit.leaves = Some(Arc::new(Entry { desired, ..last.clone() }));
        self.step(name, set);
    }

    /// Nothing of the unit is here any more. The output of one that was destroyed goes with it.
    fn forget(&mut self, name: &str, last: &Entry) {
        self.units.remove(name);
        self.board.remove(name);
        let logs = last.destroyed.then(|| self.context.place.logs(name));
        for path in logs.into_iter().chain([self.context.place.life(name)]) {
            let removed = if path.is_dir() {
                place::remove_tree(&path)
            } else {
                std::fs::remove_file(&path).or_else(absent).map_err(|e| e.to_string())
            };
            if let Err(error) = removed {
                tracing::warn!("{error}");
            }
        }
    }

    /// Whether the fleet has said that nothing here has begun elsewhere meanwhile. It may have said so
    /// of a set that the agent is still to take over.
    fn is_confirmed(&self, set: &AssignmentSet) -> bool {
        self.confirmed.borrow().is_some_and(|confirmed| confirmed <= set.index)
    }

    /// What waited for the fleet's word begins.
    fn begin_held(&mut self, set: &AssignmentSet) {
        let held = self.units.iter().filter(|(_, unit)| unit.held);
        let held: Vec<String> = held.map(|(name, _)| name.clone()).collect();
        held.iter().for_each(|name| self.step(name, set));
    }

    fn wake(&mut self, set: &AssignmentSet) {
        let now = Instant::now();
        let due = |unit: &Unit| unit.wake.is_some_and(|wake| wake <= now);
        let due: Vec<String> =
            self.units.iter().filter(|(_, unit)| due(unit)).map(|(name, _)| name.clone()).collect();
        due.iter().for_each(|name| self.step(name, set));
    }

    fn take(&mut self, message: Message, set: &AssignmentSet) {
        let Message { unit: name, run: id, what } = message;
        let Some(unit) = self.units.get_mut(&name) else { return };
        let loaded = unit.loaded().cloned();
        // A message of an earlier run has nothing to say any more.
        let Some(run) = unit.run.as_mut().filter(|run| run.id == id) else { return };
        let runs = matches!(what, What::Running(_));
        if matches!(what, What::Cleared) {
            unit.run = None;
        } else {
            run.take(what, loaded.as_deref());
        }
        if runs {
            self.watch_run(&name);
        }
        self.step(&name, set);
    }

    /// Decides about one unit and acts, until nothing is left to do at once.
    fn step(&mut self, name: &str, set: &AssignmentSet) {
        let is_confirmed = self.is_confirmed(set);
        let Some(unit) = self.units.get_mut(name) else { return };
        let entry = match obey::wish(set, name, unit.order(set)) {
            Wish::As(entry) => {
                if let Some(record) = unit.belongs_to(set, entry)
                    && let Err(error) = start::write_record(&self.context, &record)
                {
                    tracing::warn!("{error}");
                }
                entry.clone()
            }
            Wish::Ends => unit.leaves.get_or_insert_with(|| Arc::new(Entry::gone())).clone(),
            // Absence of data never stops a container.
            Wish::Unknown => return,
        };
        let seen = unit.run.as_ref().map_or(Seen::Nothing, |run| run.seen.clone());
        let mut life = unit.life.clone();
        let now = self.context.clock.now();
        let step = life.step(&unit.want(&entry), &seen, now);
        // A host that has just come back asks first: the unit may have begun elsewhere meanwhile.
        unit.held = matches!(step.action, Some(Action::Start { .. })) && !is_confirmed;
        if unit.held {
            return self.post(name, &entry);
        }
        unit.life = life;
        let pause = |wake: u64| Duration::from_micros(wake.saturating_sub(now));
        unit.wake = step.wake.map(|wake| Instant::now() + pause(wake));
        // Before anything is done: whoever comes after a killed fleetd must not find a run taken
        // away and a life that still has it. What cannot be kept is tried again with the next step.
        if unit.life != unit.kept && keep_life(&self.context, name, &unit.life) {
            unit.kept = unit.life.clone();
        }
        if let Some(action) = step.action {
            self.act(name, action, &entry, obey::source(set));
        }
        let Some(unit) = self.units.get_mut(name) else { return };
        if unit.leaves.is_some() && unit.run.is_none() {
            return self.forget(name, &entry);
        }
        self.post(name, &entry);
    }

    /// Shows how the unit is.
    fn post(&mut self, name: &str, entry: &Entry) {
        let Some(unit) = self.units.get(name) else { return };
        let posted = unit.posted(entry, &self.machine, &self.context.clock);
        let state = Box::new(posted.state.clone());
        if self.board.post(name, posted) {
            self.context.event(name, EventKind::State { state });
        }
    }

    fn act(&mut self, name: &str, action: Action, entry: &Entry, source: String) {
        let context = self.context.clone();
        let Some(unit) = self.units.get_mut(name) else { return };
        match action {
            Action::Start { order } => {
                let Some(loaded) = unit.loaded() else { return };
                self.runs += 1;
                let id = RunId::new(name, self.incarnation, self.runs);
                let (unit_file, hash) = (loaded.clone(), entry.hash.clone());
                let run = Run::new(id.clone(), order);
                let plan = start::Plan { run: id, unit: unit_file, hash, order, source };
                tokio::spawn(start::start(context, plan, run.cancel.subscribe()));
                unit.run = Some(run);
            }
            Action::Cancel => {
                if let Some(run) = &unit.run {
                    run.cancel.send_replace(true);
                }
            }
            Action::Stop => stop(context, name, unit),
            Action::Clear => {
                let Some(run) = unit.run.as_mut() else { return };
                // A start that failed has taken everything back already.
                let record = match std::mem::replace(&mut run.seen, Seen::Clearing) {
                    Seen::StartFailed { .. } => None,
                    _ => run.record.clone(),
                };
                match record {
                    Some(record) => {
                        tokio::spawn(clear::clear(context, record.as_ref().clone()));
                    }
                    None => context.tell(name, &run.id, What::Cleared),
                }
            }
        }
    }

    /// Watches the end, the health and the readiness of the unit's run.
    fn watch_run(&mut self, name: &str) {
        let context = self.context.clone();
        let Some(unit) = self.units.get_mut(name) else { return };
        let check = unit.loaded().and_then(|unit| unit.health.clone());
        let Some(run) = unit.run.as_mut() else { return };
        let Some(record) = run.record.clone() else { return };
        if let (Some(check), Seen::Running { since, .. }) = (check, &run.seen) {
            run.health = Some(crate::core::health::Record::new(*since));
            let record = record.as_ref().clone();
            run.tasks.push(Task::spawn(health::check(context.clone(), record, check)));
        }
        if let Seen::Running { ready: false, .. } = &run.seen {
            run.tasks.push(notify::listen(&context, name, &record.run));
        }
        run.tasks.push(Task::spawn(async move {
            let place = &context.place;
            let boot = &context.host.boot_id;
            let ended = adopt::ended(place, &context.cgroups, boot, &record.run).await;
            let (exit, at) = (ended.0, context.clock.of_wall(ended.1));
            context.tell(&record.unit, &record.run, What::Ended { exit, at });
        }));
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Asks the run's program to end. The supervisor has the patience; the agent hears of the end.
fn stop(context: Arc<Context>, name: &str, unit: &mut Unit) {
    let loaded = unit.loaded().cloned();
    let Some(run) = unit.run.as_mut() else { return };
    if let Seen::Running { asked, .. } = &mut run.seen {
        *asked = true;
    }
    let record = run.record.as_ref();
    let image = record.and_then(|record| record.config.as_ref());
    // Where its file is not known the supervisor still knows how it was to be stopped.
    let words = loaded.map(|unit| stop_words(Some(&unit), image));
    let signal = words.map_or("its stop signal".to_owned(), |(signal, _)| {
        crate::core::status::signal_name(signal)
    });
    let message = format!("asks it to end: {signal}");
    context.event(name, EventKind::Step { step: "stop".to_owned(), message });
    let id = run.id.clone();
    run.tasks.push(Task::spawn(supervisor::stop_until_it_ends(context, id, words)));
}

/// How a unit is stopped: the signal, and the milliseconds until the kill (none: never).
fn stop_words(unit: Option<&ContainerUnit>, image: Option<&ImageConfig>) -> (i32, Option<u64>) {
    let of_image = image.and_then(|image| image.stop_signal.as_deref());
    let signal = unit
        .and_then(|unit| unit.service.stop_signal)
        .or(of_image.and_then(crate::core::status::signal_number))
        .unwrap_or(libc::SIGTERM);
    let timeout = match unit {
        Some(unit) => unit.service.timeout_stop.map(|timeout| micros(timeout) / 1000),
        None => Some(DEFAULT_STOP_MS),
    };
    (signal, timeout)
}

/// systemd's default of `TimeoutStopSec=`.
const DEFAULT_STOP_MS: u64 = 90_000;

fn absent(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
