use super::*;
use crate::core::decided::set::Assigned;
use crate::core::decided::unit::Entry;
use fleetd_api::DesiredState;

const A: MachineId = MachineId(1);

struct Dir(Place);

impl Dir {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("flotilla-assigned-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(Place { run_dir: path.clone(), state_dir: path })
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0.state_dir).unwrap();
    }
}

fn set(index: u64, unit: &str) -> AssignmentSet {
    let entry = Arc::new(Entry {
        text: "[Container]\n".to_owned(),
        drop_ins: std::collections::BTreeMap::new(),
        hash: "abc".to_owned(),
        desired: DesiredState::Launched,
        start: 1,
        restart: 0,
        destroyed: false,
        made_from: None,
        replicas: None,
    });
    AssignmentSet {
        machine: A,
        index,
        units: [(unit.to_owned(), Assigned { entry, epoch: 1 })].into(),
        view: None,
    }
}

#[test]
fn a_newer_set_is_taken_and_kept_and_an_older_one_is_not() {
    let dir = Dir::new("newer");
    let assignments = Assignments::open(&dir.0, A);
    assert_eq!(assignments.subscribe().borrow().index, 0);
    assignments.offer(set(7, "a.container"));
    assignments.offer(set(6, "b.container"));
    assert_eq!(**assignments.subscribe().borrow(), set(7, "a.container"));
    assert_eq!(**Assignments::open(&dir.0, A).subscribe().borrow(), set(7, "a.container"));
}

#[test]
fn what_is_damaged_is_no_set() {
    let dir = Dir::new("damaged");
    std::fs::write(dir.0.assignments(), "{\"index\":9,\"units\":{").unwrap();
    assert_eq!(Assignments::open(&dir.0, A).subscribe().borrow().index, 0);
}

#[test]
fn the_set_of_another_machine_is_not_ours() {
    let dir = Dir::new("other");
    Assignments::open(&dir.0, A).offer(set(7, "a.container"));
    let other = Assignments::open(&dir.0, MachineId(2));
    assert_eq!(other.subscribe().borrow().index, 0);
}

#[tokio::test]
async fn what_the_disk_does_not_take_holds_and_is_kept_once_it_does() {
    let dir = Dir::new("disk");
    let assignments = Arc::new(Assignments::open(&dir.0, A));
    let mut kept = assignments.kept();
    assignments.offer(set(7, "a.container"));
    assignments.keep().unwrap();
    assert_eq!(*kept.borrow_and_update(), 7);
    // Nothing can be written where a directory is.
    let in_the_way = dir.0.assignments().with_extension("new");
    std::fs::create_dir(&in_the_way).unwrap();
    assignments.offer(set(8, "b.container"));
    assert_eq!(assignments.index(), 8);
    let error = assignments.keep().unwrap_err();
    assert!(error.contains("is a directory"), "{error}");
    assert_eq!(*kept.borrow(), 7);
    assert_eq!(Assignments::open(&dir.0, A).index(), 7);

    let keeps = tokio::spawn(assignments.clone().keep_all());
    std::fs::remove_dir(&in_the_way).unwrap();
    kept.wait_for(|index| *index == 8).await.unwrap();
    assert_eq!(**Assignments::open(&dir.0, A).subscribe().borrow(), set(8, "b.container"));
    keeps.abort();
}
