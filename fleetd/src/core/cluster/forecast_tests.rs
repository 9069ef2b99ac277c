use super::*;
use crate::core::cluster::tests::{A, B, decided, join, places, seen, want};
use crate::core::decided::{machine, unit};
use crate::core::schedule::{Resources, Unit};

/// A file is `MEMORY PRIORITY REPLICAS`; with a fourth word it is another one that asks the same.
struct Words;

fn words(entry: &Entry) -> Vec<i64> {
    entry.text.split(' ').filter_map(|word| word.parse().ok()).collect()
}

impl Files for Words {
    fn asks(&mut self, _: &str, entry: &Entry) -> Unit {
        let words = words(entry);
        let memory = u64::try_from(words[0]).unwrap() << 20;
        let requests = Resources { memory, ..Resources::default() };
        Unit { requests, priority: i32::try_from(words[1]).unwrap(), ..Unit::default() }
    }

    fn replicas(&mut self, _: &str, entry: &Entry) -> Option<u32> {
        words(entry).get(2).map(|count| u32::try_from(*count).unwrap())
    }
}

fn file(name: &str, text: &str, desired: Option<DesiredState>) -> Command {
    let submit = unit::Command::Submit {
        unit: name.to_owned(),
        text: text.to_owned(),
        drop_ins: BTreeMap::new(),
        hash: text.to_owned(),
        replace: true,
        desired,
        made_from: None,
        secrets: Default::default(),
    };
    submit.into()
}

fn launch(name: &str, text: &str) -> Command {
    file(name, text, Some(DesiredState::Launched))
}

/// Hosts of a GiB that run what has its place on them.
fn fleet(hosts: &[MachineId], commands: Vec<Command>) -> (Decided, Observed) {
    let all = hosts.iter().map(|host| join(*host)).chain(commands);
    let machines = hosts.iter().map(|host| (*host, seen())).collect();
    let mut observed = Observed { machines };
    let rest = settle(decided(all), &observed, Options::default(), &mut Words).unwrap();
    for (unit, places) in &rest.decided.places {
        for place in places.iter() {
            observed.machines.get_mut(&place.machine).unwrap().runs.insert(unit.clone());
        }
    }
    (rest.decided, observed)
}

fn ask(of: &(Decided, Observed), commands: Vec<Command>) -> Forecast {
    forecast(&of.0, &of.1, Options::default(), &mut Words, commands).unwrap()
}

/// `unit: step`
fn lines(forecast: &Forecast) -> Vec<String> {
    let line = |unit: &str, step: &Step| {
        let id = |machine: &MachineId| if *machine == A { "A" } else { "B" };
        match step {
            Step::Add { to, .. } => format!("{unit}: add {}", id(to)),
            Step::Remove { from, .. } => format!("{unit}: remove {}", id(from)),
            Step::Move { from, to, .. } => format!("{unit}: move {} {}", id(from), id(to)),
            Step::Restart { on } => format!("{unit}: restart {}", id(on)),
            Step::Start { on } => format!("{unit}: start {}", id(on)),
            Step::Stop { on } => format!("{unit}: stop {}", id(on)),
        }
    };
    let units = forecast.units.iter();
    units.flat_map(|(unit, of)| of.steps.iter().map(move |step| line(unit, step))).collect()
}

#[test]
fn a_new_unit_gets_its_place_and_one_that_is_the_same_changes_nothing() {
    let fleet = fleet(&[A, B], vec![launch("a.container", "100 0")]);
    let found = ask(&fleet, vec![launch("b.container", "100 0")]);
    assert_eq!(lines(&found), ["b.container: add B"]);
    assert!(found.units["b.container"].before.is_none() && found.unplaced.is_empty());
    // A start of what runs is a decision, and nothing that is seen.
    let found = ask(&fleet, vec![launch("a.container", "100 0")]);
    assert_eq!(lines(&found), [""; 0]);
    let found = ask(&fleet, vec![file("a.container", "100 0", None)]);
    assert!(found.units.is_empty());
}

#[test]
fn nothing_is_decided() {
    let fleet = fleet(&[A], vec![launch("a.container", "100 0")]);
    let before = fleet.clone();
    ask(&fleet, vec![launch("b.container", "100 0")]);
    assert_eq!(fleet, before);
}

#[test]
fn another_file_restarts_what_runs_only_if_it_is_started_with_it() {
    let fleet = fleet(&[A], vec![launch("a.container", "100 0")]);
    let found = ask(&fleet, vec![launch("a.container", "100 0 x")]);
    assert_eq!(lines(&found), ["a.container: restart A"]);
    let found = ask(&fleet, vec![file("a.container", "100 0 x", None)]);
    assert_eq!(lines(&found), [""; 0]);
    let outlook = &found.units["a.container"];
    assert_ne!(outlook.before.as_ref().unwrap().text, outlook.after.as_ref().unwrap().text);
}

#[test]
fn a_start_wakes_what_has_ended() {
    let mut fleet = fleet(&[A], vec![launch("a.container", "100 0")]);
    fleet.1.machines.get_mut(&A).unwrap().runs.clear();
    let found = ask(&fleet, vec![launch("a.container", "100 0")]);
    assert_eq!(lines(&found), ["a.container: start A"]);
}

#[test]
fn instances_come_and_go_with_their_template() {
    let template = launch("web@.container", "100 0 2");
    let fleet = fleet(&[A, B], vec![template]);
    let found = ask(&fleet, vec![launch("web@.container", "100 0 3")]);
    let added = lines(&found);
    let added: Vec<&str> = added.iter().map(|line| line.rsplit_once(' ').unwrap().0).collect();
    let expected = ["web@1.container: restart", "web@2.container: restart", "web@3.container: add"];
    assert_eq!(added, expected);
    let scale = unit::Command::Scale { unit: "web@.container".to_owned(), replicas: 1 };
    let found = ask(&fleet, vec![scale.into()]);
    assert_eq!(lines(&found).len(), 1);
    let gone = &found.units["web@2.container"];
    assert!(gone.after.is_none() && matches!(&*gone.steps, [Step::Remove { .. }]));
}

#[test]
fn who_makes_room_is_told_with_the_one_that_it_makes_it_for() {
    let small = vec![launch("low.container", "700 0"), launch("mid.container", "700 1")];
    let fleet = fleet(&[A, B], small);
    let low = places(&fleet.0, "low.container")[0];
    let found = ask(&fleet, vec![launch("top.container", "700 5")]);
    assert_eq!(lines(&found).len(), 2, "{found:?}");
    let [Step::Remove { from, reasons }] = &*found.units["low.container"].steps else {
        panic!("{found:?}");
    };
    assert_eq!(*from, low);
    assert_eq!(reasons, &["top.container has a higher priority and needs the room"]);
    assert_eq!(found.unplaced[0].unit, "low.container");
    assert!(found.unplaced[0].remedy.contains("memory"), "{}", found.unplaced[0].remedy);
}

#[test]
fn what_has_no_place_anyway_is_no_news_unless_it_is_asked_about() {
    let mut fleet = fleet(&[A], vec![launch("big.container", "5000 0")]);
    let found = ask(&fleet, vec![launch("a.container", "100 0")]);
    assert_eq!(found.unplaced, []);
    let found = ask(&fleet, vec![launch("big.container", "4000 0")]);
    assert_eq!(found.unplaced.len(), 1);
    let template = |size: &str| launch("big@.container", &format!("{size} 0 2"));
    fleet.0.apply(&template("5000")).unwrap();
    let found = ask(&fleet, vec![template("4000")]);
    assert_eq!(found.unplaced.len(), 2, "its instances");
}

#[test]
fn what_happens_anyway_is_no_part_of_it() {
    let mut fleet = fleet(&[A, B], vec![launch("a.container", "100 0")]);
    let machine = places(&fleet.0, "a.container")[0];
    fleet.0.apply(&machine::Command::Drain { machine, draining: true }.into()).unwrap();
    let found = ask(&fleet, vec![want("b.container", DesiredState::Inactive)]);
    assert_eq!(lines(&found), [""; 0]);
}

#[test]
fn a_host_that_is_dead_ends_nothing() {
    let mut fleet = fleet(&[A], vec![launch("a.container", "100 0")]);
    fleet.1.machines.get_mut(&A).unwrap().alive = false;
    let stop =
        unit::Command::Desire { unit: "a.container".to_owned(), desired: DesiredState::Inactive };
    let found = ask(&fleet, vec![stop.into()]);
    assert_eq!(lines(&found), ["a.container: stop A"]);
}

#[test]
fn what_would_be_refused_is_refused() {
    let fleet = fleet(&[A], Vec::new());
    let restart = unit::Command::Restart { unit: "a.container".to_owned() };
    let refused =
        forecast(&fleet.0, &fleet.1, Options::default(), &mut Words, vec![restart.into()]);
    let unknown = Refusal::Unknown { unit: "a.container".to_owned() };
    assert_eq!(refused, Err(Failure::Refused(unknown)));
}
