//! Units and hosts as numbers: what the search for a place compares, made once for a fleet.

use super::fleet::{Fleet, Host, HostPort, Protocol, Resources, Spread, Unit};
use super::glob::Patterns;
use super::host_set::HostSet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// cpu, memory, tasks.
pub(super) type Amounts = [i64; 3];

/// Weight 100 of `Prefer=` is worth as much as an empty host against a full one.
const POINTS_PER_WEIGHT: i64 = 10;

/// A host that does not hold an image that names no registry can run it only when somebody brings it there:
/// more than all wishes together.
const POINTS_FOR_IMAGE: i64 = 100_000;

/// What a host has on it that another unit may not be beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark<'a> {
    /// A unit whose `Conflicts=` has this glob.
    Conflicts(&'a str),
    /// A unit whose name matches this glob of `Conflicts=`.
    ConflictsWith(&'a str),
    /// The same of `Replaces=`.
    Replaces(&'a str),
    ReplacedBy(&'a str),
    /// A unit with this port, on whatever address; on every address; on this one.
    Port(Protocol, u16),
    PortEverywhere(Protocol, u16),
    PortAt(Protocol, u16, IpAddr),
}

/// One unit, or several that are to share a host.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    pub(super) asks: Amounts,
    /// Sets of hosts; it has to be in all of them.
    pub(super) only: Vec<u32>,
    /// Marks that it makes, sorted.
    pub(super) makes: Vec<u32>,
    /// Marks that it cannot be beside, sorted.
    pub(super) shuns: Vec<u32>,
    /// Those of them by whose units it takes the place.
    pub(super) replaces: Vec<u32>,
    pub(super) priority: i32,
    /// Counter of its like, and the table of places that it counts by.
    pub(super) spread: Vec<(u32, u32)>,
    /// Set of hosts and the points for being in it: by `Prefer=`, and for holding its image.
    pub(super) wishes: Vec<(u32, i64)>,
    /// Those of them that are for its image.
    pub(super) image: Vec<(u32, i64)>,
}

impl Shape {
    /// Both on one host. None: they cannot be beside each other.
    pub(super) fn with(&self, other: &Self) -> Option<Self> {
        if meet(&self.makes, &other.shuns) || meet(&other.makes, &self.shuns) {
            return None;
        }
        let mut both = self.clone();
        (0..3).for_each(|kind| both.asks[kind] = both.asks[kind].saturating_add(other.asks[kind]));
        both.only.extend(&other.only);
        both.makes.extend(&other.makes);
        both.shuns.extend(&other.shuns);
        both.replaces.extend(&other.replaces);
        both.makes.sort_unstable();
        both.shuns.sort_unstable();
        both.priority = both.priority.min(other.priority);
        both.spread.extend(&other.spread);
        both.wishes.extend(&other.wishes);
        both.image.extend(&other.image);
        Some(both)
    }
}

/// Whether two sorted lists have something in both.
pub(super) fn meet(one: &[u32], other: &[u32]) -> bool {
    one.iter().any(|mark| other.binary_search(mark).is_ok())
}

/// What hosts have to be, in the words of the unit.
type Needs<'a> = (Option<&'a str>, Vec<(&'a str, &'a str)>, Vec<&'a str>, Vec<&'a str>);

#[derive(Clone)]
pub(super) struct Shapes<'a> {
    /// By the index of the unit.
    pub(super) of: Vec<Shape>,
    pub(super) sets: Vec<HostSet>,
    pub(super) marks: BTreeMap<Mark<'a>, u32>,
    pub(super) counters: u32,
    /// Units with `Replaces=`.
    pub(super) replacers: Vec<u32>,
    /// For each key of `Spread=`: the place of every host, and how many places there are.
    pub(super) places: Vec<(Vec<u32>, u32)>,
}

impl<'a> Shapes<'a> {
    pub(super) fn new(fleet: &'a Fleet) -> Self {
        let conflicts = patterns(fleet, |unit| &unit.conflicts);
        let replaces = patterns(fleet, |unit| &unit.replaces);
        let mut making = Making::new(fleet);
        let of: Vec<Shape> = fleet
            .units
            .iter()
            .map(|(name, unit)| {
                let mut shape = making.shape(name, unit);
                making.conflicts(&mut shape, unit, &conflicts.of(name));
                making.replaces(&mut shape, unit, &replaces.of(name));
                unit.ports.iter().for_each(|port| making.port(&mut shape, port));
                for list in [&mut shape.makes, &mut shape.shuns, &mut shape.replaces] {
                    list.sort_unstable();
                    list.dedup();
                }
                shape
            })
            .collect();
        let Making { sets, marks, counters, places, .. } = making;
        let replacers = (0..).zip(&of).filter(|(_, shape)| !shape.replaces.is_empty());
        let replacers = replacers.map(|(unit, _)| unit).collect();
        Self { of, sets, marks, counters: counters.len() as u32, replacers, places }
    }
}

fn patterns<'a>(fleet: &'a Fleet, of: fn(&Unit) -> &Vec<String>) -> Patterns<'a> {
    let mut patterns = Patterns::default();
    fleet.units.values().flat_map(of).for_each(|glob| patterns.add(glob));
    patterns
}

/// The tables that grow while units are read. Equal things are in them once.
struct Making<'a> {
    fleet: &'a Fleet,
    sets: Vec<HostSet>,
    by_needs: BTreeMap<Needs<'a>, u32>,
    by_label: BTreeMap<(&'a str, &'a str), u32>,
    by_image: BTreeMap<&'a str, u32>,
    marks: BTreeMap<Mark<'a>, u32>,
    counters: BTreeMap<(&'a str, &'a str, &'a Spread), u32>,
    places: Vec<(Vec<u32>, u32)>,
    by_spread: BTreeMap<&'a Spread, u32>,
}

impl<'a> Making<'a> {
    fn new(fleet: &'a Fleet) -> Self {
        Self {
            fleet,
            sets: Vec::new(),
            by_needs: BTreeMap::new(),
            by_label: BTreeMap::new(),
            by_image: BTreeMap::new(),
            marks: BTreeMap::new(),
            counters: BTreeMap::new(),
            places: Vec::new(),
            by_spread: BTreeMap::new(),
        }
    }

    fn shape(&mut self, name: &'a str, unit: &'a Unit) -> Shape {
        let spread = unit.spread.iter().map(|spread| self.counter(name, spread)).collect();
        let mut wishes: Vec<(u32, i64)> = unit
            .prefer
            .iter()
            .map(|wish| {
                let set = self.label(&wish.key, &wish.value);
                (set, i64::from(wish.weight) * POINTS_PER_WEIGHT)
            })
            .collect();
        let image = unit.image.iter().map(|image| (self.holders(image), POINTS_FOR_IMAGE));
        let image: Vec<(u32, i64)> = image.collect();
        wishes.extend(&image);
        Shape {
            asks: amounts(unit.requests),
            only: self.needs(unit).into_iter().collect(),
            priority: unit.priority,
            spread,
            wishes,
            image,
            ..Shape::default()
        }
    }

    /// The hosts that are and have what the unit needs. None: it needs nothing.
    fn needs(&mut self, unit: &'a Unit) -> Option<u32> {
        let texts = |list: &'a [String]| {
            let mut list: Vec<&str> = list.iter().map(String::as_str).collect();
            list.sort_unstable();
            list
        };
        let mut metadata: Vec<(&str, &str)> =
            unit.machine_metadata.iter().map(|(key, value)| (&**key, &**value)).collect();
        metadata.sort_unstable();
        let needs: Needs<'_> =
            (unit.machine_id.as_deref(), metadata, texts(&unit.volumes), texts(&unit.devices));
        if needs == Needs::default() {
            return None;
        }
        let (fleet, sets) = (self.fleet, &mut self.sets);
        Some(*self.by_needs.entry(needs).or_insert_with(|| {
            sets.push(hosts(fleet, |id, host| offers(id, host, unit)));
            sets.len() as u32 - 1
        }))
    }

    fn label(&mut self, key: &'a str, value: &'a str) -> u32 {
        let (fleet, sets) = (self.fleet, &mut self.sets);
        *self.by_label.entry((key, value)).or_insert_with(|| {
            sets.push(hosts(fleet, |_, host| host.metadata.get(key).is_some_and(|v| v == value)));
            sets.len() as u32 - 1
        })
    }

    fn holders(&mut self, image: &'a str) -> u32 {
        let (fleet, sets) = (self.fleet, &mut self.sets);
        *self.by_image.entry(image).or_insert_with(|| {
            let holds = |host: &Host| host.images.as_ref().is_none_or(|all| all.contains(image));
            sets.push(hosts(fleet, |_, host| holds(host)));
            sets.len() as u32 - 1
        })
    }

    fn counter(&mut self, name: &'a str, spread: &'a Spread) -> (u32, u32) {
        let (fleet, places) = (self.fleet, &mut self.places);
        let places = *self.by_spread.entry(spread).or_insert_with(|| {
            places.push(places_of(fleet, spread));
            places.len() as u32 - 1
        });
        let (template, suffix) = template(name);
        let next = self.counters.len() as u32;
        (*self.counters.entry((template, suffix, spread)).or_insert(next), places)
    }

    fn mark(&mut self, mark: Mark<'a>) -> u32 {
        let next = self.marks.len() as u32;
        *self.marks.entry(mark).or_insert(next)
    }

    /// Both directions: it shuns what its globs match, and whose globs match it.
    fn conflicts(&mut self, shape: &mut Shape, unit: &'a Unit, matched: &[&'a str]) {
        for glob in &unit.conflicts {
            shape.makes.push(self.mark(Mark::Conflicts(glob)));
            shape.shuns.push(self.mark(Mark::ConflictsWith(glob)));
        }
        for glob in matched {
            shape.makes.push(self.mark(Mark::ConflictsWith(glob)));
            shape.shuns.push(self.mark(Mark::Conflicts(glob)));
        }
    }

    fn replaces(&mut self, shape: &mut Shape, unit: &'a Unit, matched: &[&'a str]) {
        for glob in &unit.replaces {
            shape.makes.push(self.mark(Mark::Replaces(glob)));
            shape.shuns.push(self.mark(Mark::ReplacedBy(glob)));
            shape.replaces.push(self.mark(Mark::ReplacedBy(glob)));
        }
        for glob in matched {
            shape.makes.push(self.mark(Mark::ReplacedBy(glob)));
            shape.shuns.push(self.mark(Mark::Replaces(glob)));
        }
    }

    fn port(&mut self, shape: &mut Shape, port: &HostPort) {
        let (protocol, number) = (port.protocol, port.port);
        let any = self.mark(Mark::Port(protocol, number));
        let everywhere = self.mark(Mark::PortEverywhere(protocol, number));
        shape.makes.push(any);
        match port.address.filter(|address| !address.is_unspecified()) {
            None => {
                shape.makes.push(everywhere);
                shape.shuns.push(any);
            }
            Some(address) => {
                let here = self.mark(Mark::PortAt(protocol, number, address));
                shape.makes.push(here);
                shape.shuns.extend([everywhere, here]);
            }
        }
    }
}

/// As far as the numbers go: a unit that asks for more fits nowhere.
pub(super) fn amounts(resources: Resources) -> Amounts {
    let amount = |value| i64::try_from(value).unwrap_or(i64::MAX);
    [amount(resources.cpu), amount(resources.memory), amount(resources.tasks)]
}

/// The part of a name that all instances of its template share: before `@` with it, and the suffix.
pub(super) fn template(name: &str) -> (&str, &str) {
    match name.find('@') {
        Some(at) => {
            (&name[..=at], name.rfind('.').filter(|dot| *dot > at).map_or("", |dot| &name[dot..]))
        }
        None => (name, ""),
    }
}

fn hosts(fleet: &Fleet, mut fits: impl FnMut(&str, &Host) -> bool) -> HostSet {
    let mut set = HostSet::none(fleet.hosts.len());
    for (index, (id, host)) in (0..).zip(&fleet.hosts) {
        if fits(id, host) {
            set.insert(index);
        }
    }
    set
}

/// `MachineID=`, `MachineMetadata=`, volumes and devices.
fn offers(id: &str, host: &Host, unit: &Unit) -> bool {
    unit.machine_id.as_ref().is_none_or(|wanted| wanted == id)
        && unit.machine_metadata.iter().all(|(key, _)| has_metadata(host, unit, key))
        && unit.volumes.iter().all(|volume| host.volumes.contains(volume))
        && unit.devices.iter().all(|device| host.devices.contains(device))
}

/// Whether the host has one of the values that the unit names for this key.
pub(super) fn has_metadata(host: &Host, unit: &Unit, key: &str) -> bool {
    host.metadata
        .get(key)
        .is_some_and(|has| unit.machine_metadata.iter().any(|(k, value)| k == key && value == has))
}

fn places_of(fleet: &Fleet, spread: &Spread) -> (Vec<u32>, u32) {
    let Spread::Metadata(key) = spread else {
        let hosts = fleet.hosts.len() as u32;
        return ((0..hosts).collect(), hosts);
    };
    let mut values = BTreeMap::new();
    let places = fleet
        .hosts
        .values()
        .map(|host| {
            let next = values.len() as u32;
            *values.entry(host.metadata.get(key)).or_insert(next)
        })
        .collect();
    (places, values.len() as u32)
}
