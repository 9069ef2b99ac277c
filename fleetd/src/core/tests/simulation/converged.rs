//! When all is healed: every wanted unit runs once, where it has its place; nothing else runs; nothing
//! is left to decide.

use super::faults;
use super::host::{Host, SECOND};
use super::units;
use super::world::World;
use crate::core::cluster::is_template;
use crate::core::decided::AssignmentSet;
use crate::core::reconcile::Phase;
use crate::core::unit::container::Restart;
use fleetd_api::DesiredState;

/// Longer than anything takes: elections, graces, start limits, restarts.
const LIMIT: u64 = 120;
/// Nothing changes any more for so long.
const STILL: u64 = 5;

/// Lets time pass until it is so.
pub(super) fn wait(world: &mut World) {
    let (mut still, mut position) = (0, 0);
    for _ in 0..LIMIT {
        faults::join_all(world);
        world.run(SECOND);
        let same = world.group.position() == position;
        position = world.group.position();
        still = if same && missing(world).is_none() { still + 1 } else { 0 };
        if still == STILL {
            if !world.group.replays() {
                world.fail("the log leads to another state when it is read again");
            }
            return;
        }
    }
    let missing =
        missing(world).unwrap_or_else(|| "something is decided again and again".to_owned());
    world.fail(&format!("it does not come to rest: {missing}"));
}

fn missing(world: &World) -> Option<String> {
    let decided = world.group.now();
    if world.group.leader.is_none() {
        return Some("nobody leads".to_owned());
    }
    let lost = decided.machines.keys().any(|id| world.host_of(*id).is_none());
    if decided.fleet.as_ref().is_some_and(|fleet| fleet.rotation.is_some()) && !lost {
        return Some("a rotation of keys does not come to its end".to_owned());
    }
    for (host, number) in world.hosts.iter().zip(0..) {
        // One that was removed hears of nothing any more, and what runs there goes on.
        if decided.machines.contains_key(&host.id) {
            let newest = decided.sets.get(&host.id).copied().unwrap_or(0);
            if host.set.index != newest {
                return Some(format!("h{number} obeys {} and not {newest}", host.set.index));
            }
            if let Some(wrong) = of_host(&decided.set(host.id), host) {
                return Some(format!("h{number}: {wrong}"));
            }
        }
    }
    of_units(world)
}

/// Every wanted unit has a place, or the leader says that it has none.
fn of_units(world: &World) -> Option<String> {
    let decided = world.group.now();
    for (name, entry) in &decided.units {
        let has_place = decided.places.contains_key(name);
        let wanted = entry.wants_place() && !is_template(name);
        if wanted && !has_place && !units::is_global(name) && !world.check.unplaced.contains(name) {
            return Some(format!("{name} has no place, and nobody says why"));
        }
        if !wanted && has_place {
            return Some(format!("{name} is not wanted, and has a place"));
        }
        let places = decided.places.get(name).into_iter().flat_map(|places| places.iter());
        for place in places {
            if world.host_of(place.machine).is_none() {
                return Some(format!("{name} has its place on {}, which is gone", place.machine));
            }
        }
        if entry.destroyed {
            return Some(format!("{name} was destroyed, and is there"));
        }
    }
    None
}

/// What of a host is not as its newest set says.
pub(crate) fn of_host(set: &AssignmentSet, host: &Host) -> Option<String> {
    for (name, assigned) in &set.units {
        let live = host.containers.values();
        let live = live.filter(|one| one.unit == *name && one.ended.is_none()).count();
        let wanted = assigned.entry.desired == DesiredState::Launched;
        if live > usize::from(wanted) {
            return Some(format!("{name} runs {live} times"));
        }
        if wanted && live == 0 && !may_rest(host, name) {
            let life = host.units.get(name).map(|unit| &unit.life);
            return Some(format!("{name} does not run: {life:?}"));
        }
    }
    let foreign = |unit: &String| !set.units.contains_key(unit);
    let mut containers = host.containers.values();
    if let Some(one) = containers.find(|one| one.ended.is_none() && foreign(&one.unit)) {
        return Some(format!("{} runs, and has no place there: {one:?}", one.unit));
    }
    None
}

/// Whether its policy lets it rest.
fn may_rest(host: &Host, name: &str) -> bool {
    let Some(unit) = host.units.get(name) else { return false };
    let Some(service) = host.rested.get(name) else { return false };
    let for_ever = service.restart == Restart::Always && service.start_limit_interval.is_zero();
    let rests = matches!(unit.life.phase, Phase::Dead | Phase::Failed | Phase::Exited);
    rests && !for_ever && unit.life.last_exit.is_some()
}
