use super::unit::Command as Units;
use super::*;
use crate::core::schedule::Resources;
use fleetd_api::DesiredState;
use std::collections::BTreeMap;

fn submit(text: &str, replace: bool, desired: Option<DesiredState>) -> Command {
    let submit = Units::Submit {
        unit: "a.container".to_owned(),
        text: text.to_owned(),
        drop_ins: BTreeMap::new(),
        hash: format!("hash of {text}"),
        replace,
        desired,
        made_from: None,
        secrets: Default::default(),
    };
    submit.into()
}

fn unit() -> String {
    "a.container".to_owned()
}

fn entry(decided: &Decided) -> Entry {
    decided.units["a.container"].as_ref().clone()
}

#[test]
fn a_new_unit_is_inactive_unless_it_is_to_be_launched() {
    let mut decided = Decided::default();
    assert_eq!(decided.apply(&submit("1", false, None)), Ok(Outcome::Created));
    assert_eq!(entry(&decided).desired, DesiredState::Inactive);
    assert_eq!(decided.apply(&submit("1", false, None)), Ok(Outcome::Same));
    assert_eq!(decided.index, 1);
    let launch = submit("1", false, Some(DesiredState::Launched));
    assert_eq!(decided.apply(&launch), Ok(Outcome::Changed));
    assert_eq!((entry(&decided).start, entry(&decided).restart), (2, 0));
}

#[test]
fn a_different_file_is_refused_and_replaced_only_when_asked() {
    let mut decided = Decided::default();
    decided.apply(&submit("1", false, Some(DesiredState::Launched))).unwrap();
    let refused = decided.apply(&submit("2", false, None));
    assert_eq!(refused, Err(Refusal::Differs { unit: unit() }));
    assert_eq!(entry(&decided).text, "1");
    // What runs goes on with the old file until it is started or restarted.
    decided.apply(&submit("2", true, None)).unwrap();
    assert_eq!((entry(&decided).text.as_str(), entry(&decided).restart), ("2", 0));
    decided.apply(&submit("3", true, Some(DesiredState::Launched))).unwrap();
    assert_eq!(entry(&decided).restart, decided.index);
}

#[test]
fn a_start_is_a_decision_each_time() {
    let mut decided = Decided::default();
    decided.apply(&submit("1", false, None)).unwrap();
    let start = Units::Desire { unit: unit(), desired: DesiredState::Launched }.into();
    decided.apply(&start).unwrap();
    decided.apply(&start).unwrap();
    assert_eq!(entry(&decided).start, 3);
}

#[test]
fn a_destroyed_unit_is_known_until_nothing_runs() {
    let mut decided = Decided::default();
    decided.apply(&submit("1", false, Some(DesiredState::Launched))).unwrap();
    decided.apply(&Units::Destroy { unit: unit() }.into()).unwrap();
    assert!(entry(&decided).destroyed);
    let start = Units::Desire { unit: unit(), desired: DesiredState::Launched }.into();
    assert_eq!(decided.apply(&start), Err(Refusal::Unknown { unit: unit() }));
    assert_eq!(decided.apply(&Units::Remove { unit: unit() }.into()), Ok(Outcome::Removed));
    assert!(decided.units.is_empty());
}

#[test]
fn a_unit_submitted_again_while_it_goes_stays() {
    let mut decided = Decided::default();
    decided.apply(&submit("1", false, Some(DesiredState::Launched))).unwrap();
    decided.apply(&Units::Destroy { unit: unit() }.into()).unwrap();
    decided.apply(&submit("2", false, Some(DesiredState::Launched))).unwrap();
    assert_eq!(decided.apply(&Units::Remove { unit: unit() }.into()), Ok(Outcome::Same));
    assert_eq!(entry(&decided).restart, 3);
}

#[test]
fn nothing_is_done_to_a_unit_that_is_not_there() {
    let mut decided = Decided::default();
    for command in [
        Units::Desire { unit: unit(), desired: DesiredState::Inactive },
        Units::Restart { unit: unit() },
        Units::Destroy { unit: unit() },
    ] {
        assert_eq!(decided.apply(&command.into()), Err(Refusal::Unknown { unit: unit() }));
    }
    assert_eq!(decided.index, 0);
}

const A: MachineId = MachineId(1);
const B: MachineId = MachineId(2);

fn join(machine: MachineId) -> Command {
    machine::Command::Join { machine, address: String::new(), key: None }.into()
}

fn assign(machine: MachineId) -> Command {
    let granted = Resources { cpu: 1000, ..Resources::default() };
    let (unit, reasons) = (unit(), vec!["it fits".to_owned()]);
    place::Command::Assign { unit, machine, granted, reasons }.into()
}

fn unassign(machine: MachineId) -> Command {
    place::Command::Unassign { unit: unit(), machine }.into()
}

/// Two machines and a launched unit.
fn fleet() -> Decided {
    let mut decided = Decided::default();
    for command in [join(A), join(B), submit("1", false, Some(DesiredState::Launched))] {
        decided.apply(&command).unwrap();
    }
    decided
}

#[test]
fn a_set_has_what_is_placed_there_and_changes_with_that_alone() {
    let mut decided = fleet();
    assert_eq!((decided.set(A).index, decided.set(A).units.len()), (1, 0));
    decided.apply(&assign(A)).unwrap();
    let set = decided.set(A);
    assert_eq!((set.index, set.units["a.container"].epoch), (4, 4));
    assert_eq!(set.units["a.container"].entry.text, "1");
    assert_eq!(decided.set(B).index, 2, "nothing is there");
    decided.apply(&Units::Restart { unit: unit() }.into()).unwrap();
    assert_eq!((decided.set(A).index, decided.set(B).index), (5, 2));
    // A move is one change of both.
    decided.apply(&Command::All(vec![unassign(A), assign(B)])).unwrap();
    assert_eq!((decided.set(A).index, decided.set(B).index), (6, 6));
    assert!(decided.set(A).units.is_empty());
    assert_eq!(decided.set(B).units["a.container"].epoch, 6);
}

#[test]
fn several_commands_are_taken_together_or_not_at_all() {
    let mut decided = fleet();
    let before = decided.clone();
    let unknown = MachineId(9);
    let refused = decided.apply(&Command::All(vec![assign(A), assign(unknown)]));
    assert_eq!(refused, Err(Refusal::UnknownMachine { machine: unknown }));
    assert_eq!(decided, before);
    let stale = Command::All(vec![Command::Expect { index: 2 }, assign(A)]);
    assert_eq!(decided.apply(&stale), Err(Refusal::Newer { index: 3 }));
    assert_eq!(decided, before);
    let current = Command::All(vec![Command::Expect { index: 3 }, assign(A)]);
    assert_eq!(decided.apply(&current), Ok(Outcome::Changed));
    assert_eq!(decided.index, 4);
}

#[test]
fn a_new_generation_is_newer_than_everything_before() {
    let mut decided = fleet();
    decided.apply(&assign(A)).unwrap();
    // A host has obeyed what this database does not have.
    decided.apply(&Command::Raise { above: 99 }).unwrap();
    assert_eq!(decided.index, GENERATION);
    assert_eq!((decided.set(A).index, decided.set(B).index), (GENERATION, GENERATION));
    assert_eq!(decided.set(A).units["a.container"].epoch, 4);
    decided.apply(&unassign(A)).unwrap();
    assert_eq!(decided.index, GENERATION + 1);
    decided.apply(&Command::Raise { above: 3 * GENERATION + 5 }).unwrap();
    assert_eq!(decided.index, 4 * GENERATION);
}

#[test]
fn an_epoch_stays_while_the_unit_stays() {
    let mut decided = fleet();
    decided.apply(&assign(A)).unwrap();
    assert_eq!(decided.apply(&assign(A)), Ok(Outcome::Same));
    let more = Resources { cpu: 2000, ..Resources::default() };
    let (unit, machine, reasons) = (unit(), A, Vec::new());
    let grown = place::Command::Assign { unit, machine, granted: more, reasons };
    decided.apply(&grown.into()).unwrap();
    let place = &decided.places["a.container"][0];
    assert_eq!((place.epoch, place.granted), (4, more));
    assert_eq!(place.reasons, ["it fits"]);
}

#[test]
fn a_machine_that_leaves_takes_its_places_along() {
    let mut decided = fleet();
    decided.apply(&assign(A)).unwrap();
    decided.apply(&machine::Command::Leave { machine: A }.into()).unwrap();
    assert!(decided.places.is_empty() && !decided.sets.contains_key(&A));
    let again = decided.apply(&machine::Command::Leave { machine: A }.into());
    assert_eq!(again, Err(Refusal::UnknownMachine { machine: A }));
}

#[test]
fn what_is_said_of_a_machine_is_kept() {
    let mut decided = fleet();
    let say = |value: Option<&str>| {
        let (key, value) = ("zone".to_owned(), value.map(str::to_owned));
        machine::Command::Describe { machine: A, key, value }.into()
    };
    decided.apply(&say(Some("1"))).unwrap();
    let cordon = machine::Command::Cordon { machine: A, cordoned: true };
    decided.apply(&cordon.clone().into()).unwrap();
    assert_eq!(decided.apply(&cordon.into()), Ok(Outcome::Same));
    // It comes back at another address.
    let join =
        machine::Command::Join { machine: A, address: "192.0.2.1:7000".to_owned(), key: None };
    decided.apply(&join.into()).unwrap();
    let known = decided.machines[&A].clone();
    assert_eq!((known.metadata["zone"].as_str(), known.cordoned), ("1", true));
    assert_eq!(known.address, "192.0.2.1:7000");
    decided.apply(&say(None)).unwrap();
    assert!(decided.machines[&A].metadata.is_empty());
}

#[test]
fn commands_come_back_from_json_and_unknown_fields_are_passed_over() {
    let command = Command::All(vec![Command::Expect { index: 3 }, join(A), assign(A), unassign(B)]);
    let text = serde_json::to_string(&command).unwrap();
    assert_eq!(serde_json::from_str::<Command>(&text).unwrap(), command);
    let later = r#"{"machine":{"leave":{"machine":"00000000000000000000000000000001","why":"x"}}}"#;
    let expected = Command::Machine(machine::Command::Leave { machine: A });
    assert_eq!(serde_json::from_str::<Command>(later).unwrap(), expected);
}

#[test]
fn what_a_forecast_rests_on_is_units_places_and_hosts() {
    let mut decided = fleet();
    for command in [
        submit("2", true, Some(DesiredState::Launched)),
        assign(A),
        machine::Command::Cordon { machine: A, cordoned: true }.into(),
        Units::Restart { unit: unit() }.into(),
        Command::Raise { above: 0 },
    ] {
        decided.apply(&command).unwrap();
        assert_eq!(decided.layout, decided.index, "{command:?}");
    }
    let before = decided.layout;
    assert_eq!(decided.apply(&join(B)), Ok(Outcome::Same));
    assert_eq!(decided.layout, before);
}
