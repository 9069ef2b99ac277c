//! `Replaces=`: whose place a unit takes. As long as what it replaces has a place, it goes there
//! and nowhere else; what it replaced is never beside it afterwards.

use super::board::Board;
use super::host_set::HostSet;
use super::shape::meet;
use std::collections::BTreeSet;

/// Units on a host whose place the unit takes.
pub(super) fn replaced(board: &Board<'_>, unit: u32, host: u32) -> Vec<u32> {
    let wanted = &board.shape(unit).replaces;
    let here = board.here[host as usize].iter().copied();
    here.filter(|other| *other != unit && meet(wanted, &board.shape(*other).makes))
        .filter(|other| !reaches(board, *other, unit))
        .collect()
}

/// Hosts where there is such a unit. `Global=` excludes `Replaces=`.
pub(super) fn targets(board: &Board<'_>, unit: u32) -> HostSet {
    let mut marked = HostSet::none(board.hosts());
    board.shape(unit).replaces.iter().for_each(|mark| marked.add(board.marked(*mark)));
    let mut targets = HostSet::none(board.hosts());
    if board.is_global(unit) {
        return targets;
    }
    marked
        .iter()
        .filter(|host| !replaced(board, unit, *host).is_empty())
        .for_each(|host| targets.insert(host));
    targets
}

/// Whether one replaces the other, directly or through others: in a circle nobody gives way, or
/// the places would go round for ever.
fn reaches(board: &Board<'_>, from: u32, to: u32) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(unit) = open.pop() {
        let wanted = &board.shape(unit).replaces;
        if wanted.is_empty() {
            continue;
        }
        for other in &board.shapes.replacers {
            if *other != unit && meet(wanted, &board.shape(*other).makes) && seen.insert(*other) {
                if *other == to {
                    return true;
                }
                open.push(*other);
            }
        }
    }
    false
}
