//! One unit as the agent has it: its life, its run, and what of both is told.

use super::board::Posted;
use super::clock::Clock;
use super::message::{Running, What};
use super::task::Task;
use crate::core::decided::{AssignmentSet, Entry};
use crate::core::health;
use crate::core::obey;
use crate::core::reconcile::{Life, Seen, Want};
use crate::core::run::{RunId, RunRecord};
use crate::core::status;
use crate::core::unit::container::ContainerUnit;
use crate::core::unit::{HostFacts, UnitName};
use fleetd_api::{DesiredState, UnitState};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::Instant;

#[derive(Default)]
pub struct Unit {
    pub life: Life,
    /// What of the life is on disk.
    pub kept: Life,
    pub run: Option<Run>,
    pub file: Option<File>,
    /// It is not assigned to this host any more: what is wanted of it until it is gone.
    pub leaves: Option<Arc<Entry>>,
    /// It would begin, and waits until the fleet says that this host's set is the newest.
    pub held: bool,
    /// When [`Life::step`] wants to be called again, whatever becomes of the clock.
    pub wake: Option<Instant>,
}

/// The unit file, read.
pub struct File {
    pub hash: String,
    pub unit: Result<Arc<ContainerUnit>, String>,
}

impl File {
    pub fn read(name: &str, entry: &Entry, host: &HostFacts) -> Self {
        let unit = UnitName::new(name).map_err(|e| e.to_string()).and_then(|name| {
            crate::core::unit::load(&name, &entry.text, &entry.drop_ins, host)
                .map(|loaded| Arc::new(loaded.unit))
                .map_err(|faults| crate::core::unit::problem(&name, &faults).to_string())
        });
        Self { hash: entry.hash.clone(), unit }
    }
}

/// The run that there is.
pub struct Run {
    pub id: RunId,
    pub seen: Seen,
    pub record: Option<Arc<RunRecord>>,
    pub pid: Option<i32>,
    pub health: Option<health::Record>,
    /// What the preparation waits for.
    pub waits: Option<String>,
    pub cancel: watch::Sender<bool>,
    /// Watch its end, its health, its readiness; they end with it.
    pub tasks: Vec<Task>,
}

impl Run {
    pub fn new(id: RunId, order: u64) -> Self {
        Self {
            id,
            seen: Seen::Preparing { order },
            record: None,
            pid: None,
            health: None,
            waits: None,
            cancel: watch::Sender::new(false),
            tasks: Vec::new(),
        }
    }

    /// Takes in what a task tells, except the end of clearing.
    pub fn take(&mut self, what: What, unit: Option<&ContainerUnit>) {
        match what {
            What::Waits(waits) => self.waits = waits,
            What::StartFailed { error, kind } => self.seen = Seen::StartFailed { error, kind },
            What::Running(running) => self.runs(*running),
            What::Ready => {
                if let Seen::Running { ready, .. } = &mut self.seen {
                    *ready = true;
                }
            }
            What::Health { passed, at } => {
                if let (Some(health), Some(check)) =
                    (&mut self.health, unit.and_then(|unit| unit.health.as_ref()))
                {
                    health.take(check, passed, at);
                }
            }
            What::Ended { exit, at } => {
                self.tasks.clear();
                self.seen = Seen::Ended { exit, at };
            }
            What::Cleared => {}
        }
    }

    fn runs(&mut self, running: Running) {
        let Running { record, pid, since, ready } = running;
        self.waits = None;
        self.pid = Some(pid);
        self.seen = Seen::Running { order: record.order, since, ready, asked: false };
        self.record = Some(Arc::new(record));
    }
}

impl Unit {
    /// What was decided about it, for [`Life::step`].
    pub fn want<'a>(&'a self, entry: &Entry) -> Want<'a> {
        let unit = self.file.as_ref().map(|file| &file.unit);
        Want {
            launched: entry.desired == DesiredState::Launched && !entry.destroyed,
            start: entry.start,
            restart: entry.restart,
            service: unit.and_then(|unit| unit.as_ref().ok()).map(|unit| &unit.service),
            unusable: unit.and_then(|unit| unit.as_ref().err()).map(String::as_str),
        }
    }

    /// The newest decision that it has obeyed; of a run that the set cannot know it is newer than
    /// any.
    pub fn order(&self, set: &AssignmentSet) -> u64 {
        let Some(run) = &self.run else { return self.life.order };
        let of_run = match &run.seen {
            Seen::Preparing { order } | Seen::Running { order, .. } => *order,
            _ => return self.life.order,
        };
        let record = run.record.as_ref();
        match record.is_none_or(|record| obey::knows(set, &record.source)) {
            true => self.life.order.max(of_run),
            false => u64::MAX,
        }
    }

    /// A run of a lost database is of the decision that asks for it from now on: what that one says
    /// later is about it. Gives the record to be kept.
    pub fn belongs_to(&mut self, set: &AssignmentSet, entry: &Entry) -> Option<Arc<RunRecord>> {
        let run = self.run.as_mut()?;
        let of_another = run.record.as_ref().filter(|r| !obey::knows(set, &r.source))?;
        let newest = entry.start.max(entry.restart);
        let record =
            RunRecord { source: obey::source(set), order: newest, ..of_another.as_ref().clone() };
        if let Seen::Preparing { order } | Seen::Running { order, .. } = &mut run.seen {
            *order = newest;
        }
        self.life.order = newest;
        let record = Arc::new(record);
        run.record = Some(Arc::clone(&record));
        Some(record)
    }

    pub fn loaded(&self) -> Option<&Arc<ContainerUnit>> {
        self.file.as_ref().and_then(|file| file.unit.as_ref().ok())
    }

    /// What HTTP clients see.
    pub fn posted(&self, entry: &Entry, machine: &str, clock: &Clock) -> Posted {
        let (active, sub) = status::systemd(self.life.phase);
        let run = self.run.as_ref();
        let record = run.and_then(|run| run.record.as_deref());
        let running = matches!(run.map(|run| &run.seen), Some(Seen::Running { .. }));
        let alive = !matches!(status::reached(entry.desired, &self.life), DesiredState::Inactive);
        let state = UnitState {
            current: status::reached(entry.desired, &self.life),
            load: status::load(entry.desired, self.file.as_ref().is_none_or(|f| f.unit.is_ok())),
            active,
            sub: sub.to_owned(),
            machine: alive.then(|| machine.to_owned()),
            pid: run.filter(|_| running).and_then(|run| run.pid),
            address: record.filter(|_| running).and_then(|record| record.address.clone()),
            ports: self.loaded().map_or_else(Vec::new, |unit| {
                unit.ports.iter().map(crate::core::unit::port_text).collect()
            }),
            since: (self.life.since > 0).then(|| clock.shown(self.life.since)),
            health: run.filter(|_| running).and_then(|run| run.health).map(|health| health.health),
            restarts: self.life.restarts,
            last_exit: self.life.last_exit.clone(),
            message: self.message(entry),
            unenforced: record.map_or_else(Vec::new, |record| record.unenforced.clone()),
            steps: record.map_or_else(Vec::new, |record| record.steps.clone()),
        };
        Posted {
            state,
            image: record.and_then(|record| record.image.clone()),
            run: run.filter(|_| running).map(|run| run.id.clone()),
        }
    }

    fn message(&self, entry: &Entry) -> Option<String> {
        if self.held {
            return Some("waits for the fleet's word that it belongs here still".to_owned());
        }
        let run = self.run.as_ref();
        if let Some(waits) = run.and_then(|run| run.waits.clone()) {
            return Some(waits);
        }
        let older =
            run.and_then(|run| run.record.as_ref()).is_some_and(|record| record.hash != entry.hash);
        if older {
            return Some("runs an earlier file of this name; restart takes the new one".to_owned());
        }
        self.life.message.clone()
    }
}

#[cfg(test)]
#[path = "unit_tests.rs"]
mod tests;
