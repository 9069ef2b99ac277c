//! What holds of every fleet. The rules are written down here a second time, plainly.

use super::glob::matches;
use super::*;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::sync::Arc;

type Places = BTreeSet<(String, String)>;

const NAMES: [&str; 14] = [
    "a.container",
    "b.container",
    "c.container",
    "d.container",
    "e.container",
    "f.container",
    "new.container",
    "old.container",
    "db@1.container",
    "db@2.container",
    "db@3.container",
    "web@1.container",
    "web@2.container",
    "web@3.container",
];
const GLOBS: [&str; 6] =
    ["web@*", "db@*", "a.container", "?.container", "old.container", "*[12].*"];
const HOSTS: [&str; 6] = ["h1", "h2", "h3", "h4", "h5", "h6"];

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn rarely<T: std::fmt::Debug + Clone + 'static>(
    all: &'static [T],
    most: usize,
) -> impl Strategy<Value = Vec<T>> {
    prop_oneof![5 => Just(Vec::new()), 2 => subsequence(all, 1..=most)]
}

fn resources(most: u64) -> impl Strategy<Value = Resources> {
    (0..=most, 0..=most, 0..=most).prop_map(|(cpu, memory, tasks)| Resources { cpu, memory, tasks })
}

fn metadata() -> impl Strategy<Value = Vec<(String, String)>> {
    let pairs = [("zone", "1"), ("zone", "2"), ("disk", "ssd"), ("disk", "hdd")];
    subsequence(pairs.to_vec(), 0..=3)
        .prop_map(|list| list.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect())
}

fn host() -> impl Strategy<Value = Host> {
    let things = || subsequence(texts(&["x", "y"]), 0..=2);
    let state = prop_oneof![
        6 => Just((true, true, false, false, false, false)),
        1 => any::<(bool, bool, bool, bool, bool, bool)>()
    ];
    (metadata(), resources(12), resources(2), things(), things(), things(), state).prop_map(
        |(
            metadata,
            capacity,
            reserved,
            devices,
            volumes,
            images,
            (alive, keeps, cordoned, draining, silent, full),
        )| {
            Host {
                metadata: metadata.into_iter().collect(),
                capacity,
                reserved,
                devices: devices.into_iter().collect(),
                volumes: volumes.into_iter().collect(),
                images: Some(Arc::new(images.into_iter().collect())),
                alive,
                silent,
                full,
                cordoned,
                draining,
                keeps,
            }
        },
    )
}

fn ports() -> impl Strategy<Value = Vec<HostPort>> {
    let address = select(vec![None, Some("10.0.0.1"), Some("10.0.0.2"), Some("0.0.0.0")]);
    let one = (address, 80u16..82, any::<bool>()).prop_map(|(address, port, udp)| HostPort {
        protocol: if udp { Protocol::Udp } else { Protocol::Tcp },
        address: address.and_then(|text| text.parse().ok()),
        port,
    });
    prop_oneof![4 => Just(Vec::new()), 1 => proptest::collection::vec(one, 1..3)]
}

fn unit() -> impl Strategy<Value = Unit> {
    let machine_metadata = prop_oneof![2 => Just(Vec::new()), 1 => metadata()];
    let machine_id = prop_oneof![
        9 => Just(None),
        1 => select(&HOSTS[..]).prop_map(|id| Some(id.to_owned()))
    ];
    let hard = (
        machine_id,
        rarely(&NAMES, 2),
        machine_metadata,
        rarely(&GLOBS, 2),
        prop::bool::weighted(0.1),
        rarely(&GLOBS, 1),
        ports(),
    );
    let things = || prop_oneof![6 => Just(Vec::new()), 1 => Just(texts(&["x"]))];
    let spread = prop_oneof![
        2 => Just(Vec::new()),
        1 => Just(vec![Spread::Host]),
        1 => Just(vec![Spread::Metadata("zone".to_owned())])
    ];
    let prefer = (metadata(), -50..50).prop_map(|(list, weight)| {
        list.into_iter().map(|(key, value)| Preference { key, value, weight }).collect()
    });
    let image = prop_oneof![3 => Just(None), 1 => Just(Some("x".to_owned()))];
    (hard, resources(5), things(), things(), spread, prefer, 0..3, image).prop_map(
        |(hard, requests, volumes, devices, spread, prefer, priority, image)| Unit {
            stays: false,
            image,
            machine_id: hard.0,
            machine_of: texts(&hard.1),
            machine_metadata: hard.2,
            conflicts: texts(&hard.3),
            global: hard.4,
            replaces: texts(&hard.5),
            ports: hard.6,
            requests,
            volumes,
            devices,
            spread,
            prefer,
            priority,
        },
    )
}

fn fleet() -> impl Strategy<Value = Fleet> {
    let hosts = subsequence(&HOSTS[..], 0..=6).prop_flat_map(|ids| {
        let hosts = proptest::collection::vec(host(), ids.len());
        hosts.prop_map(move |hosts| ids.iter().map(ToString::to_string).zip(hosts).collect())
    });
    let units = subsequence(&NAMES[..], 0..=NAMES.len()).prop_flat_map(|names| {
        let units = proptest::collection::vec(unit(), names.len());
        units.prop_map(move |units| names.iter().map(ToString::to_string).zip(units).collect())
    });
    let assignment = (select(&NAMES[..]), select(&HOSTS[..]), 0u64..5, resources(5)).prop_map(
        |(unit, host, epoch, granted)| {
            let (unit, host) = (unit.to_owned(), host.to_owned());
            Assignment { unit, host, epoch, granted }
        },
    );
    let assignments = proptest::collection::vec(assignment, 0..16);
    (hosts, units, assignments).prop_map(|(hosts, units, assignments)| Fleet {
        hosts,
        units,
        assignments,
    })
}

fn options() -> impl Strategy<Value = Options> {
    (any::<bool>(), any::<bool>()).prop_map(|(pack, preempt)| Options {
        fill: if pack { Fill::Pack } else { Fill::Spread },
        preempt,
    })
}

fn before(fleet: &Fleet) -> Places {
    fleet.assignments.iter().map(|a| (a.unit.clone(), a.host.clone())).collect()
}

/// Makes the changes; each has to fit what is there.
fn after(fleet: &Fleet, changes: &[Change]) -> Places {
    let mut places = before(fleet);
    let mut leave = |unit: &String, from: &String| {
        assert!(places.remove(&(unit.clone(), from.clone())), "{unit} was not on {from}");
    };
    for change in changes {
        if let Change::Move { unit, from, .. } | Change::Unassign { unit, from, .. } = change {
            leave(unit, from);
        }
    }
    for change in changes {
        if let Change::Assign { unit, to } | Change::Move { unit, to, .. } = change {
            assert!(places.insert((unit.clone(), to.host.clone())), "{unit} was on {}", to.host);
        }
    }
    places
}

fn with(fleet: &Fleet, places: &Places) -> Fleet {
    let assignments = places
        .iter()
        .map(|(unit, host)| {
            let granted = fleet.units[unit].requests;
            Assignment { unit: unit.clone(), host: host.clone(), epoch: 9, granted }
        })
        .collect();
    Fleet { assignments, ..fleet.clone() }
}

fn hard_rules(fleet: &Fleet, places: &Places) {
    for (name, id) in places {
        let (unit, host) = (&fleet.units[name], &fleet.hosts[id]);
        assert!(host.keeps, "{name} on {id}, which keeps nothing");
        let once = places.iter().filter(|(other, _)| other == name).count() == 1;
        assert!(once || unit.global, "{name} is on several hosts");
        for leader in &unit.machine_of {
            assert!(places.contains(&(leader.clone(), id.clone())), "{name} without {leader}");
        }
        beside(fleet, places, name, id);
        if host.silent {
            let before = fleet.assignments.iter().any(|a| a.unit == *name && a.host == *id);
            assert!(before, "{name} is new on {id}, which says nothing");
            continue;
        }
        assert!(unit.machine_id.as_ref().is_none_or(|wanted| wanted == id), "{name}: MachineID");
        for (key, _) in &unit.machine_metadata {
            let mut of_key = unit.machine_metadata.iter().filter(|(k, _)| k == key);
            assert!(of_key.any(|(_, v)| host.metadata.get(key) == Some(v)), "{name}: {key}");
        }
        assert!(unit.volumes.iter().all(|volume| host.volumes.contains(volume)));
        assert!(unit.devices.iter().all(|device| host.devices.contains(device)));
    }
    for (id, host) in &fleet.hosts {
        let here = || places.iter().filter(|(_, at)| at == id).map(|(unit, _)| &fleet.units[unit]);
        for of in [|r: &Resources| r.cpu, |r: &Resources| r.memory, |r: &Resources| r.tasks] {
            let used: u64 = here().map(|unit| of(&unit.requests)).sum();
            let room = of(&host.capacity).saturating_sub(of(&host.reserved));
            // What was granted is not taken back.
            let granted = |name: &String| {
                let mut of_unit = fleet.assignments.iter().filter(|a| a.unit == *name);
                of_unit.any(|a| a.host == *id && of(&a.granted) >= of(&fleet.units[name].requests))
            };
            let mut names = places.iter().filter(|(_, at)| at == id).map(|(unit, _)| unit);
            let held = names.all(|name| of(&fleet.units[name].requests) == 0 || granted(name));
            assert!(used <= room || held, "{id}: {used} of {room}");
        }
    }
}

/// No conflict with another unit on its host.
fn beside(fleet: &Fleet, places: &Places, name: &str, id: &str) {
    let unit = &fleet.units[name];
    for (other, _) in places.iter().filter(|(other, at)| at == id && other != name) {
        let globs = unit.conflicts.iter().chain(&unit.replaces);
        globs.for_each(|glob| assert!(!matches(glob, other), "{name} beside {other}: {glob}"));
        let theirs = &fleet.units[other].ports;
        assert!(!unit.ports.iter().any(|a| theirs.iter().any(|b| same_port(a, b))), "{name}");
    }
}

fn same_port(one: &HostPort, other: &HostPort) -> bool {
    let address = |port: &HostPort| port.address.filter(|address| !address.is_unspecified());
    one.protocol == other.protocol
        && one.port == other.port
        && match (address(one), address(other)) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        }
}

/// What a plan changed only because it could.
fn stability(fleet: &Fleet, plan: &Plan) {
    for change in &plan.changes {
        let priority = |unit: &str| fleet.units[unit].priority;
        match change {
            Change::Move { unit, cause, .. } | Change::Unassign { unit, cause, .. } => {
                match cause {
                    Cause::Preempted { by } => {
                        assert!(priority(by) > priority(unit), "{by} {unit}")
                    }
                    Cause::Replaced { by } => {
                        assert!(fleet.units[by].replaces.iter().any(|glob| matches(glob, unit)));
                    }
                    Cause::Unwanted => assert!(!fleet.units.contains_key(unit)),
                    _ => {}
                }
            }
            Change::Assign { .. } => {}
        }
        if let Change::Assign { to, .. } | Change::Move { to, .. } = change {
            let host = &fleet.hosts[&to.host];
            assert!(host.alive && host.keeps && !host.full && !host.cordoned && !host.draining);
        }
    }
}

fn complete(fleet: &Fleet, plan: &Plan, places: &Places) {
    for name in fleet.units.keys().filter(|name| !fleet.units[*name].global) {
        let placed = places.iter().any(|(unit, _)| unit == name);
        let unplaced = plan.unplaced.iter().any(|unplaced| &unplaced.unit == name);
        assert!(placed != unplaced, "{name}: placed {placed}, unplaced {unplaced}");
    }
    for unplaced in &plan.unplaced {
        let hosts: usize = unplaced.reasons.iter().map(|group| group.hosts).sum();
        assert_eq!(hosts, fleet.hosts.len(), "{unplaced:?}");
        assert!(!unplaced.remedy.is_empty());
    }
    for change in &plan.changes {
        assert!(change.reasons().iter().all(|reason| !reason.is_empty()), "{change:?}");
    }
}

fn whole(fleet: &Fleet, options: Options) {
    let plan = place(fleet, options);
    let places = after(fleet, &plan.changes);
    hard_rules(fleet, &places);
    stability(fleet, &plan);
    complete(fleet, &plan, &places);
    let settled = with(fleet, &places);
    let again = place(&settled, options);
    assert_eq!(again.changes, [], "a second run");
    assert_eq!(again.unplaced, plan.unplaced, "a second run");
    for unit in fleet.units.keys() {
        let why = why(&settled, options, unit).unwrap();
        assert_eq!(why.hosts.len(), fleet.hosts.len());
        for host in &why.hosts {
            let placed = places.contains(&(unit.clone(), host.host.clone()));
            assert_eq!(host.verdict == Verdict::Placed, placed);
            assert_eq!(host.verdict == Verdict::Refused, !placed && !host.reasons.is_empty());
        }
    }
}

/// Rebalances until nothing moves.
fn calm(fleet: &Fleet, options: Options) {
    let plan = place(fleet, options);
    let mut fleet = with(fleet, &after(fleet, &plan.changes));
    for _ in 0..100 {
        let limits = Limits { moves: 2, moves_per_template: 1, margin: 50 };
        let moves = rebalance(&fleet, options, limits);
        assert!(moves.len() <= 2);
        if moves.is_empty() {
            return;
        }
        let places = after(&fleet, &moves);
        hard_rules(&fleet, &places);
        fleet = with(&fleet, &places);
        // Moves make room, which units without a place may take.
        assert!(place(&fleet, options).changes.is_empty() || !plan.unplaced.is_empty());
    }
    panic!("it moves for ever");
}

/// The same fleet with every list the other way round, or turned by some.
fn turned(fleet: &Fleet, by: usize) -> Fleet {
    fn turn<T>(list: &mut [T], by: usize) {
        list.reverse();
        let by = by % list.len().max(1);
        list.rotate_left(by);
    }
    let mut fleet = fleet.clone();
    turn(&mut fleet.assignments, by);
    for unit in fleet.units.values_mut() {
        turn(&mut unit.conflicts, by);
        turn(&mut unit.machine_metadata, by);
        turn(&mut unit.ports, by);
        turn(&mut unit.prefer, by);
    }
    let (mut hosts, mut units): (Vec<_>, Vec<_>) =
        (fleet.hosts.into_iter().collect(), fleet.units.into_iter().collect());
    turn(&mut hosts, by);
    turn(&mut units, by);
    Fleet {
        hosts: hosts.into_iter().collect(),
        units: units.into_iter().collect(),
        assignments: fleet.assignments,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_plan_breaks_no_rule_and_a_second_one_changes_nothing(
        fleet in fleet(), options in options()
    ) {
        whole(&fleet, options);
    }

    #[test]
    fn the_order_of_things_is_not_looked_at(
        fleet in fleet(), options in options(), by in 0usize..20
    ) {
        prop_assert_eq!(place(&fleet, options), place(&turned(&fleet, by), options));
    }

    #[test]
    fn a_rebalance_breaks_no_rule_and_comes_to_rest(fleet in fleet(), options in options()) {
        calm(&fleet, options);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50_000))]

    #[test]
    #[ignore = "long"]
    fn many_plans_break_no_rule(fleet in fleet(), options in options(), by in 0usize..20) {
        whole(&fleet, options);
        calm(&fleet, options);
        prop_assert_eq!(place(&fleet, options), place(&turned(&fleet, by), options));
    }
}
