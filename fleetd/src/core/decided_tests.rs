use super::*;

fn submit(text: &str, replace: bool, desired: Option<DesiredState>) -> Command {
    Command::Submit {
        unit: "a.container".to_owned(),
        text: text.to_owned(),
        drop_ins: BTreeMap::new(),
        hash: format!("hash of {text}"),
        replace,
        desired,
    }
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
    let start = Command::Desire { unit: unit(), desired: DesiredState::Launched };
    decided.apply(&start).unwrap();
    decided.apply(&start).unwrap();
    assert_eq!(entry(&decided).start, 3);
}

#[test]
fn a_destroyed_unit_is_known_until_nothing_runs() {
    let mut decided = Decided::default();
    decided.apply(&submit("1", false, Some(DesiredState::Launched))).unwrap();
    decided.apply(&Command::Destroy { unit: unit() }).unwrap();
    assert!(entry(&decided).destroyed);
    let start = Command::Desire { unit: unit(), desired: DesiredState::Launched };
    assert_eq!(decided.apply(&start), Err(Refusal::Unknown { unit: unit() }));
    assert_eq!(decided.apply(&Command::Remove { unit: unit() }), Ok(Outcome::Removed));
    assert!(decided.units.is_empty());
}

#[test]
fn a_unit_submitted_again_while_it_goes_stays() {
    let mut decided = Decided::default();
    decided.apply(&submit("1", false, Some(DesiredState::Launched))).unwrap();
    decided.apply(&Command::Destroy { unit: unit() }).unwrap();
    decided.apply(&submit("2", false, Some(DesiredState::Launched))).unwrap();
    assert_eq!(decided.apply(&Command::Remove { unit: unit() }), Ok(Outcome::Same));
    assert_eq!(entry(&decided).restart, 3);
}

#[test]
fn nothing_is_done_to_a_unit_that_is_not_there() {
    let mut decided = Decided::default();
    for command in [
        Command::Desire { unit: unit(), desired: DesiredState::Inactive },
        Command::Restart { unit: unit() },
        Command::Destroy { unit: unit() },
    ] {
        assert_eq!(decided.apply(&command), Err(Refusal::Unknown { unit: unit() }));
    }
    assert_eq!(decided.index, 0);
}
