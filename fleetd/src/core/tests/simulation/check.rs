//! What has to hold at every step.

use super::expected::Expected;
use super::host::{Host, Time};
use super::units;
use crate::core::cluster::Observed;
use crate::core::decided::{AssignmentSet, Decided};
use crate::core::machine_id::MachineId;
use crate::core::reconcile::{Phase, Seen, StopCause};
use crate::core::restart::micros;
use crate::core::unit::container::ServiceType;
use fleetd_api::DesiredState;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(crate) struct Checker {
    /// Every set that was ever decided.
    pub(crate) sets: BTreeMap<(MachineId, u64), AssignmentSet>,
    owners: BTreeMap<(String, u64), MachineId>,
    /// Places that a host lost without having been heard of: a copy may still run there.
    written_off: BTreeSet<(String, MachineId)>,
    /// Hosts that were lost for the leader when it proposed last.
    pub(crate) lost: BTreeSet<MachineId>,
    /// Units that have no place when all is healed, as the leader says.
    pub(crate) unplaced: BTreeSet<String>,
}

impl Checker {
    /// The leader proposes, by what it sees.
    pub(crate) fn lost(&mut self, _leader: usize, observed: &Observed) {
        let lost = observed.machines.iter().filter(|(_, seen)| seen.lost);
        self.lost = lost.map(|(id, _)| *id).collect();
    }

    /// Something was decided.
    pub(super) fn decided(
        &mut self,
        (before, after): (&Decided, &Decided),
        expected: &Expected,
        by_leader: bool,
    ) -> Option<String> {
        if let Some(lost) = expected.lost(after) {
            return Some(format!("an acknowledged write is lost: {lost}"));
        }
        let voters = after.fleet.as_ref().map(|fleet| fleet.voters.clone()).unwrap_or_default();
        if let Some(id) = voters.iter().find(|id| !after.machines.contains_key(*id)) {
            return Some(format!("{id} is a voter and none of the fleet"));
        }
        self.places(before, after, by_leader).or_else(|| self.numbers(after))
    }

    pub(crate) fn places(
        &mut self,
        before: &Decided,
        after: &Decided,
        by_leader: bool,
    ) -> Option<String> {
        for name in crate::core::decided::changed(&before.places, &after.places) {
            let places = |of: &Decided| of.places.get(&name).cloned().unwrap_or_default();
            let (old, new) = (places(before), places(after));
            for place in old.iter().filter(|place| new.iter().all(|p| p.machine != place.machine)) {
                let gone = !after.machines.contains_key(&place.machine);
                if gone || by_leader && self.lost.contains(&place.machine) {
                    self.written_off.insert((name.clone(), place.machine));
                }
            }
            for place in new.iter() {
                if old.iter().any(|p| p.machine == place.machine && p.epoch == place.epoch) {
                    continue;
                }
                self.written_off.remove(&(name.clone(), place.machine));
                let owner =
                    *self.owners.entry((name.clone(), place.epoch)).or_insert(place.machine);
                if owner != place.machine && !units::is_global(&name) {
                    return Some(format!(
                        "{name} has two owners in epoch {}: {owner} and {}",
                        place.epoch, place.machine
                    ));
                }
            }
            if new.len() > 1 && !units::is_global(&name) {
                return Some(format!("{name} has two places: {new:?}"));
            }
        }
        None
    }

    /// A set never changes without its number.
    pub(crate) fn numbers(&mut self, after: &Decided) -> Option<String> {
        for id in after.machines.keys() {
            let set = after.set(*id);
            let known = self.sets.entry((*id, set.index)).or_insert_with(|| set.clone());
            if *known != set {
                return Some(format!(
                    "the set of {id} is another one with the same index {}: {:?} and {:?}",
                    set.index, known.units, set.units
                ));
            }
        }
        None
    }

    /// An older state was put in place of the newest.
    pub(crate) fn restored(&mut self, before: &Decided, after: &Decided) {
        let names = before.units.keys().chain(after.units.keys());
        let ids = before.machines.keys().chain(after.machines.keys());
        let ids: Vec<MachineId> = ids.copied().collect();
        for name in names {
            for id in &ids {
                let mut places = after.places.get(name).into_iter().flat_map(|all| all.iter());
                if places.all(|place| place.machine != *id) {
                    self.written_off.insert((name.clone(), *id));
                }
            }
        }
    }

    /// A host has come back and knows of all that was decided: what it has lost, it does not begin.
    pub(crate) fn confirmed(&mut self, host: &Host) {
        let runs = |unit: &str| host.containers.values().any(|one| one.unit == unit);
        self.written_off.retain(|(unit, id)| *id != host.id || runs(unit));
    }

    /// A host takes over a set.
    pub(crate) fn takes(&self, host: &Host, set: &AssignmentSet) -> Option<String> {
        let same = self.sets.get(&(host.id, set.index)).is_some_and(|known| known == set);
        if !same {
            return Some(format!("{} obeys a set that nobody has decided: {set:?}", host.id));
        }
        (set.index <= host.set.index)
            .then(|| format!("{} goes back from set {} to {}", host.id, host.set.index, set.index))
    }

    /// A host ends what runs of a unit, or takes its start back.
    pub(crate) fn stops(&self, host: &Host, name: &str, now: Time) -> Option<String> {
        let unit = host.units.get(name)?;
        let run = unit.run.as_ref()?;
        // It was asked by a fleetd that died since: it is asked once more.
        let is_asked = host.containers.get(&run.id).is_some_and(|one| one.is_asked);
        let (order, since) = match run.seen {
            _ if is_asked => return None,
            Seen::Preparing { order } => (order, None),
            Seen::Running { order, since, ready: false, .. } => (order, Some(since)),
            Seen::Running { order, .. } => (order, None),
            _ => return None,
        };
        let set = &host.set;
        if self.sets.get(&(host.id, set.index)) != Some(set.as_ref()) {
            return Some(format!("{} ends {name} by a set that nobody has decided", host.id));
        }
        let by_set = order <= set.index
            && set.units.get(name).is_none_or(|assigned| {
                let entry = &assigned.entry;
                entry.desired != DesiredState::Launched || entry.destroyed || entry.restart > order
            });
        let timeout = StopCause::StartTimeout;
        let by_policy = unit.life.phase == Phase::Stopping { because: timeout }
            && unit.file.as_ref().zip(since).is_some_and(|((_, service), since)| {
                let limit = service.timeout_start.map(micros);
                service.kind == ServiceType::Notify
                    && limit.is_some_and(|limit| host.clock + now >= since + limit)
            });
        (!by_set && !by_policy).then(|| {
            format!(
                "{} ends {name}, which obeys {order}, by its set {}, which says {:?}",
                host.id,
                set.index,
                set.units.get(name)
            )
        })
    }

    /// A container has begun to run.
    pub(crate) fn began(&self, hosts: &[Host], at: usize, unit: &str) -> Option<String> {
        let is_written_off = |host: &Host| self.written_off.contains(&(unit.to_owned(), host.id));
        if units::is_global(unit) || is_written_off(&hosts[at]) {
            return None;
        }
        let runs_too = hosts.iter().zip(0..).find(|(host, number)| {
            let live = host
                .containers
                .values()
                .any(|one| one.unit == unit && one.ended.is_none() && one.owner == host.id);
            *number != at && live && !is_written_off(host)
        });
        runs_too.map(|(host, _)| {
            format!(
                "{unit} runs on {} and on {}, which could have been asked",
                hosts[at].id, host.id
            )
        })
    }
}
