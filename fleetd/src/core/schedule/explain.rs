//! Why a unit cannot be on a host: every rule, with the hosts that pass it and its sentence.

use super::amount;
use super::board::Board;
use super::fleet::{Host, Unit, short};
use super::host_set::HostSet;
use super::place::leaving;
use super::remedy::remedy;
use super::replace;
use super::shape::{Mark, has_metadata};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A unit without a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unplaced {
    pub unit: String,
    /// Every host of the fleet is in one of them.
    pub reasons: Vec<Group>,
    /// The smallest change that would help, in words.
    pub remedy: String,
}

/// Hosts that are refused for the same reason, the first that holds in the order of [`Rule`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub rule: Rule,
    pub hosts: usize,
    /// The first of them, three at most.
    pub examples: Vec<String>,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// It is a global unit's, which has its place there.
    Placed,
    Dead,
    Silent,
    Leaving,
    Full,
    Draining,
    Cordoned,
    MachineId,
    MachineOf,
    MachineMetadata,
    Device,
    Volume,
    Replaces,
    Conflicts,
    Port,
    Cpu,
    Memory,
    Tasks,
}

/// `1 host: the host is cordoned; 2 hosts: ... (uncordon host h1)`
impl fmt::Display for Unplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, reason) in self.reasons.iter().enumerate() {
            write!(f, "{}{reason}", if nth == 0 { "" } else { "; " })?;
        }
        let before = if self.reasons.is_empty() { "" } else { " " };
        write!(f, "{before}({})", self.remedy)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.hosts == 1 { "" } else { "s" };
        write!(f, "{} host{s}: {}", self.hosts, self.text)
    }
}

/// One rule applied to all hosts.
pub(super) struct Check {
    pub(super) rule: Rule,
    /// Without anything that differs between hosts.
    text: String,
    pub(super) pass: HostSet,
    detail: Detail,
}

enum Detail {
    Plain,
    /// Who makes this mark.
    Mark(u32),
    /// How much of this is free.
    Room(usize),
}

/// Checks rules on a board. What depends only on hosts is worked out once.
pub(super) struct Explainer {
    by_text: BTreeMap<String, HostSet>,
}

impl Explainer {
    pub(super) fn new() -> Self {
        Self { by_text: BTreeMap::new() }
    }

    /// All rules that the unit is under, in order. It has to be off the board.
    pub(super) fn checks(&mut self, board: &Board<'_>, unit: u32) -> Vec<Check> {
        let Some(of) = board.unit(unit) else { return Vec::new() };
        let mut checks = self.states(board);
        checks.extend(self.needs(board, of));
        checks.extend(led(board, unit, of));
        let takes = replace::targets(board, unit);
        if takes.is_empty() {
            checks.extend(marks(board, unit));
            checks.extend(rooms(board, unit));
        } else {
            checks.push(taken(board, unit, of, &takes));
        }
        checks.sort_by_key(|check| check.rule);
        checks
    }

    fn states(&mut self, board: &Board<'_>) -> Vec<Check> {
        vec![
            self.plain(board, Rule::Dead, "the host is dead".to_owned(), |_, host| host.alive),
            self.plain(
                board,
                Rule::Silent,
                "the host has not said yet what it has".to_owned(),
                |_, host| !host.silent || !host.alive,
            ),
            self.plain(
                board,
                Rule::Leaving,
                "the host does not keep its units".to_owned(),
                |_, h| h.keeps || !h.alive || h.draining,
            ),
            self.plain(board, Rule::Full, "the disk of the host is full".to_owned(), |_, host| {
                !host.full
            }),
            self.plain(board, Rule::Draining, "the host is being drained".to_owned(), |_, host| {
                !host.draining
            }),
            self.plain(board, Rule::Cordoned, "the host is cordoned".to_owned(), |_, host| {
                !host.cordoned
            }),
        ]
    }

    fn needs(&mut self, board: &Board<'_>, unit: &Unit) -> Vec<Check> {
        let mut checks = Vec::new();
        if let Some(id) = &unit.machine_id {
            let text = format!("MachineID={id}: it is another host");
            checks.push(self.plain(board, Rule::MachineId, text, |host, _| host == id));
        }
        let keys: BTreeSet<&String> = unit.machine_metadata.iter().map(|(key, _)| key).collect();
        for key in keys {
            let values: BTreeSet<&str> =
                unit.machine_metadata.iter().filter(|(k, _)| k == key).map(|(_, v)| &**v).collect();
            let values = values.into_iter().collect::<Vec<_>>().join(" or ");
            let text = format!("MachineMetadata=: {key} is not {values}");
            checks.push(self.plain(board, Rule::MachineMetadata, text, |_, host| {
                has_metadata(host, unit, key)
            }));
        }
        for device in &unit.devices {
            let text = format!("device {device}: the host has none");
            checks.push(self.plain(board, Rule::Device, text, |_, h| h.devices.contains(device)));
        }
        for volume in &unit.volumes {
            let text = format!("volume {volume}: it is not on the host");
            checks.push(self.plain(board, Rule::Volume, text, |_, h| h.volumes.contains(volume)));
        }
        checks
    }

    /// The text says all that the rule looks at.
    fn plain(
        &mut self,
        board: &Board<'_>,
        rule: Rule,
        text: String,
        passes: impl Fn(&str, &Host) -> bool,
    ) -> Check {
        let pass = self.by_text.entry(text.clone()).or_insert_with(|| {
            let mut pass = HostSet::none(board.hosts());
            let hosts = (0..).zip(&board.fleet.hosts);
            hosts.filter(|(_, (id, host))| passes(id, host)).for_each(|(at, _)| pass.insert(at));
            pass
        });
        Check { rule, text, pass: pass.clone(), detail: Detail::Plain }
    }

    /// The unit has to be off the board, but where it is a global one's.
    pub(super) fn unplaced(&mut self, board: &mut Board<'_>, unit: u32) -> Unplaced {
        let spots = board.spots[unit as usize].clone();
        spots.iter().for_each(|host| board.remove(unit, *host));
        let mut checks = self.checks(board, unit);
        if !spots.is_empty() {
            let mut pass = HostSet::all(board.hosts());
            spots.iter().for_each(|host| pass.remove(*host));
            let text = "it has its place there".to_owned();
            checks.insert(0, Check { rule: Rule::Placed, text, pass, detail: Detail::Plain });
        }
        let unplaced = Unplaced {
            unit: board.unit_names[unit as usize].to_owned(),
            reasons: groups(board, unit, &checks),
            remedy: remedy(board, unit, &checks),
        };
        spots.iter().for_each(|host| board.add(unit, *host));
        unplaced
    }
}

/// Why the unit cannot stay on a host. The state of the host is not asked.
pub(super) fn first_reason(board: &Board<'_>, unit: u32, host: u32) -> String {
    let Some(of) = board.unit(unit) else { return String::new() };
    let mut checks = Explainer::new().needs(board, of);
    checks.extend(led(board, unit, of));
    checks.extend(marks(board, unit));
    checks.extend(rooms(board, unit));
    let failing = checks.iter().find(|check| !check.pass.has(host));
    failing.map_or_else(String::new, |check| sentence(board, unit, check, host))
}

/// One for each leader, since each is its own sentence.
fn led(board: &Board<'_>, unit: u32, of: &Unit) -> Vec<Check> {
    let check = |text, pass| Check { rule: Rule::MachineOf, text, pass, detail: Detail::Plain };
    if board.follow.circle[unit as usize] {
        let text = "MachineOf=: it follows itself, through those that it follows".to_owned();
        return vec![check(text, HostSet::none(board.hosts()))];
    }
    let leaders = of.machine_of.iter().zip(&board.follow.leaders[unit as usize]);
    let one = |(name, leader): (&String, &Option<u32>)| {
        let mut pass = HostSet::none(board.hosts());
        let spots = leader.map(|leader| &board.spots[leader as usize]);
        spots.into_iter().flatten().for_each(|host| pass.insert(*host));
        let text = match spots.map(Vec::as_slice) {
            None => format!("MachineOf={name}: there is no such unit"),
            Some([]) => format!("MachineOf={name}: it has no place itself"),
            Some([host]) => {
                format!("MachineOf={name}: it is on host {}", short(board.host_ids[*host as usize]))
            }
            Some(hosts) => format!("MachineOf={name}: it is on {} other hosts", hosts.len()),
        };
        check(text, pass)
    };
    leaders.map(one).collect()
}

fn taken(board: &Board<'_>, unit: u32, of: &Unit, takes: &HostSet) -> Check {
    let mut pass = HostSet::none(board.hosts());
    takes
        .iter()
        .filter(|host| leaving(board, unit, *host).is_some())
        .for_each(|host| pass.insert(host));
    let text =
        format!("Replaces={}: it can take no place of such a unit there", of.replaces.join(" "));
    Check { rule: Rule::Replaces, text, pass, detail: Detail::Plain }
}

fn marks(board: &Board<'_>, unit: u32) -> Vec<Check> {
    let shuns = &board.shape(unit).shuns;
    // A mark's words are found by its number: the table is the other way round.
    let named = board.shapes.marks.iter().filter(|(_, mark)| shuns.binary_search(mark).is_ok());
    let check = |(words, mark): (&Mark<'_>, &u32)| {
        let mut pass = HostSet::all(board.hosts());
        pass.drop(board.marked(*mark));
        let port = |protocol: &super::Protocol, port: &u16| {
            let protocol = format!("{protocol:?}").to_lowercase();
            (Rule::Port, format!("port {port}/{protocol}: it is taken"))
        };
        let (rule, text) = match words {
            Mark::ConflictsWith(glob) => {
                (Rule::Conflicts, format!("Conflicts={glob}: such a unit is there"))
            }
            Mark::Conflicts(glob) => {
                (Rule::Conflicts, format!("a unit with Conflicts={glob} is there"))
            }
            Mark::ReplacedBy(glob) => {
                (Rule::Replaces, format!("Replaces={glob}: such a unit is there and stays"))
            }
            Mark::Replaces(glob) => {
                (Rule::Replaces, format!("a unit with Replaces={glob} took the place"))
            }
            Mark::Port(protocol, number) | Mark::PortEverywhere(protocol, number) => {
                port(protocol, number)
            }
            Mark::PortAt(protocol, number, address) => {
                let (rule, text) = port(protocol, number);
                (rule, format!("{text} at {address}"))
            }
        };
        Check { rule, text, pass, detail: Detail::Mark(*mark) }
    };
    named.map(check).collect()
}

fn rooms(board: &Board<'_>, unit: u32) -> Vec<Check> {
    let asks = board.shape(unit).asks;
    let kinds = [(0, Rule::Cpu, "cpu"), (1, Rule::Memory, "memory"), (2, Rule::Tasks, "tasks")];
    let asked = kinds.into_iter().filter(|(kind, ..)| asks[*kind] > 0);
    let check = |(kind, rule, name): (usize, Rule, &str)| {
        let mut pass = HostSet::none(board.hosts());
        (0..board.hosts() as u32)
            .filter(|host| asks[kind] <= board.free(*host)[kind])
            .for_each(|host| pass.insert(host));
        let text = format!("{name}: needs {}", amount::of(kind, asks[kind]));
        Check { rule, text, pass, detail: Detail::Room(kind) }
    };
    asked.map(check).collect()
}

/// Every host under the first rule that it fails.
fn groups(board: &Board<'_>, unit: u32, checks: &[Check]) -> Vec<Group> {
    let mut rest = HostSet::all(board.hosts());
    let mut groups = Vec::new();
    for check in checks {
        let failing = rest.without(&check.pass);
        rest.keep(&check.pass);
        let Some(first) = failing.iter().next() else { continue };
        let text = match check.detail {
            Detail::Plain => check.text.clone(),
            Detail::Mark(mark) => {
                let id = short(board.host_ids[first as usize]);
                format!("{} (host {id}: {})", check.text, maker(board, mark, first))
            }
            Detail::Room(kind) => {
                let most = failing.iter().map(|host| board.free(host)[kind]).max().unwrap_or(0);
                let nearest = failing.iter().find(|host| board.free(*host)[kind] == most);
                let id = nearest.map_or("", |host| short(board.host_ids[host as usize]));
                let short = amount::of(kind, board.shape(unit).asks[kind] - most);
                let most = amount::of(kind, most.max(0));
                let needs = &check.text;
                format!("{needs}, at most {most} free (nearest: host {id}, {short} short)")
            }
        };
        let examples =
            failing.iter().take(3).map(|host| board.host_ids[host as usize].to_owned()).collect();
        groups.push(Group { rule: check.rule, hosts: failing.count(), examples, text });
    }
    groups
}

/// Why one host fails a check.
pub(super) fn sentence(board: &Board<'_>, unit: u32, check: &Check, host: u32) -> String {
    let text = &check.text;
    match check.detail {
        Detail::Plain => text.clone(),
        Detail::Mark(mark) => format!("{text}: {}", maker(board, mark, host)),
        Detail::Room(kind) => {
            let free = board.free(host)[kind];
            let short = board.shape(unit).asks[kind] - free;
            let (free, short) = (amount::of(kind, free.max(0)), amount::of(kind, short));
            format!("{text}, {free} free, {short} short")
        }
    }
}

/// The first unit on the host that makes a mark.
pub(super) fn maker<'a>(board: &Board<'a>, mark: u32, host: u32) -> &'a str {
    let makes = |unit: &&u32| board.shape(**unit).makes.binary_search(&mark).is_ok();
    let unit = board.here[host as usize].iter().find(makes);
    unit.map_or("", |unit| board.unit_names[*unit as usize])
}

impl Check {
    /// The unit in the way, where it is one.
    pub(super) fn blocker<'a>(&self, board: &Board<'a>, host: u32) -> Option<&'a str> {
        match self.detail {
            Detail::Mark(mark) => Some(maker(board, mark, host)),
            _ => None,
        }
    }

    pub(super) fn resource(&self) -> Option<usize> {
        match self.detail {
            Detail::Room(kind) => Some(kind),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}
