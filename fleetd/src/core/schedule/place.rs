//! Places for all units that have none, the highest priorities first.

use super::board::{Board, has_room, obstructs};
use super::fleet::{Fleet, Options};
use super::host_set::HostSet;
use super::keep::{Causes, keep};
use super::plan::{Arrival, Cause};
use super::preempt::{self, with_followers};
use super::replace;
use super::shape::Shape;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A unit; of a global one also the host.
pub(super) type Item = (u32, Option<u32>);

/// Priority; who replaces before global ones before others; then by name.
type Turn = (Reverse<i32>, u8, Item);

/// Every round but the last places or displaces something, always downwards in priority or along
/// `Replaces=`, so there are few. The limit is there against an error in this reasoning.
const ROUNDS: usize = 64;

pub(super) struct Placer<'a> {
    pub(super) board: Board<'a>,
    pub(super) causes: Causes<'a>,
    pub(super) arrivals: BTreeMap<(u32, u32), Arrival>,
    pub(super) failed: BTreeSet<Item>,
    options: Options,
    queue: BTreeSet<Turn>,
    displaced: bool,
    placed: bool,
}

impl<'a> Placer<'a> {
    pub(super) fn new(fleet: &'a Fleet, options: Options) -> Self {
        let mut board = Board::new(fleet, options.fill);
        let causes = keep(&mut board);
        Self {
            board,
            causes,
            arrivals: BTreeMap::new(),
            failed: BTreeSet::new(),
            options,
            queue: BTreeSet::new(),
            displaced: false,
            placed: false,
        }
    }

    pub(super) fn run(&mut self) {
        for unit in 0..self.board.unit_names.len() as u32 {
            self.want(unit);
        }
        for _ in 0..ROUNDS {
            (self.displaced, self.placed) = (false, false);
            while let Some((_, _, item)) = self.queue.pop_first() {
                self.settle(item);
            }
            // Only these can gain by what others get.
            let waits = |(unit, _): &Item| {
                !self.board.follow.leaders[*unit as usize].is_empty()
                    || !self.board.shape(*unit).replaces.is_empty()
            };
            let gained = self.placed && self.failed.iter().any(waits);
            if !self.displaced && !gained {
                break;
            }
            for item in std::mem::take(&mut self.failed) {
                self.queue.insert(self.turn(item));
            }
        }
        self.failed.extend(std::mem::take(&mut self.queue).into_iter().map(|(_, _, item)| item));
    }

    /// Queues what the unit lacks.
    fn want(&mut self, unit: u32) {
        if self.board.is_global(unit) {
            let hosts = self.board.suited(self.board.shape(unit));
            for host in hosts.iter().filter(|h| !self.board.spots[unit as usize].contains(h)) {
                self.queue.insert(self.turn((unit, Some(host))));
            }
        } else if !self.board.is_placed(unit) {
            self.queue.insert(self.turn((unit, None)));
        }
    }

    fn turn(&self, item: Item) -> Turn {
        let shape = self.board.shape(item.0);
        let class = match item.1 {
            _ if !shape.replaces.is_empty() => 0,
            Some(_) => 1,
            None => 2,
        };
        (Reverse(shape.priority), class, item)
    }

    fn settle(&mut self, (unit, host): Item) {
        if let Some(host) = host {
            if !self.together(&[unit], Some(host)) {
                self.failed.insert((unit, Some(host)));
            }
            return;
        }
        let members = self.members(unit);
        for member in &members {
            let item = (*member, None);
            self.queue.remove(&self.turn(item));
            self.failed.remove(&item);
        }
        if members.len() > 1 && self.together(&members, None) {
            return;
        }
        for member in members {
            let takes = replace::targets(&self.board, member);
            let done = if takes.is_empty() {
                self.together(&[member], None)
            } else {
                self.take(member, &takes)
            };
            if !done {
                self.failed.insert((member, None));
            }
        }
    }

    /// The unit and those without a place that follow it or that it follows, leaders first.
    fn members(&self, unit: u32) -> Vec<u32> {
        let (board, follow) = (&self.board, &self.board.follow);
        let mut members = vec![unit];
        let mut seen = BTreeSet::from([unit]);
        let mut next = 0;
        while let Some(member) = members.get(next).map(|member| *member as usize) {
            next += 1;
            let leaders = follow.leaders[member].iter().copied().flatten();
            for near in leaders.chain(follow.followers[member].iter().copied()) {
                if !board.is_placed(near) && !board.is_global(near) && seen.insert(near) {
                    members.push(near);
                }
            }
        }
        members.sort_unstable_by_key(|member| (follow.depth[*member as usize], *member));
        members
    }

    /// All of them on one host, if there is one.
    fn together(&mut self, members: &[u32], host: Option<u32>) -> bool {
        let Some(shape) = self.joined(members) else { return false };
        let mut hosts = self.board.suited(&shape);
        if let Some(host) = host {
            hosts.keep(&self.board.one(host));
        }
        members.iter().for_each(|member| self.board.led(*member, members, &mut hosts));
        if hosts.is_empty() {
            return false;
        }
        let mut open = hosts.clone();
        shape.shuns.iter().for_each(|mark| open.drop(self.board.marked(*mark)));
        if let Some((host, _)) = self.board.best(&shape, &open) {
            self.arrive(members, host, Vec::new());
            return true;
        }
        if !self.options.preempt {
            return false;
        }
        let of = |member: &u32| self.board.follow.leaders[*member as usize].iter().copied();
        let leaders: Vec<u32> = members.iter().flat_map(of).flatten().collect();
        let Some(victims) = preempt::victims(&self.board, &shape, &hosts, &leaders) else {
            return false;
        };
        let by = self.board.unit_names[members[0] as usize].to_owned();
        let displaces = self.evict(&victims.units, victims.host, &Cause::Preempted { by });
        self.arrive(members, victims.host, displaces);
        true
    }

    /// None: they cannot be on one host, or have places to take that may be on different ones.
    fn joined(&self, members: &[u32]) -> Option<Shape> {
        let (first, rest) = members.split_first()?;
        let mut shape = self.board.shape(*first).clone();
        for member in rest {
            shape = shape.with(self.board.shape(*member))?;
        }
        let takes = |member: &u32| !replace::targets(&self.board, *member).is_empty();
        (rest.is_empty() || !members.iter().any(takes)).then_some(shape)
    }

    /// The place of what the unit replaces; constraints hold there as anywhere.
    fn take(&mut self, unit: u32, targets: &HostSet) -> bool {
        let mut hosts = self.board.suited(self.board.shape(unit));
        hosts.keep(targets);
        self.board.led(unit, &[], &mut hosts);
        let mut best: Option<(i64, u32, Vec<u32>)> = None;
        for host in hosts.iter() {
            let Some(leaving) = leaving(&self.board, unit, host) else { continue };
            let points = self.board.score(self.board.shape(unit), host).total;
            if best.as_ref().is_none_or(|(most, ..)| points > *most) {
                best = Some((points, host, leaving));
            }
        }
        let Some((_, host, leaving)) = best else { return false };
        let by = self.board.unit_names[unit as usize].to_owned();
        let displaces = self.evict(&leaving, host, &Cause::Replaced { by });
        self.arrive(&[unit], host, displaces);
        true
    }

    fn arrive(&mut self, members: &[u32], host: u32, mut displaces: Vec<String>) {
        self.placed = true;
        for unit in members {
            let score = self.board.score(self.board.shape(*unit), host);
            let id = self.board.host_ids[host as usize].to_owned();
            let displaces = std::mem::take(&mut displaces);
            self.arrivals.insert((*unit, host), Arrival { host: id, score, displaces });
            self.board.add(*unit, host);
        }
    }

    /// Takes the units off the host, and with each those who follow it. Returns their names.
    fn evict(&mut self, units: &[u32], host: u32, cause: &Cause) -> Vec<String> {
        let mut names = Vec::new();
        for unit in units {
            for (nth, gone) in with_followers(&self.board, *unit, host).into_iter().enumerate() {
                if self.board.here[host as usize].binary_search(&gone).is_err() {
                    continue;
                }
                let leader = self.board.unit_names[*unit as usize].to_owned();
                let cause = if nth == 0 { cause.clone() } else { Cause::Follows { leader } };
                names.push(self.board.unit_names[gone as usize].to_owned());
                self.leave(gone, host, cause);
            }
        }
        self.displaced = true;
        names
    }

    fn leave(&mut self, unit: u32, host: u32, cause: Cause) {
        self.board.remove(unit, host);
        self.arrivals.remove(&(unit, host));
        let names = (self.board.unit_names[unit as usize], self.board.host_ids[host as usize]);
        self.causes.entry(names).or_insert(cause);
        let item = (unit, self.board.is_global(unit).then_some(host));
        self.queue.insert(self.turn(item));
    }
}

/// Who leaves a host when the unit takes its place there. None: it does not fit even then.
pub(super) fn leaving(board: &Board<'_>, unit: u32, host: u32) -> Option<Vec<u32>> {
    let shape = board.shape(unit);
    let replaced = replace::replaced(board, unit, host);
    let mut gone = BTreeSet::new();
    for other in &replaced {
        gone.extend(with_followers(board, *other, host));
    }
    let mut free = board.free(host);
    for other in &gone {
        (0..3).for_each(|kind| free[kind] += board.shape(*other).asks[kind]);
    }
    // A higher priority gives way to nobody: else two could chase each other for ever.
    let higher = |other: &u32| board.shape(*other).priority > shape.priority;
    let leads = |other: &u32| board.follow.leaders[unit as usize].contains(&Some(*other));
    let obstructed = board.here[host as usize]
        .iter()
        .any(|other| !gone.contains(other) && obstructs(board.shape(*other), shape));
    let fits = has_room(&shape.asks, &free)
        && !obstructed
        && !gone.iter().any(|other| leads(other) || higher(other));
    fits.then_some(replaced)
}
