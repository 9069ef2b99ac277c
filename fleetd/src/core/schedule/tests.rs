//! Each rule by itself, with its sentences.

use super::*;
use std::sync::Arc;

const MIB: u64 = 1 << 20;

fn host() -> Host {
    Host { capacity: Resources { cpu: 4000, memory: 1024 * MIB, tasks: 100 }, ..Host::default() }
}

fn labelled(key: &str, value: &str) -> Host {
    Host { metadata: [(key.to_owned(), value.to_owned())].into(), ..host() }
}

fn memory(mib: u64) -> Unit {
    Unit { requests: Resources { memory: mib * MIB, ..Resources::default() }, ..Unit::default() }
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn port(address: Option<&str>) -> Unit {
    let address = address.map(|text| text.parse().unwrap());
    Unit { ports: vec![HostPort { protocol: Protocol::Tcp, address, port: 80 }], ..Unit::default() }
}

fn fleet(hosts: &[(&str, Host)], units: &[(&str, Unit)], places: &[(&str, &str)]) -> Fleet {
    let asks = |unit: &str| units.iter().find(|(name, _)| *name == unit).map(|(_, u)| u.requests);
    let assignment = |(unit, host): &(&str, &str)| Assignment {
        unit: (*unit).to_owned(),
        host: (*host).to_owned(),
        epoch: 1,
        granted: asks(unit).unwrap_or_default(),
    };
    Fleet {
        hosts: hosts.iter().map(|(id, host)| ((*id).to_owned(), host.clone())).collect(),
        units: units.iter().map(|(name, unit)| ((*name).to_owned(), unit.clone())).collect(),
        assignments: places.iter().map(assignment).collect(),
    }
}

/// Every change as one word: `a->h1`, `a:h1->h2`, `a:h1->`.
fn words(plan: &Plan) -> Vec<String> {
    let word = |change: &Change| match change {
        Change::Assign { unit, to } => format!("{unit}->{}", to.host),
        Change::Move { unit, from, to, .. } => format!("{unit}:{from}->{}", to.host),
        Change::Unassign { unit, from, .. } => format!("{unit}:{from}->"),
    };
    plan.changes.iter().map(word).collect()
}

fn changes(fleet: &Fleet) -> Vec<String> {
    words(&place(fleet, Options::default()))
}

fn reasons(fleet: &Fleet, unit: &str) -> (Vec<String>, String) {
    let plan = place(fleet, Options::default());
    let found = plan.unplaced.iter().find(|unplaced| unplaced.unit == unit);
    let unplaced = found.unwrap_or_else(|| panic!("{unit} has a place: {plan:?}"));
    (unplaced.reasons.iter().map(ToString::to_string).collect(), unplaced.remedy.clone())
}

#[test]
fn the_emptier_or_the_fuller_host_is_taken() {
    let fleet = fleet(
        &[("h1", host()), ("h2", host())],
        &[("a", memory(10)), ("b", memory(10))],
        &[("a", "h2")],
    );
    assert_eq!(changes(&fleet), ["b->h1"]);
    let pack = Options { fill: Fill::Pack, ..Options::default() };
    assert_eq!(words(&place(&fleet, pack)), ["b->h2"]);
}

#[test]
fn every_host_has_its_reason() {
    let small = |mib: u64| Host {
        reserved: Resources { memory: (1024 - mib) * MIB, ..Resources::default() },
        ..host()
    };
    let dead = Host { alive: false, keeps: false, ..host() };
    let cordoned = Host { cordoned: true, ..small(50) };
    let hosts =
        [("a1", small(100)), ("b2", small(432)), ("c3", small(20)), ("d4", dead), ("e5", cordoned)];
    let fleet = fleet(&hosts, &[("big", memory(512))], &[]);
    let (reasons, remedy) = reasons(&fleet, "big");
    assert_eq!(
        reasons,
        [
            "1 host: the host is dead",
            "1 host: the host is cordoned",
            "3 hosts: memory: needs 512 MiB, at most 432 MiB free (nearest: host b2, 80 MiB short)",
        ]
    );
    assert_eq!(remedy, "ask for at most 432 MiB of memory, all that host b2 has for units");
    let plan = place(&fleet, Options::default());
    let text = plan.unplaced[0].to_string();
    assert!(text.starts_with("1 host: ") && text.contains("; 3 hosts: "), "{text}");
    assert!(text.ends_with(&format!(" ({remedy})")), "{text}");
}

#[test]
fn a_remedy_is_the_easiest_change() {
    let cordoned = Host { cordoned: true, ..host() };
    let unit = [("a", memory(512))];
    let found = fleet(&[("h1", cordoned), ("h2", Host::default())], &unit, &[]);
    assert_eq!(reasons(&found, "a").1, "uncordon host h1");
    let full = Host { full: true, ..host() };
    let found = fleet(&[("h1", full)], &unit, &[]);
    let (groups, remedy) = reasons(&found, "a");
    assert_eq!(groups, ["1 host: the disk of the host is full"]);
    assert_eq!(remedy, "free space on the disk of host h1");
    let units = [("a", memory(512)), ("b", memory(1000))];
    let found = fleet(&[("h1", host())], &units, &[("b", "h1")]);
    assert_eq!(
        reasons(&found, "a").1,
        "free 488 MiB of memory on host h1, or ask for so much less"
    );
    let units = [("a", port(None)), ("b", port(None))];
    let found = fleet(&[("h1", host())], &units, &[("b", "h1")]);
    assert_eq!(reasons(&found, "a").1, "stop or move b on host h1 (port 80/tcp: it is taken)");
    assert_eq!(reasons(&fleet(&[], &unit, &[]), "a").1, "add a host: the fleet has none");
}

#[test]
fn a_machine_id_is_one_host() {
    let unit = |id: &str| Unit { machine_id: Some(id.to_owned()), ..Unit::default() };
    let hosts = [("h1", host()), ("h2", host())];
    assert_eq!(changes(&fleet(&hosts, &[("a", unit("h2"))], &[])), ["a->h2"]);
    let (texts, remedy) = reasons(&fleet(&hosts, &[("a", unit("h9"))], &[]), "a");
    assert_eq!(texts, ["2 hosts: MachineID=h9: it is another host"]);
    assert_eq!(remedy, "no host h9 is known: correct MachineID=");
}

#[test]
fn values_of_one_key_are_alternatives_and_keys_add_up() {
    let wants = |list: &[(&str, &str)]| Unit {
        machine_metadata: list.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        ..Unit::default()
    };
    let mut both = labelled("zone", "b");
    both.metadata.insert("disk".to_owned(), "ssd".to_owned());
    let hosts = [("h1", labelled("zone", "a")), ("h2", both), ("h3", host())];
    let either = wants(&[("zone", "b"), ("zone", "c")]);
    assert_eq!(changes(&fleet(&hosts, &[("a", either)], &[])), ["a->h2"]);
    let two = wants(&[("zone", "a"), ("zone", "b"), ("disk", "ssd")]);
    assert_eq!(changes(&fleet(&hosts, &[("a", two)], &[])), ["a->h2"]);
    let none = wants(&[("zone", "c"), ("zone", "d")]);
    let (texts, _) = reasons(&fleet(&hosts, &[("a", none)], &[]), "a");
    assert_eq!(texts, ["3 hosts: MachineMetadata=: zone is not c or d"]);
}

#[test]
fn conflicts_hold_in_both_directions() {
    let alone = Unit { conflicts: texts(&["db@*"]), ..Unit::default() };
    for (there, comes) in [("a", "db@1"), ("db@1", "a")] {
        let units = [("a", alone.clone()), ("db@1", Unit::default())];
        let found = fleet(&[("h1", host())], &units, &[(there, "h1")]);
        let expected = match comes {
            "a" => "1 host: Conflicts=db@*: such a unit is there (host h1: db@1)",
            _ => "1 host: a unit with Conflicts=db@* is there (host h1: a)",
        };
        assert_eq!(reasons(&found, comes).0, [expected]);
    }
    let itself = Unit { conflicts: texts(&["*"]), ..Unit::default() };
    assert_eq!(changes(&fleet(&[("h1", host())], &[("a", itself)], &[])), ["a->h1"]);
}

#[test]
fn a_port_is_taken_where_addresses_meet() {
    for (one, other, fit) in [
        (None, None, false),
        (None, Some("10.0.0.1"), false),
        (Some("0.0.0.0"), Some("10.0.0.1"), false),
        (Some("10.0.0.1"), Some("10.0.0.1"), false),
        (Some("10.0.0.1"), Some("10.0.0.2"), true),
    ] {
        for (one, other) in [(one, other), (other, one)] {
            let units = [("a", port(one)), ("b", port(other))];
            let found = fleet(&[("h1", host())], &units, &[("a", "h1")]);
            assert_eq!(changes(&found).len(), usize::from(fit), "{one:?} {other:?}");
        }
    }
}

#[test]
fn volumes_and_devices_have_to_be_there() {
    let rich =
        Host { volumes: ["data".to_owned()].into(), devices: ["gpu".to_owned()].into(), ..host() };
    let unit = Unit { volumes: texts(&["data"]), devices: texts(&["gpu"]), ..Unit::default() };
    assert_eq!(
        changes(&fleet(&[("h1", host()), ("h2", rich)], &[("a", unit.clone())], &[])),
        ["a->h2"]
    );
    let (texts, _) = reasons(&fleet(&[("h1", host())], &[("a", unit)], &[]), "a");
    assert_eq!(texts, ["1 host: device gpu: the host has none"]);
}

#[test]
fn a_follower_goes_where_its_leader_is() {
    let follows = |leaders: &[&str]| Unit { machine_of: texts(leaders), ..memory(600) };
    let hosts = [("h1", host()), ("h2", host())];
    let units = [("f", follows(&["l"])), ("l", memory(100))];
    assert_eq!(changes(&fleet(&hosts, &units, &[("l", "h2")])), ["f->h2"]);
    // Both are new: the leader goes where there is room for both.
    let units = [("f", follows(&["l"])), ("l", memory(100)), ("x", memory(500))];
    assert_eq!(changes(&fleet(&hosts, &units, &[("x", "h1")])), ["f->h2", "l->h2"]);
    let (texts, remedy) = reasons(&fleet(&hosts, &[("f", follows(&["l"]))], &[]), "f");
    assert_eq!(texts, ["2 hosts: MachineOf=l: there is no such unit"]);
    assert_eq!(remedy, "start l, which it follows");
    let (texts, _) = reasons(&fleet(&hosts, &[("f", follows(&["f"]))], &[]), "f");
    assert_eq!(texts, ["2 hosts: MachineOf=: it follows itself, through those that it follows"]);
    let units = [("f", follows(&["a", "b"])), ("a", memory(1)), ("b", memory(1))];
    let apart = fleet(&hosts, &units, &[("a", "h1"), ("b", "h2")]);
    assert_eq!(reasons(&apart, "f").1, "bring a and b onto one host");
}

#[test]
fn a_follower_moves_with_its_leader() {
    let units = [("f", Unit { machine_of: texts(&["l"]), ..memory(1) }), ("l", memory(1))];
    let dead = Host { alive: false, keeps: false, ..host() };
    let found = fleet(&[("h1", dead), ("h2", host())], &units, &[("f", "h1"), ("l", "h1")]);
    assert_eq!(changes(&found), ["f:h1->h2", "l:h1->h2"]);
}

#[test]
fn a_global_unit_is_on_every_host_that_fits() {
    let global = Unit { global: true, conflicts: texts(&["a"]), ..memory(1) };
    let cordoned = Host { cordoned: true, ..host() };
    let hosts = [("h1", host()), ("h2", host()), ("h3", cordoned), ("h4", host())];
    let found = fleet(&hosts, &[("a", memory(1)), ("g", global)], &[("a", "h2"), ("g", "h1")]);
    assert_eq!(changes(&found), ["g->h4"]);
    assert_eq!(
        reasons(&found, "g").0,
        [
            "2 hosts: it has its place there",
            "1 host: the host is cordoned",
            "1 host: Conflicts=a: such a unit is there (host h2: a)",
        ]
    );
}

#[test]
fn a_replacement_takes_the_place_and_its_constraints_hold() {
    let new = |mib| Unit { replaces: texts(&["old"]), ..memory(mib) };
    let hosts = [("h1", host()), ("h2", host())];
    let units = [("new", new(800)), ("old", memory(800))];
    let found = fleet(&hosts, &units, &[("old", "h2")]);
    let plan = place(&found, Options::default());
    assert_eq!(words(&plan), ["new->h2", "old:h2->h1"]);
    assert_eq!(plan.changes[1].reasons()[0], "new takes its place (Replaces=)");
    let units = [("new", new(2000)), ("old", memory(800))];
    let found = fleet(&hosts, &units, &[("old", "h2")]);
    assert_eq!(changes(&found), [""; 0]);
    assert_eq!(
        reasons(&found, "new").0,
        ["2 hosts: Replaces=old: it can take no place of such a unit there"]
    );
}

#[test]
fn a_higher_priority_is_not_replaced() {
    let new = Unit { replaces: texts(&["old"]), ..memory(1) };
    let units = [("new", new), ("old", Unit { priority: 1, ..memory(1) })];
    let found = fleet(&[("h1", host()), ("h2", host())], &units, &[("old", "h2")]);
    assert_eq!(changes(&found), [""; 0]);
}

#[test]
fn those_who_replace_each_other_stay() {
    let unit = |other: &str| Unit { replaces: texts(&[other]), ..memory(1) };
    let hosts = [("h1", host()), ("h2", host())];
    let found = fleet(&hosts, &[("a", unit("b")), ("b", unit("a"))], &[("b", "h1")]);
    assert_eq!(changes(&found), ["a->h2"]);
}

#[test]
fn the_fewest_and_lowest_make_room() {
    let first = |mib, priority| Unit { priority, ..memory(mib) };
    let units = [
        ("a", first(500, 1)),
        ("b", first(200, 2)),
        ("c", first(300, 2)),
        ("d", first(1000, 3)),
        ("new", first(500, 9)),
    ];
    let places = [("a", "h1"), ("b", "h1"), ("c", "h1"), ("d", "h2")];
    let found = fleet(&[("h1", host()), ("h2", host())], &units, &places);
    let plan = place(&found, Options::default());
    assert_eq!(words(&plan), ["a:h1->", "new->h1"]);
    assert_eq!(plan.changes[0].reasons(), ["new has a higher priority and needs the room"]);
    assert_eq!(plan.changes[1].reasons()[1], "room is made by a");
    let off = Options { preempt: false, ..Options::default() };
    assert_eq!(words(&place(&found, off)), [""; 0]);
}

#[test]
fn nobody_goes_in_vain_or_for_an_equal() {
    let first = |mib, priority| Unit { priority, ..memory(mib) };
    let hosts = [("h1", host())];
    let units = [("a", first(1000, 0)), ("new", first(2000, 9))];
    assert_eq!(changes(&fleet(&hosts, &units, &[("a", "h1")])), [""; 0]);
    let units = [("a", first(1000, 9)), ("new", first(1000, 9))];
    assert_eq!(changes(&fleet(&hosts, &units, &[("a", "h1")])), [""; 0]);
}

#[test]
fn a_leader_is_not_sent_away_for_its_follower() {
    let follower = Unit { machine_of: texts(&["l"]), priority: 9, ..memory(800) };
    let units = [("f", follower), ("l", memory(800))];
    assert_eq!(changes(&fleet(&[("h1", host())], &units, &[("l", "h1")])), [""; 0]);
}

#[test]
fn instances_spread_and_wishes_count() {
    let spread = Unit { spread: vec![Spread::Metadata("zone".to_owned())], ..memory(1) };
    let hosts = [
        ("h1", labelled("zone", "a")),
        ("h2", labelled("zone", "a")),
        ("h3", labelled("zone", "b")),
    ];
    let units = [("web@1", spread.clone()), ("web@2", spread.clone()), ("web@3", spread)];
    assert_eq!(changes(&fleet(&hosts, &units, &[])), ["web@1->h1", "web@2->h3", "web@3->h2"]);
    let wish = Preference { key: "zone".to_owned(), value: "b".to_owned(), weight: 50 };
    let unit = Unit { prefer: vec![wish], ..memory(1) };
    assert_eq!(changes(&fleet(&hosts, &[("a", unit)], &[])), ["a->h3"]);
}

#[test]
fn what_is_validly_placed_stays() {
    let unit = Unit { spread: vec![Spread::Host], ..memory(1) };
    let units = [("web@1", unit.clone()), ("web@2", unit)];
    let states = [
        Host { cordoned: true, ..host() },
        Host { draining: true, ..host() },
        Host { alive: false, ..host() },
    ];
    for state in states {
        let hosts = [("h1", state), ("h2", host())];
        assert_eq!(changes(&fleet(&hosts, &units, &[("web@1", "h1"), ("web@2", "h1")])), [""; 0]);
    }
}

#[test]
fn a_place_is_lost_with_its_cause() {
    let gone = Host { draining: true, keeps: false, ..host() };
    let picky = Unit { machine_metadata: vec![("disk".to_owned(), "ssd".to_owned())], ..memory(1) };
    let hosts = [("h1", gone), ("h2", host())];
    for (unit, at, expected) in [
        (memory(1), "h1", "its host is being drained"),
        (memory(1), "h9", "its host is not known"),
        (picky, "h2", "MachineMetadata=: disk is not ssd"),
    ] {
        let plan = place(&fleet(&hosts, &[("a", unit)], &[("a", at)]), Options::default());
        assert_eq!(plan.changes[0].reasons()[0], expected);
    }
    let plan = place(&fleet(&hosts, &[], &[("a", "h2")]), Options::default());
    assert_eq!(plan.changes[0].reasons(), ["it is not wanted any more"]);
}

#[test]
fn of_two_assignments_the_newer_stays() {
    let mut found =
        fleet(&[("h1", host()), ("h2", host())], &[("a", memory(1))], &[("a", "h1"), ("a", "h2")]);
    found.assignments[1].epoch = 2;
    let plan = place(&found, Options::default());
    assert_eq!(words(&plan), ["a:h1->"]);
    assert_eq!(plan.changes[0].reasons(), ["it has a newer place on host h2"]);
}

#[test]
fn room_that_was_granted_is_not_taken_back() {
    let units = [("a", memory(800)), ("b", Unit { priority: 1, ..memory(800) })];
    let places = [("a", "h1"), ("b", "h1")];
    let mut found = fleet(&[("h1", host()), ("h2", host())], &units, &places);
    assert_eq!(changes(&found), [""; 0], "the host has less than it had");
    found.assignments[1].granted.memory -= 1;
    assert_eq!(changes(&found), ["b:h1->h2"], "it asks for more than it got");
    found.assignments[0].granted.memory -= 1;
    let plan = place(&found, Options::default());
    assert_eq!(words(&plan), ["a:h1->h2"], "of two the lower priority goes, and that is enough");
    let reason = "memory: needs 800 MiB, 224 MiB free, 576 MiB short";
    assert_eq!(plan.changes[0].reasons()[0], reason);
}

#[test]
fn a_silent_host_keeps_its_units_and_gets_none() {
    let picky = Unit { machine_metadata: vec![("disk".to_owned(), "ssd".to_owned())], ..memory(1) };
    let silent = Host { silent: true, ..Host::default() };
    let units = [("a", picky), ("b", memory(1))];
    let found = fleet(&[("h1", silent)], &units, &[("a", "h1")]);
    assert_eq!(changes(&found), [""; 0]);
    let (reasons, _) = reasons(&found, "b");
    assert_eq!(reasons, ["1 host: the host has not said yet what it has"]);
}

#[test]
fn a_why_names_every_host_and_is_json() {
    let cordoned = Host { cordoned: true, ..Host::default() };
    let hosts = [("h1", host()), ("h2", host()), ("h3", cordoned)];
    let found = fleet(&hosts, &[("a", memory(512))], &[("a", "h2")]);
    let why = why(&found, Options::default(), "a").unwrap();
    let verdicts: Vec<Verdict> = why.hosts.iter().map(|host| host.verdict).collect();
    assert_eq!(verdicts, [Verdict::Fits, Verdict::Placed, Verdict::Refused]);
    assert_eq!(why.hosts[0].score.fill, -250);
    assert_eq!(
        why.hosts[2].reasons,
        ["the host is cordoned", "memory: needs 512 MiB, 0 B free, 512 MiB short"]
    );
    let json = serde_json::to_string(&why).unwrap();
    assert!(json.contains(r#""verdict":"placed""#), "{json}");
    assert_eq!(serde_json::from_str::<Why>(&json).unwrap(), why);
    let plan = place(&found, Options::default());
    assert_eq!(serde_json::from_str::<Plan>(&serde_json::to_string(&plan).unwrap()).unwrap(), plan);
}

#[test]
fn a_rebalance_moves_few_and_only_for_a_gain() {
    let names = ["a", "b", "c", "d"];
    let units = names.map(|name| {
        (
            name,
            Unit {
                requests: Resources { cpu: 900, memory: 200 * MIB, tasks: 1 },
                ..Unit::default()
            },
        )
    });
    let places = names.map(|name| (name, "h1"));
    let found = fleet(&[("h1", host()), ("h2", host())], &units, &places);
    let limits = |moves, margin| Limits { moves, moves_per_template: 1, margin };
    let moves = |limits| rebalance(&found, Options::default(), limits);
    assert_eq!(moves(limits(1, 300)).len(), 1);
    assert_eq!(moves(limits(9, 300)).len(), 1, "a second one gains less");
    assert_eq!(moves(limits(9, 100)).len(), 2);
    assert_eq!(moves(limits(9, 900)).len(), 0);
    assert!(moves(limits(1, 300))[0].reasons()[0].starts_with("another host is better by "));
}

#[test]
fn a_unit_goes_where_its_image_is_if_it_is_had_from_nowhere() {
    let says = |images: &[&str]| {
        let images = images.iter().map(ToString::to_string).collect();
        Host { images: Some(Arc::new(images)), ..host() }
    };
    let holds = |image: &str| says(&[image]);
    let of = |image: &str| Unit { image: Some(image.to_owned()), ..memory(1) };
    let full = Host { cordoned: true, ..holds("b:1") };
    let hosts = [("h1", says(&[])), ("h2", holds("a:1")), ("h3", full)];
    let units = [("x", of("a:1")), ("y", of("a:1")), ("z", of("b:1")), ("zz", of("c:1"))];
    // Somebody may bring it to the others yet, and it keeps nobody from anything else.
    assert_eq!(changes(&fleet(&hosts, &units, &[])), ["x->h2", "y->h2", "z->h1", "zz->h1"]);
    assert_eq!(changes(&fleet(&hosts, &units[..1], &[("x", "h1")])), [""; 0], "what runs stays");
    let silent = [("h1", says(&[])), ("h2", host())];
    assert_eq!(changes(&fleet(&silent, &units[..1], &[])), ["x->h2"], "one that does not say");
    let why = why(&fleet(&hosts, &units[..1], &[]), Options::default(), "x").unwrap();
    let shown: Vec<String> = why.hosts.iter().map(|host| host.score.to_string()).collect();
    assert!(shown[1].ends_with(", image 100000"), "{shown:?}");
    assert!(shown[0].ends_with("prefer 0"), "{shown:?}");
}
