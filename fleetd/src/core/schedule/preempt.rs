//! Which units of a lower priority make room for one that fits nowhere.
//!
//! On each host the lowest go first, and of those the largest, until it fits; then whoever is not
//! needed after all stays, the highest first. The best host is the one whose highest victim is the
//! lowest, then the one with the fewest.

use super::board::{Board, has_room, obstructs};
use super::host_set::HostSet;
use super::shape::{Amounts, Shape, meet};
use std::cmp::Reverse;
use std::collections::BTreeSet;

pub(super) struct Victims {
    pub(super) host: u32,
    pub(super) units: Vec<u32>,
}

/// Whom it follows does not go for it. None: it fits on none of the hosts, whoever of a lower
/// priority goes.
pub(super) fn victims(
    board: &Board<'_>,
    shape: &Shape,
    hosts: &HostSet,
    leaders: &[u32],
) -> Option<Victims> {
    if board.least_priority().is_none_or(|least| least >= shape.priority) {
        return None;
    }
    let mut best: Option<(Cost, Victims)> = None;
    for host in hosts.iter() {
        let of = |unit: &u32| i64::from(board.shape(*unit).priority);
        // One victim of the least priority there is the best that this host can do.
        let Some(least) = board.here[host as usize].iter().map(of).min() else { continue };
        if best.as_ref().is_some_and(|(cost, _)| *cost < (least, 1, least, host)) {
            continue;
        }
        let Some(units) = on_host(board, shape, host, leaders) else { continue };
        let highest = units.iter().map(of).max().unwrap_or(least);
        let cost = (highest, units.len(), units.iter().map(of).sum(), host);
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, Victims { host, units }));
        }
    }
    best.map(|(_, victims)| victims)
}

/// The highest priority, how many they are, the sum of the priorities, the host.
type Cost = (i64, usize, i64, u32);

/// A unit and those who follow it, who lose the place together.
struct Group {
    highest: i32,
    units: Vec<u32>,
    asks: Amounts,
}

fn on_host(board: &Board<'_>, shape: &Shape, host: u32, leaders: &[u32]) -> Option<Vec<u32>> {
    let group =
        |unit: u32| group(board, shape, unit, host).filter(|group| !meet(leaders, &group.units));
    let here = &board.here[host as usize];
    if here.iter().all(|unit| board.shape(*unit).priority >= shape.priority) {
        return None;
    }
    let mut gone = BTreeSet::new();
    if shape.shuns.iter().any(|mark| board.marked(*mark).has(host)) {
        for unit in here.iter().filter(|unit| obstructs(board.shape(**unit), shape)) {
            // Who was replaced does not come back in place of who replaced it.
            if replaces(board.shape(*unit), shape) {
                return None;
            }
            gone.extend(group(*unit)?.units);
        }
    }
    let firm = gone.clone();
    let mut groups: Vec<Group> = here.iter().filter_map(|unit| group(*unit)).collect();
    let size = |group: &Group| (0..3).map(|kind| portion(board, group, kind, host)).sum::<i64>();
    groups.sort_by_cached_key(|group| (group.highest, Reverse(size(group)), group.units.clone()));
    let fits = |gone: &BTreeSet<u32>| {
        let mut free = board.free(host);
        for unit in gone {
            (0..3).for_each(|kind| free[kind] += board.shape(*unit).asks[kind]);
        }
        has_room(&shape.asks, &free)
    };
    for group in &groups {
        if fits(&gone) {
            break;
        }
        gone.extend(&group.units);
    }
    if !fits(&gone) {
        return None;
    }
    for group in groups.iter().rev() {
        let mut fewer = gone.clone();
        fewer.retain(|unit| firm.contains(unit) || !group.units.contains(unit));
        // A leader that goes takes those who stay with it.
        let torn = fewer.iter().any(|unit| {
            board.follow.followers[*unit as usize].iter().any(|other| group.units.contains(other))
        });
        if !torn && fits(&fewer) {
            gone = fewer;
        }
    }
    Some(gone.into_iter().collect())
}

/// None: one of them has too high a priority.
fn group(board: &Board<'_>, shape: &Shape, unit: u32, host: u32) -> Option<Group> {
    let mut units = with_followers(board, unit, host);
    let highest = units.iter().map(|unit| board.shape(*unit).priority).max()?;
    let mut asks = [0; 3];
    for unit in &units {
        (0..3).for_each(|kind| asks[kind] += board.shape(*unit).asks[kind]);
    }
    units.sort_unstable();
    (highest < shape.priority).then_some(Group { highest, units, asks })
}

/// Thousandths of the host's capacity.
fn portion(board: &Board<'_>, group: &Group, kind: usize, host: u32) -> i64 {
    let room = board.room(kind, host).max(1);
    (i128::from(group.asks[kind]) * 1000 / i128::from(room)) as i64
}

/// Whether a unit has taken, or would take, the place of the shape's.
fn replaces(unit: &Shape, shape: &Shape) -> bool {
    unit.replaces.iter().any(|mark| shape.makes.binary_search(mark).is_ok())
}

/// The unit and all who follow it there, itself first.
pub(super) fn with_followers(board: &Board<'_>, unit: u32, host: u32) -> Vec<u32> {
    let mut list = vec![unit];
    let mut next = 0;
    while let Some(leader) = list.get(next) {
        for follower in &board.follow.followers[*leader as usize] {
            if board.spots[*follower as usize].contains(&host) && !list.contains(follower) {
                list.push(*follower);
            }
        }
        next += 1;
    }
    list
}
