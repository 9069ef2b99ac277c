//! What is known of all hosts at once, which no host knows; and what happened.

use super::check::Check;
use super::host::{Fleetd, Order};
use super::registers::Registers;
use super::wall;
use crate::core::decided::Decided;
use crate::core::tests::simulation::host::{Host, Time};
use crate::core::tests::simulation::world::Happening;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct World {
    /// Disks, containers, and what the agents know.
    pub(super) hosts: Vec<Host>,
    pub(super) fleetds: Vec<Fleetd>,
    pub(super) check: Check,
    pub(super) registers: Registers,
    pub(super) backup: Option<Vec<u8>>,
    pub(super) is_healed: bool,
    /// What becomes of containers, whether a fleetd lives or not.
    pub(super) planned: BTreeMap<(Time, u64), Happening>,
    count: u64,
    /// How often starts fail, and containers end by themselves.
    pub(super) failing: f64,
    pub(super) ending: f64,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
    static FAILED: Cell<bool> = const { Cell::new(false) };
}

pub(super) fn with<T>(look: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with_borrow_mut(look)
}

/// A line of the trace.
pub(super) fn say(line: impl std::fmt::Display) {
    let now = wall::micros();
    // Where the files are is of this process.
    let line = line.to_string().replace(&*super::host::root().to_string_lossy(), "");
    println!("{:>4}.{:03} {line}", now / 1_000_000, now % 1_000_000 / 1000);
}

/// What a fleetd logs is part of what happened.
pub(super) fn logged(line: &str) {
    match wall::at_work() {
        Some(host) => say(format_args!("h{host} logs: {line}")),
        None => say(format_args!("logs: {line}")),
    }
}

/// What has to hold does not: that is the end of it, whichever task has found it.
pub(super) fn fail(fault: &str) -> ! {
    if FAILED.replace(true) {
        // On its way out.
        std::process::abort();
    }
    say(format_args!("FAULT: {fault}"));
    eprintln!("{fault}");
    let _ = std::fs::remove_dir_all(super::host::root());
    std::process::exit(1);
}

/// A host has applied what was decided, and goes by it from here on.
pub(crate) fn published(decided: &Arc<Decided>) {
    if !turmoil::in_simulation() {
        return;
    }
    let fault = with(|world| {
        let by = wall::at_work();
        world.look();
        let World { check, hosts, registers, .. } = world;
        check.published(by, decided, hosts).or_else(|| registers.check(decided))
    });
    if let Some(fault) = fault {
        fail(&fault);
    }
}

impl World {
    /// Whom those who lead take for lost.
    pub(super) fn look(&mut self) {
        let now = wall::micros();
        for api in self.fleetds.iter().filter_map(|fleetd| fleetd.api.as_ref()) {
            let Some(raft) = api.consensus.raft().filter(|_| api.links.is_some()) else { continue };
            if raft.metrics().borrow().state.is_leader() {
                let observed = api.observed.borrow().clone();
                let lost = observed.machines.iter().filter(|(_, seen)| seen.lost);
                lost.for_each(|(id, _)| self.check.takes_for_lost(*id, now));
            }
        }
    }

    pub(super) fn plan(&mut self, at: Time, happening: Happening) {
        self.count += 1;
        self.planned.insert((at, self.count), happening);
    }

    /// The next of what is planned, if it is due.
    pub(super) fn due(&mut self, now: Time) -> Option<Happening> {
        let first = self.planned.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove())
    }

    /// Asks something of a host, if its fleetd answers. What comes of it `told` is told in that host.
    pub(super) fn ask(&self, host: usize, order: Order) -> bool {
        let orders = self.fleetds[host].orders.as_ref();
        orders.is_some_and(|orders| orders.send(order).is_ok())
    }
}
