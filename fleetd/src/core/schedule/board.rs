//! Who is where, and what is left on each host: changed in place while the scheduler decides.
//!
//! Columns rather than rows: the search reads one number of every host. Hosts and units are known
//! by their index in the order of their names, so that ties are decided by name.

use super::fleet::{Fill, Fleet};
use super::follow::Follow;
use super::host_set::HostSet;
use super::score::Score;
use super::shape::{Amounts, Shape, Shapes, amounts, meet};
use std::collections::BTreeMap;

/// One like it in the same place outweighs an empty host.
const POINTS_PER_LIKE: i64 = 1000;

#[derive(Clone)]
pub(super) struct Board<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) host_ids: Vec<&'a str>,
    pub(super) unit_names: Vec<&'a str>,
    pub(super) shapes: std::rc::Rc<Shapes<'a>>,
    pub(super) follow: std::rc::Rc<Follow>,
    /// Hosts that take something new.
    pub(super) accepts: HostSet,
    /// By resource, then by host. Below zero where the host has less than it had.
    free: [Vec<i64>; 3],
    used: [Vec<i64>; 3],
    /// Points for one unit of cpu and of memory.
    points: [Vec<f64>; 2],
    /// Hosts that have a mark, by mark.
    marked: Vec<HostSet>,
    /// Units on each host, sorted.
    pub(super) here: Vec<Vec<u32>>,
    /// Hosts of each unit, sorted; more than one only of a global unit.
    pub(super) spots: Vec<Vec<u32>>,
    /// How many of its like are in a place, by counter.
    likes: Vec<BTreeMap<u32, i64>>,
    /// How many placed units have a priority.
    priorities: BTreeMap<i32, u32>,
    fill: Fill,
}

impl<'a> Board<'a> {
    /// An empty one: nothing has its place yet.
    pub(super) fn new(fleet: &'a Fleet, fill: Fill) -> Self {
        let shapes = Shapes::new(fleet);
        let hosts = fleet.hosts.len();
        let mut accepts = HostSet::none(hosts);
        let mut free = [(); 3].map(|()| Vec::with_capacity(hosts));
        let mut points = [(); 2].map(|()| Vec::with_capacity(hosts));
        for (index, host) in (0..).zip(fleet.hosts.values()) {
            let refuses = host.silent || host.full || host.cordoned || host.draining;
            if host.alive && host.keeps && !refuses {
                accepts.insert(index);
            }
            let (capacity, reserved) = (amounts(host.capacity), amounts(host.reserved));
            for (kind, column) in free.iter_mut().enumerate() {
                column.push((capacity[kind] - reserved[kind]).max(0));
            }
            for (kind, column) in points.iter_mut().enumerate() {
                let room: i64 = free[kind].last().copied().unwrap_or_default();
                // Halves: cpu and memory together make 1,000.
                column.push(if room > 0 { 500.0 / room as f64 } else { 0.0 });
            }
        }
        Self {
            fleet,
            host_ids: fleet.hosts.keys().map(String::as_str).collect(),
            unit_names: fleet.units.keys().map(String::as_str).collect(),
            accepts,
            free,
            used: [(); 3].map(|()| vec![0; hosts]),
            points,
            marked: vec![HostSet::none(hosts); shapes.marks.len()],
            here: vec![Vec::new(); hosts],
            spots: vec![Vec::new(); fleet.units.len()],
            likes: vec![BTreeMap::new(); shapes.counters as usize],
            priorities: BTreeMap::new(),
            fill,
            shapes: shapes.into(),
            follow: Follow::new(fleet).into(),
        }
    }

    pub(super) fn hosts(&self) -> usize {
        self.host_ids.len()
    }

    pub(super) fn shape(&self, unit: u32) -> &Shape {
        &self.shapes.of[unit as usize]
    }

    pub(super) fn unit(&self, unit: u32) -> Option<&'a super::Unit> {
        self.fleet.units.get(self.unit_names[unit as usize])
    }

    pub(super) fn is_global(&self, unit: u32) -> bool {
        self.unit(unit).is_some_and(|unit| unit.global)
    }

    pub(super) fn free(&self, host: u32) -> Amounts {
        [0, 1, 2].map(|kind| self.free[kind][host as usize])
    }

    /// What all units of a host share, taken or not.
    pub(super) fn room(&self, kind: usize, host: u32) -> i64 {
        self.free[kind][host as usize] + self.used[kind][host as usize]
    }

    pub(super) fn is_placed(&self, unit: u32) -> bool {
        !self.spots[unit as usize].is_empty()
    }

    pub(super) fn marked(&self, mark: u32) -> &HostSet {
        &self.marked[mark as usize]
    }

    pub(super) fn one(&self, host: u32) -> HostSet {
        let mut one = HostSet::none(self.hosts());
        one.insert(host);
        one
    }

    /// The least priority of what is placed.
    pub(super) fn least_priority(&self) -> Option<i32> {
        self.priorities.keys().next().copied()
    }

    pub(super) fn add(&mut self, unit: u32, host: u32) {
        let shapes = self.shapes.clone();
        let shape = &shapes.of[unit as usize];
        self.account(shape, host, 1);
        shape.makes.iter().for_each(|mark| self.marked[*mark as usize].insert(host));
        insert(&mut self.here[host as usize], unit);
        insert(&mut self.spots[unit as usize], host);
    }

    pub(super) fn remove(&mut self, unit: u32, host: u32) {
        let shapes = self.shapes.clone();
        let shape = &shapes.of[unit as usize];
        self.account(shape, host, -1);
        self.here[host as usize].retain(|other| *other != unit);
        self.spots[unit as usize].retain(|other| *other != host);
        for mark in &shape.makes {
            let rest = &self.here[host as usize];
            if !rest.iter().any(|u| shapes.of[*u as usize].makes.binary_search(mark).is_ok()) {
                self.marked[*mark as usize].remove(host);
            }
        }
    }

    fn account(&mut self, shape: &Shape, host: u32, sign: i64) {
        for kind in 0..3 {
            self.free[kind][host as usize] -= sign * shape.asks[kind];
            self.used[kind][host as usize] += sign * shape.asks[kind];
        }
        for (counter, places) in &shape.spread {
            let place = self.shapes.places[*places as usize].0[host as usize];
            *self.likes[*counter as usize].entry(place).or_default() += sign;
        }
        let count = self.priorities.entry(shape.priority).or_default();
        *count = count.saturating_add_signed(sign as i32);
        if *count == 0 {
            self.priorities.remove(&shape.priority);
        }
    }

    /// Hosts that are and have what it needs and have no mark that it shuns; whether there is room
    /// is not asked.
    pub(super) fn candidates(&self, shape: &Shape) -> HostSet {
        let mut set = self.suited(shape);
        shape.shuns.iter().for_each(|mark| set.drop(self.marked(*mark)));
        set
    }

    /// Hosts that take something new, and are and have what it needs.
    pub(super) fn suited(&self, shape: &Shape) -> HostSet {
        let mut set = self.accepts.clone();
        shape.only.iter().for_each(|only| set.keep(&self.shapes.sets[*only as usize]));
        set
    }

    /// Whether there is what it needs, and room; not whether the host takes something new.
    pub(super) fn bears(&self, unit: u32, host: u32) -> bool {
        let shape = self.shape(unit);
        self.has_needs(shape, host)
            && !self.is_shunned(shape, host)
            && has_room(&shape.asks, &self.free(host))
    }

    /// Whether the host is and has what it needs.
    pub(super) fn has_needs(&self, shape: &Shape, host: u32) -> bool {
        shape.only.iter().all(|only| self.shapes.sets[*only as usize].has(host))
    }

    /// Whether something there may not be beside it.
    pub(super) fn is_shunned(&self, shape: &Shape, host: u32) -> bool {
        shape.shuns.iter().any(|mark| self.marked(*mark).has(host))
    }

    /// Hosts that `MachineOf=` of the unit leaves, but for leaders that are named in `besides`.
    pub(super) fn led(&self, unit: u32, besides: &[u32], set: &mut HostSet) {
        for leader in &self.follow.leaders[unit as usize] {
            let mut with = HostSet::none(self.hosts());
            match leader {
                Some(leader) if besides.contains(leader) => continue,
                Some(leader) => {
                    self.spots[*leader as usize].iter().for_each(|host| with.insert(*host));
                }
                None => {}
            }
            set.keep(&with);
        }
        if self.follow.circle[unit as usize] {
            *set = HostSet::none(self.hosts());
        }
    }

    /// The best host of the set with room for it; of equals the first by id.
    pub(super) fn best(&self, shape: &Shape, set: &HostSet) -> Option<(u32, i64)> {
        let extras = Extras::new(self, shape);
        let floor = shape.asks.map(|asks| if asks == 0 { i64::MIN } else { asks });
        let mut best: Option<(u32, i64)> = None;
        for host in set.iter() {
            let at = host as usize;
            if self.free[0][at] < floor[0]
                || self.free[1][at] < floor[1]
                || self.free[2][at] < floor[2]
            {
                continue;
            }
            let total = self.fill_points(shape, at) + extras.points(self, shape, host);
            if best.is_none_or(|(_, most)| total > most) {
                best = Some((host, total));
            }
        }
        best
    }

    pub(super) fn score(&self, shape: &Shape, host: u32) -> Score {
        let extras = Extras::new(self, shape);
        let fill = self.fill_points(shape, host as usize);
        let spread = extras.spread_points(self, shape, host);
        let image = points_of(self, &shape.image, host);
        let prefer = points_of(self, &shape.wishes, host) - image;
        Score { total: fill + spread + prefer + image, fill, spread, prefer, image }
    }

    /// How well a host is filled, so that the sum over all hosts says it of the fleet. Squares: a
    /// full and an empty host are more than two half full ones.
    pub(super) fn evenness(&self, host: u32) -> i64 {
        let at = host as usize;
        let full = self.fill_of([self.used[0][at], self.used[1][at]], at);
        let units = self.here[at].len() as i64;
        match self.fill {
            Fill::Pack => full * full,
            Fill::Spread => -full * full - 1000 * units * units,
        }
    }

    /// 0 to 1,000.
    fn fill_of(&self, used: [i64; 2], host: usize) -> i64 {
        let part = |kind: usize| used[kind] as f64 * self.points[kind][host];
        (part(0) + part(1)) as i64
    }

    fn fill_points(&self, shape: &Shape, host: usize) -> i64 {
        let used = [0, 1].map(|kind| self.used[kind][host].saturating_add(shape.asks[kind]));
        let full = self.fill_of(used, host);
        match self.fill {
            Fill::Pack => full,
            // Units that ask for nothing are spread by their number.
            Fill::Spread => -full - self.here[host].len() as i64,
        }
    }
}

/// What the shape's wishes make of every place, worked out before the hosts are gone through.
struct Extras {
    spread: Vec<Vec<i64>>,
}

impl Extras {
    fn new(board: &Board<'_>, shape: &Shape) -> Self {
        let spread = shape.spread.iter().map(|(counter, places)| {
            let mut points = vec![0; board.shapes.places[*places as usize].1 as usize];
            for (place, likes) in &board.likes[*counter as usize] {
                points[*place as usize] = -likes * POINTS_PER_LIKE;
            }
            points
        });
        Self { spread: spread.collect() }
    }

    fn points(&self, board: &Board<'_>, shape: &Shape, host: u32) -> i64 {
        self.spread_points(board, shape, host) + points_of(board, &shape.wishes, host)
    }

    fn spread_points(&self, board: &Board<'_>, shape: &Shape, host: u32) -> i64 {
        let of = |((_, places), points): (&(u32, u32), &Vec<i64>)| {
            points[board.shapes.places[*places as usize].0[host as usize] as usize]
        };
        shape.spread.iter().zip(&self.spread).map(of).sum()
    }
}

/// For being in sets of hosts.
fn points_of(board: &Board<'_>, wishes: &[(u32, i64)], host: u32) -> i64 {
    let wishes = wishes.iter();
    wishes.filter(|(set, _)| board.shapes.sets[*set as usize].has(host)).map(|(_, p)| p).sum()
}

/// What is not asked for need not be there.
pub(super) fn has_room(asks: &Amounts, free: &Amounts) -> bool {
    asks.iter().zip(free).all(|(asks, free)| *asks == 0 || asks <= free)
}

/// Whether a unit on a host is in the way of the shape.
pub(super) fn obstructs(unit: &Shape, shape: &Shape) -> bool {
    meet(&unit.makes, &shape.shuns)
}

fn insert(list: &mut Vec<u32>, value: u32) {
    if let Err(at) = list.binary_search(&value) {
        list.insert(at, value);
    }
}
