//! What has to hold at every step: one history, and what the pure simulation checks
//! of units.

use crate::core::decided::{Decided, GENERATION};
use crate::core::machine_id::MachineId;
use crate::core::tests::simulation::check::Checker;
use crate::core::tests::simulation::host::{Host, SECOND, Time};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A host that a leader has taken for lost may be written off so long after.
const WRITTEN_OFF: Time = 20 * SECOND;

/// So long a host waits for somebody to tell it, and a little less.
const ALONE: Time = 9 * SECOND;

#[derive(Default)]
pub(super) struct Check {
    pub(super) units: Checker,
    /// What was decided, by its index: the same for all.
    history: BTreeMap<u64, Arc<Decided>>,
    /// When a leader took a host for lost last.
    lost: BTreeMap<MachineId, Time>,
    decides: Pace,
}

/// When something was decided, and when it was so before that. What was proposed while nothing could
/// be decided waits in the leader's log, and is decided with what comes then.
#[derive(Default)]
struct Pace {
    before: Time,
    last: Time,
}

impl Pace {
    const AT_ONCE: Time = SECOND;

    fn beats(&mut self, now: Time) {
        if now > self.last + Self::AT_ONCE {
            self.before = self.last;
        }
        self.last = now;
    }
}

impl Check {
    /// A host goes by this from here on.
    pub(super) fn published(
        &mut self,
        by: Option<usize>,
        decided: &Arc<Decided>,
        hosts: &[Host],
    ) -> Option<String> {
        if hosts.is_empty() {
            return None;
        }
        // A host that has not joined yet decides for itself.
        if decided.fleet.is_none() {
            return self.units.numbers(decided);
        }
        if let Some(known) = self.history.get(&decided.index) {
            let same = known == decided;
            return (!same).then(|| {
                format!(
                    "{by:?} has another decision {} than others: {}",
                    decided.index,
                    differ(known, decided)
                )
            });
        }
        let before = self.newest();
        self.history.insert(decided.index, Arc::clone(decided));
        if let Some(fault) = self.units.numbers(decided) {
            return Some(fault);
        }
        let before = before?;
        if before.index / GENERATION != decided.index / GENERATION {
            // Who is left behind goes on by itself until it hears of that.
            let (older, newer) = match before.index < decided.index {
                true => (&before, decided),
                false => (decided, &before),
            };
            self.units.restored(older, newer);
        }
        if before.index > decided.index {
            return None;
        }
        self.decides.beats(super::wall::micros());
        self.lost.retain(|_, at| *at + WRITTEN_OFF > self.decides.before);
        self.units.lost = self.lost.keys().copied().collect();
        self.units.places(&before, decided, true)
    }

    /// What was decided last, as far as any host knows.
    pub(super) fn newest(&self) -> Option<Arc<Decided>> {
        self.history.last_key_value().map(|(_, decided)| Arc::clone(decided))
    }

    /// A leader takes a host for lost.
    pub(super) fn takes_for_lost(&mut self, host: MachineId, now: Time) {
        self.lost.insert(host, now);
    }

    /// A host that has come back begins what its set says. What it knows to have lost it does not begin.
    pub(super) fn confirmed(&mut self, host: &Host) {
        let newest = self.newest();
        // Most voters of an earlier generation, back at once, know of no later one.
        let generation = newest.as_ref().map(|decided| decided.index / GENERATION);
        if generation.is_some_and(|newest| newest != host.set.index / GENERATION) {
            return;
        }
        let newest = newest.and_then(|decided| decided.sets.get(&host.id).copied());
        // Before that nobody can have been given up to wait for.
        let is_told = super::wall::micros() < host.came + ALONE;
        if is_told || newest.is_none_or(|newest| newest <= host.set.index) {
            self.units.confirmed(host);
        }
    }
}

/// Which part of it.
fn differ(one: &Decided, other: &Decided) -> String {
    let parts = [
        ("units", one.units == other.units),
        ("machines", one.machines == other.machines),
        ("places", one.places == other.places),
        ("sets", one.sets == other.sets),
        ("the fleet", one.fleet == other.fleet),
    ];
    let other: Vec<&str> = parts.iter().filter(|(_, same)| !same).map(|(part, _)| *part).collect();
    other.join(", ")
}
