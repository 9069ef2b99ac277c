//! Which host a unit gets: hard rules, room, wishes, priorities. `docs/schedule.md` is the contract.
//!
//! A pure function of a [`Fleet`]: equal fleets give equal plans on every host, whatever order
//! things came in. It changes nothing, and knows nothing of time; who is dead is told to it.
//!
//! `shape` makes numbers of hosts and units, `board` holds who is where, `keep` puts the present
//! assignments on it, `place` gives places to the rest with `preempt` and `replace`, `explain`
//! and `remedy` find the words.

mod amount;
mod board;
mod explain;
mod fleet;
mod follow;
mod host_set;
mod keep;
mod load;
mod place;
mod plan;
mod preempt;
mod rebalance;
mod remedy;
mod replace;
mod score;
mod shape;
mod why;

pub use crate::core::unit::glob;
pub use explain::{Group, Rule, Unplaced};
pub use fleet::{
    Assignment, Fill, Fleet, Host, HostPort, Options, Preference, Protocol, Resources, Spread, Unit,
};
pub use load::{Load, loads};
pub use plan::{Arrival, Cause, Change, Plan};
pub use rebalance::{Limits, rebalance};
pub use score::Score;
pub use why::{Verdict, Why, WhyHost, why};

use explain::Explainer;
use place::Placer;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Gives every unit a place that can have one. What is validly placed stays.
pub fn place(fleet: &Fleet, options: Options) -> Plan {
    let mut placer = Placer::new(fleet, options);
    placer.run();
    let changes = changes(fleet, &placer);
    let failed: BTreeSet<u32> = placer.failed.iter().map(|(unit, _)| *unit).collect();
    let mut explainer = Explainer::new();
    let unplaced =
        failed.into_iter().map(|unit| explainer.unplaced(&mut placer.board, unit)).collect();
    Plan { changes, unplaced }
}

/// What differs between the present assignments and the board.
fn changes(fleet: &Fleet, placer: &Placer<'_>) -> Vec<Change> {
    let board = &placer.board;
    let mut before: BTreeMap<&str, BTreeSet<(Reverse<u64>, &str)>> = BTreeMap::new();
    for Assignment { unit, host, epoch, .. } in &fleet.assignments {
        before.entry(unit).or_default().insert((Reverse(*epoch), host));
    }
    let mut changes = Vec::new();
    for (unit, name) in (0..).zip(&board.unit_names) {
        let had = before.remove(name).unwrap_or_default();
        let spots = &board.spots[unit as usize];
        let now: BTreeSet<&str> = spots.iter().map(|host| board.host_ids[*host as usize]).collect();
        let stays = had.iter().any(|(_, host)| now.contains(host));
        // A unit that is not global moves from its newest place; older ones only end.
        let moves = (!board.is_global(unit) && !stays).then(|| had.first().map(|(_, host)| *host));
        let moves = moves.flatten().filter(|_| !now.is_empty());
        let mut ended = BTreeSet::new();
        for (_, from) in had.iter().filter(|(_, host)| !now.contains(host) && Some(*host) != moves)
        {
            if ended.insert(*from) {
                let cause = cause(placer, name, from);
                changes.push(Change::Unassign {
                    unit: name.to_string(),
                    from: from.to_string(),
                    cause,
                });
            }
        }
        for host in spots {
            let Some(to) = placer.arrivals.get(&(unit, *host)).cloned() else { continue };
            if had.iter().any(|(_, before)| *before == to.host) {
                continue;
            }
            let unit = name.to_string();
            changes.push(match moves {
                Some(from) => Change::Move {
                    unit,
                    from: from.to_owned(),
                    to,
                    cause: cause(placer, name, from),
                },
                None => Change::Assign { unit, to },
            });
        }
    }
    for (unit, had) in before {
        for from in had.into_iter().map(|(_, host)| host.to_owned()).collect::<BTreeSet<_>>() {
            changes.push(Change::Unassign { unit: unit.to_owned(), from, cause: Cause::Unwanted });
        }
    }
    changes.sort_by(|one, other| one.unit().cmp(other.unit()));
    changes
}

fn cause(placer: &Placer<'_>, unit: &str, host: &str) -> Cause {
    placer.causes.get(&(unit, host)).cloned().unwrap_or(Cause::Unwanted)
}

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
