use super::*;
use crate::core::run::RECORD_VERSION;

fn running(run: &RunId) -> What {
    let record = RunRecord {
        version: RECORD_VERSION,
        boot_id: String::new(),
        run: run.clone(),
        unit: "a.container".to_owned(),
        hash: String::new(),
        order: 3,
        source: String::new(),
        begun: 1,
        image: None,
        config: None,
        endpoint: None,
        address: None,
        unenforced: Vec::new(),
        process: None,
        steps: Vec::new(),
    };
    What::Running(Box::new(Running { record, pid: 7, since: 2, ready: false }))
}

fn told(words: impl FnOnce(&RunId) -> Vec<What>) -> Seen {
    let id = RunId::new("a.container", 1, 1);
    let mut run = Run::new(id.clone(), 3);
    words(&id).into_iter().for_each(|what| run.take(what, None));
    run.seen
}

#[test]
fn a_program_that_has_said_so_is_ready() {
    let ready = Seen::Running { order: 3, since: 2, ready: true, asked: false };
    assert_eq!(told(|id| vec![running(id), What::Ready]), ready);
}

#[test]
fn a_program_that_has_not_said_so_is_not_ready() {
    let silent = Seen::Running { order: 3, since: 2, ready: false, asked: false };
    assert_eq!(told(|id| vec![running(id)]), silent);
}

#[test]
fn a_run_of_a_lost_database_is_newer_than_any_set_of_the_new_one() {
    let set = AssignmentSet { index: 9, ..AssignmentSet::default() };
    let id = RunId::new("a.container", 1, 1);
    let mut run = Run::new(id.clone(), 3);
    run.take(running(&id), None);
    let mut unit = Unit { run: Some(run), ..Unit::default() };
    assert_eq!(unit.order(&set), 3, "of an earlier fleetd");
    let run = unit.run.as_mut().unwrap();
    let mut record = run.record.as_ref().unwrap().as_ref().clone();
    record.source = "another".to_owned();
    run.record = Some(Arc::new(record));
    assert_eq!(unit.order(&set), u64::MAX);
    // It is of the new one as soon as that asks for it, and ends when that says so.
    let entry = Entry { start: 8, ..Entry::gone() };
    let kept = unit.belongs_to(&set, &entry).unwrap();
    assert_eq!((kept.order, kept.source.as_str()), (8, obey::source(&set).as_str()));
    assert_eq!(unit.order(&set), 8);
    assert!(unit.belongs_to(&set, &entry).is_none(), "it is already");
}
