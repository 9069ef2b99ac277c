//! What stands for the agent and the containers of a host: takes its sets, lives by the rules of
//! [`crate::core::reconcile`], and tells how far it is.

use super::wall::micros;
use super::world::{World, fail, say, with};
use crate::agent::assignments::Assignments;
use crate::agent::board::{Board, Posted};
use crate::agent::context::Context;
use crate::agent::{Handle, Progress};
use crate::core::decided::AssignmentSet;
use crate::core::reconcile::Seen;
use crate::core::status;
use crate::core::tests::simulation::host::{Act, Host, MS, SECOND, Time, Turn};
use crate::core::tests::simulation::world::Happening;
use fleetd_api::{DesiredState, EventKind, UnitState};
use rand::RngExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

struct Agent {
    host: usize,
    context: Arc<Context>,
    sets: watch::Receiver<Arc<AssignmentSet>>,
    kept: watch::Receiver<u64>,
    confirmed: watch::Receiver<Option<u64>>,
    board: Board,
    progress: watch::Sender<Progress>,
    /// What this fleetd has begun and will hear of.
    timers: BTreeMap<(Time, u64), Happening>,
    count: u64,
}

/// Takes over what an earlier fleetd has left, and goes on until the host crashes.
pub(super) fn begin(host: usize, context: &Arc<Context>, assignments: &Assignments) -> Handle {
    let (board, progress) = (Board::default(), watch::Sender::default());
    let handle = Handle { board: board.clone(), progress: progress.subscribe() };
    let mut sets = assignments.subscribe();
    let first = sets.borrow_and_update().clone();
    let (kept, confirmed) = (assignments.kept(), assignments.confirmed());
    let (context, timers) = (Arc::clone(context), BTreeMap::new());
    let mut agent =
        Agent { host, context, sets, kept, confirmed, board, progress, timers, count: 0 };
    agent.turn(|host, now, out| {
        host.kept = as_decided(&first);
        host.start_daemon(now, out);
    });
    agent.tell();
    tokio::spawn(agent.run());
    handle
}

/// What is sealed to a host is not the same twice, and is looked at when all is healed.
fn as_decided(set: &AssignmentSet) -> AssignmentSet {
    AssignmentSet { secrets: None, ..set.clone() }
}

impl Agent {
    async fn run(mut self) {
        let told = with(|world| world.fleetds[self.host].told.clone());
        loop {
            let due = self.timers.keys().next().map(|(at, _)| *at);
            tokio::select! {
                changed = self.sets.changed() => if changed.is_err() { return } else { self.offered() },
                kept = self.kept.changed() => {
                    if kept.is_err() {
                        return;
                    }
                    with(|world| world.fleetds[self.host].sync());
                }
                confirmed = self.confirmed.changed() => {
                    if confirmed.is_err() {
                        return;
                    }
                    self.confirm();
                }
                () = told.notified() => self.hear(),
                () = until(due) => self.due(),
            }
            self.tell();
        }
    }

    /// Lets the host do something, and sees to what comes of it.
    fn turn(&mut self, act: impl FnOnce(&mut Host, Time, &mut Turn<'_>)) {
        let now = micros();
        let fault = with(|world| {
            let acts = super::draw(|rng| {
                let mut turn = Turn { host: self.host, rng, acts: Vec::new() };
                act(&mut world.hosts[self.host], now, &mut turn);
                turn.acts
            });
            acts.into_iter().find_map(|act| self.comes(world, now, act))
        });
        if let Some(fault) = fault {
            fail(&fault);
        }
    }

    fn comes(&mut self, world: &mut World, now: Time, act: Act) -> Option<String> {
        let number = self.host;
        match act {
            // Containers live without a fleetd.
            Act::After(after, happening @ Happening::Ends { .. }) => {
                world.plan(now + after, happening);
            }
            Act::After(after, happening) => {
                self.count += 1;
                self.timers.insert((now + after, self.count), happening);
            }
            Act::Starts(unit, order) => say(format_args!("h{number} starts {unit}, order {order}")),
            Act::Stops(unit) => {
                say(format_args!("h{number} ends {unit}"));
                return world.check.units.stops(&world.hosts[number], &unit, now);
            }
            Act::Says => {}
        }
        None
    }

    fn offered(&mut self) {
        let set = as_decided(&self.sets.borrow_and_update());
        say(format_args!("h{} takes over set {}", self.host, set.index));
        let fault = with(|world| world.check.units.takes(&world.hosts[self.host], &set));
        if let Some(fault) = fault {
            fail(&fault);
        }
        self.turn(|host, now, out| host.offer(set, now, out));
        self.confirm();
    }

    /// What waited for the fleet's word begins, if it has said that of this set.
    fn confirm(&mut self) {
        let confirmed = *self.confirmed.borrow_and_update();
        let host = |world: &mut World| {
            let host = &world.hosts[self.host];
            !host.confirmed && confirmed.is_some_and(|confirmed| confirmed <= host.set.index)
        };
        if !with(host) {
            return;
        }
        with(|world| world.check.confirmed(&world.hosts[self.host]));
        self.turn(|host, now, out| host.confirm(now, out));
    }

    fn hear(&mut self) {
        let news = with(|world| std::mem::take(&mut world.fleetds[self.host].news));
        for (unit, run) in news {
            self.turn(|host, now, out| host.hear_of_run(&unit, run, now, out));
        }
    }

    fn due(&mut self) {
        let now = micros();
        while let Some(first) = self.timers.first_entry().filter(|first| first.key().0 <= now) {
            match first.remove() {
                Happening::Wake { .. } => self.turn(|host, now, out| host.wake(now, out)),
                Happening::Launched { unit, run, .. } => self.launched(&unit, run),
                Happening::OfRun { unit, run, .. } => {
                    self.turn(|host, now, out| host.hear_of_run(&unit, run, now, out));
                }
                _ => {}
            }
        }
    }

    fn launched(&mut self, unit: &str, run: u64) {
        let fails = with(|world| world.failing);
        let fails = super::draw(|rng| rng.random_bool(fails));
        self.turn(|host, now, out| host.launched(unit, run, (now, fails), out));
        if let Some(fault) = with(|world| began(world, self.host, run)) {
            fail(&fault);
        }
    }

    /// How its units are, then how far it is.
    fn tell(&mut self) {
        let (states, there) = with(|world| {
            let host = &world.hosts[self.host];
            let states: BTreeMap<String, UnitState> =
                host.units.keys().map(|name| (name.clone(), state(host, name))).collect();
            (states, host.there())
        });
        for name in self.board.names().iter().filter(|name| !states.contains_key(*name)) {
            self.board.remove(name);
        }
        for (name, state) in states {
            let posted = Posted { state: state.clone(), image: None, run: None };
            if self.board.post(&name, posted) {
                self.context.event(&name, EventKind::State { state: Box::new(state) });
            }
        }
        self.progress(there);
    }

    fn progress(&self, runs: BTreeSet<String>) {
        let index = with(|world| world.hosts[self.host].set.index);
        let now = Progress { index, kept: *self.kept.borrow(), runs };
        self.progress.send_if_modified(|before| {
            let changed = *before != now;
            if changed {
                *before = now;
            }
            changed
        });
    }
}

async fn until(due: Option<Time>) {
    match due {
        Some(at) => {
            sleep_until(Instant::now() + Duration::from_micros(at.saturating_sub(micros()))).await;
        }
        None => std::future::pending().await,
    }
}

/// A container has come to be, or not.
fn began(world: &mut World, number: usize, run: u64) -> Option<String> {
    let container = world.hosts[number].containers.get(&run)?.clone();
    say(format_args!("h{number} runs {} as {run}", container.unit));
    let fault = world.check.units.began(&world.hosts, number, &container.unit);
    let (host, boot, now) = (number, world.hosts[number].boot, micros());
    let (ready, ends) = super::draw(|rng| {
        let ready = rng.random_range(50 * MS..3 * SECOND);
        let is_ready = world.is_healed || rng.random_bool(0.9);
        let ends = container.unit == "job.container" || rng.random_bool(world.ending);
        (is_ready.then_some(ready), ends.then(|| rng.random_range(MS..10 * SECOND)))
    });
    if let Some(ready) = ready {
        let ready = if world.is_healed { ready.min(SECOND) } else { ready };
        world.plan(now + ready, Happening::Ready { host, boot, run });
    }
    if let Some(ends) = ends {
        world.plan(now + ends, Happening::Ends { host, boot, run });
    }
    fault
}

fn state(host: &Host, name: &str) -> UnitState {
    let unit = &host.units[name];
    let (active, sub) = status::systemd(unit.life.phase);
    let desired = host.set.units.get(name).map(|assigned| assigned.entry.desired);
    let desired = desired.unwrap_or(DesiredState::Inactive);
    let since = match unit.run.as_ref().map(|run| &run.seen) {
        Some(Seen::Running { since, .. }) => Some(*since),
        _ => None,
    };
    UnitState {
        current: status::reached(desired, &unit.life),
        load: status::load(desired, true),
        active,
        sub: sub.to_owned(),
        machine: Some(host.id.to_string()),
        pid: None,
        address: None,
        ports: Vec::new(),
        since,
        health: None,
        restarts: 0,
        last_exit: unit.life.last_exit.clone(),
        message: None,
        unenforced: Vec::new(),
        steps: Vec::new(),
    }
}
