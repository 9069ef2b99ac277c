use super::*;
use crate::core::decided::{Entry, Place};
use crate::core::machine_id::MachineId;
use fleetd_api::DesiredState;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

pub(super) struct Dir(PathBuf);

impl Dir {
    pub(super) fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("flotilla-store-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn file(&self) -> PathBuf {
        self.0.join("fleetd.redb")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A tmpfs of its own, attached nowhere.
pub(crate) fn small_disk(size: &str) -> PathBuf {
    use rustix::mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount,
        fsopen,
    };
    use std::os::fd::IntoRawFd;
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
    fsconfig_set_string(&context, "size", size).unwrap();
    fsconfig_create(&context).unwrap();
    let disk = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).unwrap();
    // Open to the end of the process, and the file system with it.
    PathBuf::from(format!("/proc/self/fd/{}", disk.into_raw_fd()))
}

/// Fills a disk to the last byte.
pub(crate) fn fill(filler: &Path) {
    let mut file = std::fs::File::create(filler).unwrap();
    while file.write_all(&[0; 1 << 12]).is_ok() {}
}

fn entry() -> Arc<Entry> {
    Arc::new(Entry {
        text: "[Container]\n".to_owned(),
        drop_ins: std::collections::BTreeMap::new(),
        hash: "abc".to_owned(),
        desired: DesiredState::Launched,
        start: 7,
        restart: 0,
        destroyed: false,
        made_from: None,
        replicas: None,
        secrets: Default::default(),
    })
}

/// Writes as the group does.
fn write(store: Store, changes: &[Decided]) {
    let writer = writer::Writer::start(Arc::new(store.database)).unwrap();
    let (sender, done) = std::sync::mpsc::channel();
    let mut before = store.decided;
    for after in changes {
        let (was, after) = (before, after.clone());
        before = after.clone();
        writer.soon(Box::new(move |transaction| facts::write(transaction, &was, &after)));
    }
    writer.durably(Box::new(|_| Ok(())), Box::new(move |result| sender.send(result).unwrap()));
    done.recv().unwrap().unwrap();
}

/// The thread that writes ends, and closes the file, a moment after it has answered.
fn open_again(path: &Path) -> (Store, Opened) {
    loop {
        match Store::open(path, "m2") {
            Err(e) if e.to_string().contains("already open") => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

#[test]
fn what_was_written_is_there_again() {
    let dir = Dir::new("again");
    let (store, opened) = Store::open(&dir.file(), "m1").unwrap();
    assert_eq!((opened.machine_id.as_str(), opened.incarnation), ("m1", 1));
    let machine = MachineId(1);
    let mut decided = Decided { index: 7, ..Decided::default() };
    decided.units.insert("a.container".to_owned(), entry());
    decided.machines.insert(machine, Arc::default());
    let place =
        Place { machine, epoch: 7, leaving: false, granted: Default::default(), reasons: vec![] };
    decided.places.insert("a.container".to_owned(), Arc::new(vec![place]));
    decided.sets.insert(machine, 7);
    let mut more = Decided { index: 8, layout: 8, ..decided.clone() };
    more.units.insert("b.container".to_owned(), entry());
    let less = Decided { index: 9, layout: 8, ..decided };
    write(store, &[more, less.clone()]);
    let (store, opened) = open_again(&dir.file());
    assert_eq!((opened.machine_id.as_str(), opened.incarnation), ("m1", 2));
    assert_eq!(store.decided, less);
}

#[test]
fn nobody_else_reads_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::new("private");
    drop(Store::open(&dir.file(), "m1").unwrap());
    std::fs::set_permissions(dir.file(), std::fs::Permissions::from_mode(0o644)).unwrap();
    drop(open_again(&dir.file()));
    let mode = std::fs::metadata(dir.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_damaged_file_is_named_and_left_as_it_is() {
    let dir = Dir::new("damaged");
    let empty = Vec::new();
    let noise = vec![0x5a_u8; 100_000];
    drop(Store::open(&dir.file(), "m1").unwrap());
    let mut scratched = std::fs::read(dir.file()).unwrap();
    let end = scratched.len().min(400);
    scratched[..end].fill(0xff);
    for content in [empty, noise, scratched] {
        std::fs::write(dir.file(), &content).unwrap();
        let Err(error) = Store::open(&dir.file(), "m1") else { panic!("it was taken") };
        let text = error.to_string();
        assert!(text.contains("fleetd.redb"), "{text}");
        assert!(text.contains("no container stopped"), "{text}");
        assert_eq!(std::fs::read(dir.file()).unwrap(), content);
    }
}

#[test]
fn what_an_interrupted_first_start_left_is_no_database() {
    let dir = Dir::new("first");
    std::fs::write(dir.0.join("fleetd.redb.new"), b"half").unwrap();
    Store::open(&dir.file(), "m1").unwrap();
}

#[test]
fn what_is_forgotten_is_all_but_who_the_host_is_and_how_often_it_began() {
    let dir = Dir::new("forgotten");
    let (store, _) = Store::open(&dir.file(), "m1").unwrap();
    let mut decided = Decided { index: 7, layout: 7, ..Decided::default() };
    decided.units.insert("a.container".to_owned(), entry());
    write(store, &[decided]);
    drop(open_again(&dir.file()));
    forget(&dir.file()).unwrap();
    let (store, opened) = open_again(&dir.file());
    assert_eq!(store.decided, Decided::default());
    assert_eq!((opened.machine_id.as_str(), opened.incarnation), ("m1", 3));
}
