use super::*;
use crate::agent::keyring;
use crate::core::decided;
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
        secrets: Default::default(),
    });
    AssignmentSet {
        machine: A,
        index,
        units: [(unit.to_owned(), Assigned { entry, epoch: 1 })].into(),
        secrets: None,
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

/// What is decided where a unit of A names the secret `db`.
fn decided(value: &str) -> Decided {
    let of_unit = set(7, "a.container").units["a.container"].entry.clone();
    let mut decided = Decided { index: 7, ..Decided::default() };
    let entry = Entry { secrets: ["db".to_owned()].into(), ..of_unit.as_ref().clone() };
    decided.units.insert("a.container".to_owned(), Arc::new(entry));
    let place = decided::Place {
        machine: A,
        epoch: 1,
        leaving: false,
        granted: Default::default(),
        reasons: Vec::new(),
    };
    decided.places.insert("a.container".to_owned(), Arc::new(vec![place]));
    decided.sets.insert(A, 7);
    let value = decided::fleet::Secret(data_encoding::BASE64.encode(value.as_bytes()));
    let secret = decided::Secret { value, created: 0, changed: 0 };
    decided.secrets.insert("db".to_owned(), Arc::new(secret));
    decided
}

#[test]
fn a_secret_is_on_disk_as_only_this_host_can_read_it() {
    let dir = Dir::new("secret");
    let assignments = Assignments::open(&dir.0, A);
    assert_eq!(assignments.secret("db"), Ok(None));
    assignments.follow_to(&decided("hunter2"));
    assert_eq!(assignments.secret("db"), Ok(Some(b"hunter2".to_vec())));
    assert_eq!(assignments.secret("other"), Ok(None));
    let kept = std::fs::read_to_string(dir.0.assignments()).unwrap();
    assert!(kept.contains("\"secrets\":\""), "{kept}");
    for plain in ["hunter2", &data_encoding::BASE64.encode(b"hunter2")] {
        assert!(!kept.contains(plain), "{kept}");
    }
    let again = Assignments::open(&dir.0, A);
    assert_eq!((again.has(), again.secret("db")), (7, Ok(Some(b"hunter2".to_vec()))));
}

#[test]
fn a_host_that_has_lost_its_key_asks_for_the_same_set_again() {
    let dir = Dir::new("lost-key");
    let decided = decided("hunter2");
    Assignments::open(&dir.0, A).follow_to(&decided);
    std::fs::remove_file(dir.0.sealing_key()).unwrap();
    let assignments = Assignments::open(&dir.0, A);
    assert!(assignments.secret("db").unwrap_err().starts_with("open secret db: "));
    assert_eq!((assignments.index(), assignments.has()), (7, 6), "it has its units, and asks");
    // Sealed to somebody else it is of no use.
    let other = crate::pki::sealed::SealingKey::generate().public();
    assignments.offer(keyring::seal(&decided, A, Some(&other)).unwrap());
    assert_eq!(assignments.has(), 6);
    assignments.follow_to(&decided);
    assert_eq!(assignments.secret("db"), Ok(Some(b"hunter2".to_vec())));
    assert_eq!((assignments.index(), assignments.has()), (7, 7));
    let again = Assignments::open(&dir.0, A);
    assert_eq!((again.has(), again.secret("db")), (7, Ok(Some(b"hunter2".to_vec()))));
}

#[test]
fn a_key_that_others_could_read_is_used_no_more() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::new("open-key");
    let key = Assignments::open(&dir.0, A).sealing_key();
    assert_eq!(Assignments::open(&dir.0, A).sealing_key(), key);
    let path = dir.0.sealing_key();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let other = Assignments::open(&dir.0, A).sealing_key();
    assert_ne!(other, key);
    assert_eq!(Assignments::open(&dir.0, A).sealing_key(), other);
}

#[test]
fn a_fleetd_that_knows_of_no_secrets_gets_the_set_without() {
    let set = keyring::seal(&decided("hunter2"), A, None).unwrap();
    assert_eq!((set.index, set.units.len(), set.secrets), (7, 1, None));
}
