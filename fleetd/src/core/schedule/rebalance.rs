//! Moves that make a settled fleet better. Never part of placing: a move is a restart, so it
//! happens only on request, only for a stated gain, and only so many at a time.

use super::board::Board;
use super::fleet::{Fleet, Options};
use super::host_set::HostSet;
use super::keep::keep;
use super::plan::{Arrival, Cause, Change};
use super::score::Score;
use super::shape::template;
use std::cmp::Reverse;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub moves: usize,
    /// Of the instances of one template.
    pub moves_per_template: usize,
    /// Points by which the other host has to be better.
    pub margin: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { moves: 10, moves_per_template: 1, margin: 300 }
    }
}

/// The greatest gains first. The moves may be made in any order: none of them needs what another
/// one gives up.
pub fn rebalance(fleet: &Fleet, options: Options, limits: Limits) -> Vec<Change> {
    let mut board = Board::new(fleet, options.fill);
    keep(&mut board);
    // What moves is counted on both of its hosts here.
    let mut claims = board.clone();
    let mut gains: Vec<(Reverse<i64>, u32)> = (0..board.unit_names.len() as u32)
        .filter_map(|unit| {
            gain(&mut board, &claims, unit).map(|(points, ..)| (Reverse(points), unit))
        })
        .filter(|(Reverse(points), _)| *points >= limits.margin)
        .collect();
    gains.sort_unstable();
    let mut changes = Vec::new();
    let mut moved: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (_, unit) in gains {
        if changes.len() >= limits.moves {
            break;
        }
        let of_template = moved.entry(template(board.unit_names[unit as usize])).or_default();
        // The moves before this one may have made it pointless.
        let still = gain(&mut board, &claims, unit).filter(|(points, ..)| *points >= limits.margin);
        let Some((points, from, host)) = still else { continue };
        if *of_template >= limits.moves_per_template {
            continue;
        }
        *of_template += 1;
        board.remove(unit, from);
        let score = board.score(board.shape(unit), host);
        board.add(unit, host);
        claims.add(unit, host);
        let id = |host: u32| board.host_ids[host as usize].to_owned();
        changes.push(Change::Move {
            unit: board.unit_names[unit as usize].to_owned(),
            from: id(from),
            to: Arrival { host: id(host), score, displaces: Vec::new() },
            cause: Cause::Better { points },
        });
    }
    changes
}

/// The points that the best other host is better, the present host and the other one.
fn gain(board: &mut Board<'_>, claims: &Board<'_>, unit: u32) -> Option<(i64, u32, u32)> {
    let [from] = board.spots[unit as usize][..] else { return None };
    if !is_free(board, unit) {
        return None;
    }
    let hosts = room(claims, unit, from);
    board.remove(unit, from);
    let found = board.best(board.shape(unit), &hosts).and_then(|(host, points)| {
        let present = board.score(board.shape(unit), from);
        let better = helps_all(board, unit, (from, present), host);
        better.then_some((points - present.total, from, host))
    });
    board.add(unit, from);
    found
}

/// Whether the fleet as a whole is better for the move. What is good for one unit may be bad for
/// the next, which then moves too: a sum that only ever grows ends that. The unit is off the board.
fn helps_all(board: &mut Board<'_>, unit: u32, (from, present): (u32, Score), to: u32) -> bool {
    let mut evenness = |host: u32| {
        let without = board.evenness(host);
        board.add(unit, host);
        let with = board.evenness(host);
        board.remove(unit, host);
        with - without
    };
    let fill = evenness(to) - evenness(from);
    let wishes = |score: Score| score.spread + score.prefer + score.image;
    let wished = wishes(board.score(board.shape(unit), to)) - wishes(present);
    // A unit's points are, for a small unit, the slope of the square.
    fill.saturating_add(2000 * wished) > 0
}

/// Not tied to a host, to a unit, or to what it is doing. What a dead host has is not ours to move.
fn is_free(board: &Board<'_>, unit: u32) -> bool {
    let (of, follow) = (board.unit(unit), &board.follow);
    let host = board.spots[unit as usize].first();
    of.is_some_and(|of| !of.global && !of.stays && of.machine_id.is_none())
        && follow.leaders[unit as usize].is_empty()
        && follow.followers[unit as usize].is_empty()
        && host.and_then(|h| board.fleet.hosts.values().nth(*h as usize)).is_some_and(|h| h.alive)
}

/// Other hosts with room for it beside all that is there or on its way.
fn room(claims: &Board<'_>, unit: u32, from: u32) -> HostSet {
    let shape = claims.shape(unit);
    let mut hosts = claims.candidates(shape);
    hosts.remove(from);
    let full: Vec<u32> = hosts.iter().filter(|host| !claims.bears(unit, *host)).collect();
    full.into_iter().for_each(|host| hosts.remove(host));
    hosts
}
