use super::*;
use crate::core::decided::{machine, unit};
use fleetd_api::DesiredState;

pub(super) const A: MachineId = MachineId(1);
pub(super) const B: MachineId = MachineId(2);

pub(super) fn decided(commands: impl IntoIterator<Item = Command>) -> Decided {
    let mut decided = Decided::default();
    for command in commands {
        decided.apply(&command).unwrap();
    }
    decided
}

pub(super) fn join(machine: MachineId) -> Command {
    machine::Command::Join { machine, address: String::new(), key: None }.into()
}

pub(super) fn want(name: &str, desired: DesiredState) -> Command {
    let submit = unit::Command::Submit {
        unit: name.to_owned(),
        text: "[Container]".to_owned(),
        drop_ins: BTreeMap::new(),
        hash: name.to_owned(),
        replace: false,
        desired: Some(desired),
        made_from: None,
        secrets: Default::default(),
    };
    submit.into()
}

pub(super) fn seen() -> Seen {
    let capacity = Resources { cpu: 4000, memory: 1 << 30, tasks: 1000 };
    let facts = Some(Facts { capacity, ..Facts::default() });
    Seen { alive: true, facts, ..Seen::default() }
}

/// Files that ask for nothing; templates for as many instances as their names say: `three@.container`.
pub(super) struct Plain;

impl Files for Plain {
    fn asks(&mut self, _: &str, _: &Entry) -> schedule::Unit {
        schedule::Unit::default()
    }

    fn replicas(&mut self, name: &str, _: &Entry) -> Option<u32> {
        name.starts_with("three").then_some(3)
    }
}

/// Every unit has this port.
struct OnePort;

impl Files for OnePort {
    fn asks(&mut self, _: &str, _: &Entry) -> schedule::Unit {
        let port =
            schedule::HostPort { protocol: schedule::Protocol::Tcp, address: None, port: 80 };
        schedule::Unit { ports: vec![port], ..schedule::Unit::default() }
    }

    fn replicas(&mut self, _: &str, _: &Entry) -> Option<u32> {
        None
    }
}

/// Decides until nothing is left to decide; a host obeys at once and runs nothing.
pub(super) fn settle(decided: &mut Decided, observed: &Observed) -> Vec<Unplaced> {
    for _ in 0..10 {
        let next = next(decided, observed, Options::default(), &mut Plain);
        if next.commands.is_empty() {
            return next.unplaced;
        }
        decided.apply(&Command::All(next.commands)).unwrap();
    }
    panic!("it does not come to rest");
}

pub(super) fn places(decided: &Decided, unit: &str) -> Vec<MachineId> {
    let places = decided.places.get(unit).map(|places| places.as_slice()).unwrap_or_default();
    places.iter().map(|place| place.machine).collect()
}

#[test]
fn a_unit_that_is_wanted_gets_a_place_and_keeps_it() {
    let launch = want("a.container", DesiredState::Launched);
    let mut decided = decided([join(A), launch, want("b.container", DesiredState::Inactive)]);
    let observed = Observed { machines: [(A, seen())].into() };
    assert_eq!(settle(&mut decided, &observed), []);
    assert_eq!(places(&decided, "a.container"), [A]);
    assert_eq!(places(&decided, "b.container"), []);
    let before = decided.clone();
    settle(&mut decided, &observed);
    assert_eq!(decided, before);
}

#[test]
fn without_a_host_that_is_known_nothing_gets_a_place_and_nothing_loses_it() {
    let launch = want("a.container", DesiredState::Launched);
    let mut decided = decided([join(A), launch]);
    let unplaced = settle(&mut decided, &Observed::default());
    assert_eq!(unplaced[0].reasons[0].to_string(), "1 host: the host has not said yet what it has");
    settle(&mut decided, &Observed { machines: [(A, seen())].into() });
    settle(&mut decided, &Observed::default());
    assert_eq!(places(&decided, "a.container"), [A]);
}

#[test]
fn a_lost_host_loses_its_units_and_a_dead_one_does_not() {
    let launch = want("a.container", DesiredState::Launched);
    let mut decided = decided([join(A), launch, join(B)]);
    settle(&mut decided, &Observed { machines: [(A, seen())].into() });
    let dead = Seen { alive: false, ..seen() };
    let mut observed = Observed { machines: [(A, dead.clone()), (B, seen())].into() };
    settle(&mut decided, &observed);
    assert_eq!(places(&decided, "a.container"), [A]);
    observed.machines.insert(A, Seen { lost: true, ..dead });
    settle(&mut decided, &observed);
    assert_eq!(places(&decided, "a.container"), [B]);
    // It is back: the unit stays where it is now.
    observed.machines.insert(A, seen());
    settle(&mut decided, &observed);
    assert_eq!(places(&decided, "a.container"), [B]);
}

#[test]
fn what_is_not_wanted_keeps_its_place_until_it_has_ended_there() {
    let launch = want("a.container", DesiredState::Launched);
    let mut decided = decided([join(A), launch]);
    let mut observed = Observed { machines: [(A, seen())].into() };
    settle(&mut decided, &observed);
    let desired = DesiredState::Inactive;
    let stop = unit::Command::Desire { unit: "a.container".to_owned(), desired };
    decided.apply(&stop.into()).unwrap();
    let runs = BTreeSet::from(["a.container".to_owned()]);
    // The host has not heard of it; it has heard and the unit still runs; nothing runs any more, but
    // with an older set on its disk it would again; it goes by what others have decided in a later
    // generation, who may want the unit there; never again.
    let none = BTreeSet::new;
    for (obeys, kept, runs, expected) in [
        (0, 0, none(), vec![A]),
        (99, 99, runs, vec![A]),
        (99, 1, none(), vec![A]),
        (GENERATION + 99, GENERATION + 99, none(), vec![A]),
        (99, 99, none(), vec![]),
    ] {
        observed.machines.insert(A, Seen { obeys, kept, runs, ..seen() });
        settle(&mut decided, &observed);
        assert_eq!(places(&decided, "a.container"), expected);
    }
}

#[test]
fn a_destroyed_unit_goes_when_nothing_of_it_runs_or_its_host_is_lost() {
    for gone in
        [Seen { obeys: 99, kept: 99, ..seen() }, Seen { alive: false, lost: true, ..seen() }]
    {
        let launch = want("a.container", DesiredState::Launched);
        let mut decided = decided([join(A), launch]);
        let runs = BTreeSet::from(["a.container".to_owned()]);
        let mut observed =
            Observed { machines: [(A, Seen { obeys: 99, kept: 99, runs, ..seen() })].into() };
        settle(&mut decided, &observed);
        let destroy = unit::Command::Destroy { unit: "a.container".to_owned() };
        decided.apply(&destroy.into()).unwrap();
        settle(&mut decided, &observed);
        assert!(decided.units.contains_key("a.container"));
        observed.machines.insert(A, gone);
        settle(&mut decided, &observed);
        assert!(decided.units.is_empty() && decided.places.is_empty());
    }
}

#[test]
fn a_port_is_free_when_the_one_who_had_it_has_ended() {
    let launch = |name| want(name, DesiredState::Launched);
    let mut decided = decided([join(A), launch("a.container"), launch("b.container")]);
    let runs = BTreeSet::from(["a.container".to_owned()]);
    let mut observed =
        Observed { machines: [(A, Seen { obeys: 99, kept: 99, runs, ..seen() })].into() };
    let step = |decided: &mut Decided, observed: &Observed| {
        let next = next(decided, observed, Options::default(), &mut OnePort);
        decided.apply(&Command::All(next.commands)).unwrap();
        next.unplaced.len()
    };
    assert_eq!(step(&mut decided, &observed), 1);
    assert_eq!(places(&decided, "a.container"), [A]);
    // Stopped and still loaded; the same holds of one that is to be nowhere.
    for (name, other, desired) in [
        ("a.container", "b.container", DesiredState::Loaded),
        ("b.container", "a.container", DesiredState::Inactive),
    ] {
        let stop = unit::Command::Desire { unit: name.to_owned(), desired };
        decided.apply(&stop.into()).unwrap();
        let start = DesiredState::Launched;
        let start = unit::Command::Desire { unit: other.to_owned(), desired: start };
        decided.apply(&start.into()).unwrap();
        let runs = BTreeSet::from([name.to_owned()]);
        observed.machines.insert(A, Seen { obeys: 99, kept: 99, runs, ..seen() });
        assert_eq!(step(&mut decided, &observed), 1, "it still runs");
        observed.machines.insert(A, Seen { obeys: 99, kept: 99, ..seen() });
        step(&mut decided, &observed);
        assert_eq!(step(&mut decided, &observed), 0);
        assert_eq!(places(&decided, other), [A]);
    }
}

/// Names of units that are there and not on their way out.
fn units(decided: &Decided) -> Vec<&str> {
    let there = decided.units.iter().filter(|(_, entry)| !entry.destroyed);
    there.map(|(name, _)| name.as_str()).collect()
}

#[test]
fn a_template_has_as_many_instances_as_it_asks_for_and_they_follow_it() {
    let template = "three@.container";
    let mut decided = decided([join(A), want(template, DesiredState::Inactive)]);
    let observed = Observed { machines: [(A, Seen { obeys: 99, kept: 99, ..seen() })].into() };
    settle(&mut decided, &observed);
    assert_eq!(units(&decided), [template], "it was never started");
    let act = |decided: &mut Decided, command: unit::Command| {
        decided.apply(&command.into()).unwrap();
        settle(decided, &observed);
    };
    let unit = || template.to_owned();
    act(&mut decided, unit::Command::Desire { unit: unit(), desired: DesiredState::Launched });
    let three = ["three@.container", "three@1.container", "three@2.container", "three@3.container"];
    assert_eq!(units(&decided), three);
    assert_eq!(places(&decided, "three@2.container"), [A]);
    assert_eq!(places(&decided, template), []);
    act(&mut decided, unit::Command::Scale { unit: unit(), replicas: 1 });
    assert_eq!(units(&decided), three[..2]);
    act(&mut decided, unit::Command::Scale { unit: unit(), replicas: 3 });
    let before = decided.units["three@3.container"].restart;
    act(&mut decided, unit::Command::Restart { unit: unit() });
    assert!(decided.units["three@3.container"].restart > before);
    act(&mut decided, unit::Command::Desire { unit: unit(), desired: DesiredState::Loaded });
    assert_eq!(decided.units["three@1.container"].desired, DesiredState::Loaded);
    act(&mut decided, unit::Command::Destroy { unit: unit() });
    assert_eq!(units(&decided), [""; 0]);
}

#[test]
fn an_instance_that_somebody_handed_over_is_theirs() {
    let own = want("three@2.container", DesiredState::Loaded);
    let template = want("three@.container", DesiredState::Launched);
    let mut decided = decided([join(A), own, template]);
    let observed = Observed { machines: [(A, Seen { obeys: 99, kept: 99, ..seen() })].into() };
    settle(&mut decided, &observed);
    assert_eq!(decided.units["three@2.container"].desired, DesiredState::Loaded);
    let destroy = unit::Command::Destroy { unit: "three@.container".to_owned() };
    decided.apply(&destroy.into()).unwrap();
    settle(&mut decided, &observed);
    assert_eq!(units(&decided), ["three@2.container"]);
}

fn drain(machine: MachineId) -> Command {
    machine::Command::Drain { machine, draining: true }.into()
}

#[test]
fn a_unit_of_a_draining_host_ends_there_before_it_goes_elsewhere() {
    let mut decided = decided([join(A), want("a.container", DesiredState::Launched), drain(A)]);
    let mut observed = Observed { machines: [(A, seen())].into() };
    decided.apply(&machine::Command::Drain { machine: A, draining: false }.into()).unwrap();
    settle(&mut decided, &observed);
    assert_eq!(places(&decided, "a.container"), [A]);
    observed.machines.get_mut(&A).unwrap().runs.insert("a.container".to_owned());
    // As long as no other host takes it, it stays.
    decided.apply(&drain(A)).unwrap();
    let unplaced = settle(&mut decided, &observed);
    assert_eq!(unplaced.len(), 1, "{unplaced:?}");
    assert_eq!(places(&decided, "a.container"), [A]);
    decided.apply(&join(B)).unwrap();
    observed.machines.insert(B, seen());
    settle(&mut decided, &observed);
    assert_eq!(places(&decided, "a.container"), [A], "it still runs there");
    assert!(decided.set(A).units.is_empty(), "and is to end");
    let a = observed.machines.get_mut(&A).unwrap();
    (a.runs, a.obeys, a.kept) = (BTreeSet::new(), decided.index, decided.index);
    settle(&mut decided, &observed);
    assert_eq!(places(&decided, "a.container"), [B]);
}

#[test]
fn a_draining_host_that_dies_keeps_its_units_until_it_is_lost() {
    let mut decided = decided([join(A), join(B), want("a.container", DesiredState::Launched)]);
    let mut observed = Observed { machines: [(A, seen()), (B, seen())].into() };
    settle(&mut decided, &observed);
    let at = places(&decided, "a.container")[0];
    decided.apply(&drain(at)).unwrap();
    let silent = Seen { alive: false, runs: ["a.container".to_owned()].into(), ..seen() };
    observed.machines.insert(at, silent.clone());
    settle(&mut decided, &observed);
    assert_eq!(places(&decided, "a.container"), [at]);
    observed.machines.insert(at, Seen { lost: true, ..silent });
    settle(&mut decided, &observed);
    assert_ne!(places(&decided, "a.container"), [at]);
}

#[test]
fn a_unit_moves_only_when_its_host_has_heard_that_it_is_to_end() {
    let mut decided = decided([join(A), join(B), want("a.container", DesiredState::Launched)]);
    let mut observed = Observed { machines: [(A, seen()), (B, seen())].into() };
    settle(&mut decided, &observed);
    let at = places(&decided, "a.container")[0];
    decided.apply(&drain(at)).unwrap();
    // It may be starting it right now, or be about to start it again.
    for alive in [true, false] {
        observed.machines.insert(at, Seen { alive, ..seen() });
        settle(&mut decided, &observed);
        assert_eq!(places(&decided, "a.container"), [at]);
    }
    observed.machines.insert(at, Seen { obeys: decided.index, kept: decided.index, ..seen() });
    settle(&mut decided, &observed);
    assert_ne!(places(&decided, "a.container"), [at]);
}

/// Every unit is on all hosts.
struct Everywhere;

impl Files for Everywhere {
    fn asks(&mut self, _: &str, _: &Entry) -> schedule::Unit {
        schedule::Unit { global: true, ..schedule::Unit::default() }
    }

    fn replicas(&mut self, _: &str, _: &Entry) -> Option<u32> {
        None
    }
}

#[test]
fn what_is_everywhere_is_not_on_a_host_that_drains() {
    let mut decided = decided([join(A), join(B), want("a.container", DesiredState::Launched)]);
    let observed = Observed { machines: [(A, seen()), (B, seen())].into() };
    let step = |decided: &mut Decided| {
        let next = next(decided, &observed, Options::default(), &mut Everywhere);
        decided.apply(&Command::All(next.commands)).unwrap();
        places(decided, "a.container")
    };
    assert_eq!(step(&mut decided), [A, B]);
    decided.apply(&drain(A)).unwrap();
    assert_eq!(step(&mut decided), [B]);
    decided.apply(&machine::Command::Drain { machine: A, draining: false }.into()).unwrap();
    assert_eq!(step(&mut decided), [A, B]);
}
