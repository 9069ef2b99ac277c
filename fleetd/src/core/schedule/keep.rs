//! Which of the present assignments hold: a unit that is validly placed stays where it is.

use super::board::Board;
use super::explain;
use super::fleet::{Assignment, Host};
use super::plan::Cause;
use super::preempt::with_followers;
use super::shape::amounts;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Why a unit loses a place, by unit and host.
pub(super) type Causes<'a> = BTreeMap<(&'a str, &'a str), Cause>;

/// Fills an empty board with what may stay.
///
/// Nobody loses a place because the host has less room than it had: what it was granted counts. Who
/// asks for more than that needs room for it.
pub(super) fn keep<'a>(board: &mut Board<'a>) -> Causes<'a> {
    let mut causes = Causes::new();
    let mut staying = Vec::new();
    let mut newest: Option<&Assignment> = None;
    for assignment in in_order(board.fleet) {
        let of_same = newest.filter(|newer| newer.unit == assignment.unit);
        match judge(board, assignment, of_same) {
            Ok((unit, host)) => staying.push((unit, host, assignment)),
            Err(cause) => {
                causes.insert((&assignment.unit, &assignment.host), cause);
            }
        }
        newest = of_same.or(Some(assignment));
    }
    // The leaders and the higher priorities are the first to stay, and the longest there.
    staying.sort_by_key(|(unit, host, assignment)| {
        let depth = board.follow.depth[*unit as usize];
        (depth, Reverse(board.shape(*unit).priority), assignment.epoch, *unit, *host)
    });
    staying.retain(|(unit, host, _)| {
        let here = board.here[*host as usize].binary_search(unit).is_ok();
        if !here && may_stay(board, *unit, *host) {
            board.add(*unit, *host);
            return true;
        }
        if !here {
            let reason = explain::first_reason(board, *unit, *host);
            causes.insert(names(board, *unit, *host), Cause::Refused { reason });
        }
        false
    });
    for (unit, host, assignment) in staying.into_iter().rev() {
        if !has_outgrown(board, unit, host, assignment) {
            continue;
        }
        let leader = board.unit_names[unit as usize].to_owned();
        // The unit itself is the first: its followers are still in its way then.
        for gone in with_followers(board, unit, host) {
            board.remove(gone, host);
            let cause = if gone == unit {
                Cause::Refused { reason: explain::first_reason(board, unit, host) }
            } else {
                Cause::Follows { leader: leader.clone() }
            };
            causes.insert(names(board, gone, host), cause);
        }
    }
    causes
}

fn names<'a>(board: &Board<'a>, unit: u32, host: u32) -> (&'a str, &'a str) {
    (board.unit_names[unit as usize], board.host_ids[host as usize])
}

/// Whatever room there is.
fn may_stay(board: &Board<'_>, unit: u32, host: u32) -> bool {
    let shape = board.shape(unit);
    let silent = |host: &Host| host.silent;
    let silent = board.fleet.hosts.get(board.host_ids[host as usize]).is_some_and(silent);
    let mut led = board.one(host);
    board.led(unit, &[], &mut led);
    led.has(host) && (silent || board.has_needs(shape, host)) && !board.is_shunned(shape, host)
}

/// Whether it is there and asks for more than it was granted, of something that there is too little of.
fn has_outgrown(board: &Board<'_>, unit: u32, host: u32, assignment: &Assignment) -> bool {
    let (asks, granted) = (board.shape(unit).asks, amounts(assignment.granted));
    let free = board.free(host);
    board.here[host as usize].binary_search(&unit).is_ok()
        && (0..3).any(|kind| free[kind] < 0 && asks[kind] > granted[kind])
}

/// The newest of a unit first; of one place only the newest.
fn in_order(fleet: &super::Fleet) -> Vec<&Assignment> {
    let mut list: Vec<&Assignment> = fleet.assignments.iter().collect();
    list.sort_by_key(|a| (&a.unit, &a.host, Reverse((a.epoch, a.granted))));
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
