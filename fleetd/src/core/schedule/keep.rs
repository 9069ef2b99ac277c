//! Which of the present assignments hold: a unit that is validly placed stays where it is.

use super::board::Board;
use super::explain;
use super::fleet::{Assignment, Host};
use super::plan::Cause;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Why a unit loses a place, by unit and host.
pub(super) type Causes<'a> = BTreeMap<(&'a str, &'a str), Cause>;

/// Fills an empty board with what may stay.
pub(super) fn keep<'a>(board: &mut Board<'a>) -> Causes<'a> {
    let mut causes = Causes::new();
    let mut staying = Vec::new();
    let mut newest: Option<&Assignment> = None;
    for assignment in in_order(board.fleet) {
        let of_same = newest.filter(|newer| newer.unit == assignment.unit);
        match judge(board, assignment, of_same) {
            Ok(place) => staying.push((place, assignment.epoch)),
            Err(cause) => {
                causes.insert((&assignment.unit, &assignment.host), cause);
            }
        }
        newest = of_same.or(Some(assignment));
    }
    // Where not all have room, the leaders and the higher priorities are the first to stay, and
    // the longest there.
    staying.sort_by_key(|((unit, host), epoch)| {
        let depth = board.follow.depth[*unit as usize];
        (depth, Reverse(board.shape(*unit).priority), *epoch, *unit, *host)
    });
    for ((unit, host), _) in staying {
        if board.here[host as usize].binary_search(&unit).is_ok() {
            continue;
        }
        let mut led = board.one(host);
        board.led(unit, &[], &mut led);
        if led.has(host) && board.bears(unit, host) {
            board.add(unit, host);
        } else {
            let reason = explain::first_reason(board, unit, host);
            let names = (board.unit_names[unit as usize], board.host_ids[host as usize]);
            causes.insert(names, Cause::Refused { reason });
        }
    }
    causes
}

/// The newest of a unit first; of one place only the newest.
fn in_order(fleet: &super::Fleet) -> Vec<&Assignment> {
    let mut list: Vec<&Assignment> = fleet.assignments.iter().collect();
    list.sort_by_key(|a| (&a.unit, &a.host, Reverse(a.epoch)));
    list.dedup_by_key(|a| (&a.unit, &a.host));
    list.sort_by_key(|a| (&a.unit, Reverse(a.epoch), &a.host));
    list
}

/// The place as indices, or why it is lost whatever else is there.
fn judge(
    board: &Board<'_>,
    assignment: &Assignment,
    newer: Option<&Assignment>,
) -> Result<(u32, u32), Cause> {
    let unit = index(&board.unit_names, &assignment.unit).ok_or(Cause::Unwanted)?;
    if let Some(newer) = newer.filter(|_| !board.is_global(unit)) {
        return Err(Cause::Older { newer: newer.host.clone() });
    }
    let host = board.fleet.hosts.get(&assignment.host).ok_or(Cause::Unknown)?;
    lost(host)?;
    Ok((unit, index(&board.host_ids, &assignment.host).ok_or(Cause::Unknown)?))
}

fn lost(host: &Host) -> Result<(), Cause> {
    match host {
        Host { keeps: true, .. } => Ok(()),
        Host { alive: false, .. } => Err(Cause::Dead),
        Host { draining: true, .. } => Err(Cause::Draining),
        _ => Err(Cause::Leaving),
    }
}

pub(super) fn index(names: &[&str], name: &str) -> Option<u32> {
    names.binary_search(&name).ok().and_then(|at| u32::try_from(at).ok())
}
