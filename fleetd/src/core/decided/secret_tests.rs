//! What becomes of secrets, and which hosts are told.

use super::*;
use crate::core::decided::{self, machine, place, unit};
use crate::core::machine_id::MachineId;
use std::collections::BTreeMap;

const A: MachineId = MachineId(1);
const B: MachineId = MachineId(2);

fn apply(decided: &mut Decided, command: impl Into<decided::Command>) -> Result<Outcome, Refusal> {
    decided.apply(&command.into())
}

fn set(decided: &mut Decided, name: &str, value: &str, now: u64) -> Result<Outcome, Refusal> {
    let (name, value) = (name.to_owned(), Hidden(value.to_owned()));
    apply(decided, Command::Set { name, value, now })
}

fn remove(decided: &mut Decided, name: &str, force: bool) -> Result<Outcome, Refusal> {
    apply(decided, Command::Remove { name: name.to_owned(), force })
}

/// On A a unit that names `db`, on B one that names nothing.
fn two_hosts() -> Decided {
    let mut decided = Decided::default();
    for (machine, name, secrets) in [(A, "a.container", ["db"].as_slice()), (B, "b.container", &[])]
    {
        let join = machine::Command::Join { machine, address: String::new(), key: None };
        apply(&mut decided, join).unwrap();
        let submit = unit::Command::Submit {
            unit: name.to_owned(),
            text: name.to_owned(),
            drop_ins: BTreeMap::new(),
            hash: name.to_owned(),
            replace: true,
            desired: Some(fleetd_api::DesiredState::Launched),
            made_from: None,
            secrets: secrets.iter().map(|&secret| secret.to_owned()).collect(),
        };
        apply(&mut decided, submit).unwrap();
        let unit = name.to_owned();
        apply(
            &mut decided,
            place::Command::Assign {
                unit,
                machine,
                granted: Default::default(),
                reasons: Vec::new(),
            },
        )
        .unwrap();
    }
    decided
}

fn told(decided: &Decided, machine: MachineId) -> Vec<(String, String)> {
    let set = decided.set(machine);
    let secrets = decided.secrets_of(&set).into_iter();
    secrets.map(|(name, value)| (name, value.0)).collect()
}

#[test]
fn a_host_is_told_of_what_its_own_units_name_and_of_each_change_of_it() {
    let mut decided = two_hosts();
    let layout = decided.layout;
    let of_b = decided.set(B);
    assert_eq!(told(&decided, A), []);
    assert_eq!(set(&mut decided, "db", "one", 5), Ok(Outcome::Created));
    assert_eq!(decided.set(A).index, decided.index);
    assert_eq!(told(&decided, A), [("db".to_owned(), "one".to_owned())]);
    assert_eq!(set(&mut decided, "db", "two", 6), Ok(Outcome::Changed));
    assert_eq!((decided.set(A).index, decided.index), (decided.index, of_b.index + 2));
    assert_eq!(told(&decided, A), [("db".to_owned(), "two".to_owned())]);
    let known = decided.secrets.get("db").cloned().unwrap();
    assert_eq!((known.created, known.changed), (5, 6));
    // It is of no other host, and moves nothing.
    assert_eq!((decided.set(B), told(&decided, B)), (of_b, Vec::new()));
    assert_eq!(decided.layout, layout);
    let index = decided.index;
    assert_eq!(set(&mut decided, "db", "two", 7), Ok(Outcome::Same));
    assert_eq!(set(&mut decided, "unused", "x", 8), Ok(Outcome::Created));
    assert_eq!((decided.index, decided.set(A).index), (index + 1, index));
}

#[test]
fn what_units_name_is_removed_only_by_force() {
    let mut decided = two_hosts();
    set(&mut decided, "db", "one", 5).unwrap();
    set(&mut decided, "unused", "x", 5).unwrap();
    let in_use = Refusal::SecretInUse { name: "db".to_owned(), unit: "a.container".to_owned() };
    assert_eq!(remove(&mut decided, "db", false), Err(in_use));
    assert_eq!(told(&decided, A).len(), 1, "and it is still there");
    assert_eq!(remove(&mut decided, "unused", false), Ok(Outcome::Removed));
    assert_eq!(remove(&mut decided, "db", true), Ok(Outcome::Removed));
    assert_eq!((told(&decided, A), decided.set(A).index), (Vec::new(), decided.index));
    let unknown = Refusal::UnknownSecret { name: "db".to_owned() };
    assert_eq!(remove(&mut decided, "db", true), Err(unknown));
    set(&mut decided, "db", "one", 5).unwrap();
    apply(&mut decided, unit::Command::Destroy { unit: "a.container".to_owned() }).unwrap();
    assert_eq!(remove(&mut decided, "db", false), Ok(Outcome::Removed));
}

#[test]
fn there_is_an_end_to_what_secrets_may_take() {
    let mut decided = Decided::default();
    let big = "x".repeat(MOST / 4);
    for name in ["a", "b", "c"] {
        set(&mut decided, name, &big, 0).unwrap();
    }
    assert_eq!(set(&mut decided, "d", &big, 0), Err(Refusal::ManySecrets));
    assert_eq!(decided.secrets.len(), 3);
    assert_eq!(set(&mut decided, "a", "small", 0), Ok(Outcome::Changed));
    assert_eq!(set(&mut decided, "d", &big, 0), Ok(Outcome::Created));
}

#[test]
fn no_value_is_in_what_a_log_may_say() {
    let mut decided = Decided::default();
    let command =
        Command::Set { name: "db".to_owned(), value: Hidden("hunter2".to_owned()), now: 0 };
    assert!(!format!("{command:?}").contains("hunter2"));
    apply(&mut decided, command).unwrap();
    assert!(!format!("{decided:?}").contains("hunter2"));
}
