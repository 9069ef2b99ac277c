//! The agent takes over what an earlier fleetd left: the lives of units, and their runs.

use super::adopt::{self, Found};
use super::context::{Context, now};
use super::place::write_whole;
use super::unit::{File, Run, Unit};
use super::{Agent, clear};
use crate::core::obey;
use crate::core::reconcile::{Life, Seen};
use crate::core::run::RunId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// A unit's [`Life`] on disk.
#[derive(Serialize, Deserialize)]
struct Kept {
    boot_id: String,
    unit: String,
    life: Life,
}

impl Agent {
    /// Takes over the runs of an earlier fleetd. Before [`Self::run`].
    pub async fn adopt(&mut self, found: Vec<Found>) {
        let set = self.adopted.clone();
        for (name, assigned) in &set.units {
            let mut unit = Unit::default();
            unit.life = self.kept_life(name).unwrap_or_default();
            unit.kept = unit.life.clone();
            unit.file = Some(File::read(name, &assigned.entry, &self.context.host));
            self.units.insert(name.clone(), unit);
        }
        for found in found {
            self.adopt_run(found).await;
        }
    }

    async fn adopt_run(&mut self, found: Found) {
        let context = self.context.clone();
        let record = found.record;
        let state = match found.alive {
            false => None,
            true => match adopt::state(&context.place, &context.cgroups, &record.run).await {
                Ok(state) => state,
                Err(error) => {
                    // A supervisor without a voice holds a container that nobody can reach.
                    tracing::warn!("{error}; it is killed");
                    None
                }
            },
        };
        let name = record.unit.clone();
        let is_older = record.order > self.adopted.index;
        if !self.units.contains_key(&name)
            && (is_older || !obey::knows(&self.adopted, &record.source))
        {
            // Absence of data never stops a container.
            tracing::warn!("adopt {}: unit {name} is not known; it is left running", record.run);
        }
        let unit = self.units.entry(name.clone()).or_default();
        if unit.run.as_ref().is_some_and(|run| matches!(run.seen, Seen::Running { .. })) {
            tracing::warn!("adopt {}: {name} has another run; this one ends", record.run);
            tokio::spawn(clear::clear(context, record));
            return;
        }
        let mut run = Run::new(record.run.clone(), record.order);
        match state {
            Some(state) if state.status == "running" => {
                run.pid = Some(state.pid);
                run.seen = Seen::Running {
                    order: record.order,
                    // As it was first seen, where that was written down.
                    since: unit.life.ran_from.unwrap_or(context.clock.of_wall(state.started)),
                    ready: state.ready,
                    asked: false,
                };
                run.record = Some(Arc::new(record));
                unit.run = Some(run);
                self.watch_run(&name);
            }
            _ if started(&context, &record.run) => {
                let place = &context.place;
                let boot = &context.host.boot_id;
                let ended = adopt::ended(place, &context.cgroups, boot, &record.run);
                let limit = Duration::from_secs(1);
                let (exit, at) = match tokio::time::timeout(limit, ended).await {
                    Ok(ended) => ended,
                    Err(_) => (adopt::lost(), now()),
                };
                let at = context.clock.of_wall(at);
                run.seen = Seen::Ended { exit, at };
                run.record = Some(Arc::new(record));
                unit.run = Some(run);
            }
            _ => {
                // It never came to run: as if it had not been tried.
                run.seen = Seen::Clearing;
                unit.run = Some(run);
                tokio::spawn(clear::clear(context, record));
            }
        }
    }

    fn kept_life(&self, name: &str) -> Option<Life> {
        let bytes = std::fs::read(self.context.place.life(name)).ok()?;
        let kept: Kept = serde_json::from_slice(&bytes).ok()?;
        (kept.boot_id == self.context.host.boot_id && kept.unit == name).then_some(kept.life)
    }
}

/// Writes a unit's life down; false, and a word in the log, if the disk refuses it.
pub(super) fn keep_life(context: &Context, name: &str, life: &Life) -> bool {
    let (boot_id, unit) = (context.host.boot_id.clone(), name.to_owned());
    let kept = Kept { boot_id, unit, life: life.clone() };
    let bytes = serde_json::to_vec(&kept).map_err(|e| e.to_string());
    let written = bytes.and_then(|b| write_whole(&context.place.life(name), &b));
    written.inspect_err(|error| tracing::warn!("{error}")).is_ok()
}

/// Whether the run's program has come to run, whatever became of it.
fn started(context: &Context, run: &RunId) -> bool {
    context.place.run(run).join("started.json").exists()
}
