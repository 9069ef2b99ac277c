use super::*;
use fleetd_api::DesiredState;
use std::io::Write;

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("flotilla-store-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("fleetd.redb")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
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
    })
}

#[test]
fn what_was_written_is_there_again() {
    let dir = Dir::new("again");
    let (mut store, opened) = Store::open(&dir.file(), "m1").unwrap();
    assert_eq!((opened.machine_id.as_str(), opened.incarnation), ("m1", 1));
    let at = |index| Decided { index, ..Decided::default() };
    store.write(&at(7), &[("a.container".to_owned(), Some(entry()))]).unwrap();
    store.write(&at(8), &[("b.container".to_owned(), Some(entry()))]).unwrap();
    store.write(&at(9), &[("b.container".to_owned(), None)]).unwrap();
    drop(store);
    let (_store, opened) = Store::open(&dir.file(), "m2").unwrap();
    assert_eq!((opened.machine_id.as_str(), opened.incarnation), ("m1", 2));
    assert_eq!(opened.decided.index, 9);
    assert_eq!(opened.decided.units.len(), 1);
    assert_eq!(opened.decided.units["a.container"], entry());
}

#[test]
fn a_damaged_file_is_named_with_the_remedy_and_left_as_it_is() {
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
        assert!(text.contains("backup"), "{text}");
        assert_eq!(std::fs::read(dir.file()).unwrap(), content);
    }
}

#[test]
fn what_an_interrupted_first_start_left_is_no_database() {
    let dir = Dir::new("first");
    std::fs::write(dir.0.join("fleetd.redb.new"), b"half").unwrap();
    Store::open(&dir.file(), "m1").unwrap();
}

/// A tmpfs of its own, attached nowhere.
fn small_disk(size: &str) -> PathBuf {
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

#[test]
fn after_a_full_disk_decisions_are_taken_again() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: needs root");
        return;
    }
    let disk = small_disk("8m");
    let (mut store, opened) = Store::open(&disk.join("fleetd.redb"), "m1").unwrap();
    let mut decided = opened.decided;
    let mut write = |name: String, text: String| {
        let mut next = decided.clone();
        let entry = Arc::new(Entry { text, ..entry().as_ref().clone() });
        next.units.insert(name.clone(), Arc::clone(&entry));
        next.index += 1;
        let written = store.write(&next, &[(name, Some(entry))]);
        if written.is_ok() {
            decided = next;
        }
        written.map(|()| decided.clone())
    };
    write("before.container".to_owned(), "[Container]\n".to_owned()).unwrap();
    let filler = disk.join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    while file.write_all(&[0; 1 << 16]).is_ok() {}
    drop(file);
    let error = (0..1000).find_map(|n| write(format!("u{n}.container"), "x".repeat(60_000)).err());
    let error = error.expect("the disk is full");
    assert!(error.no_space(), "{error}");
    // It stays so while it is full, and says why each time.
    let error = write("still.container".to_owned(), "x".repeat(60_000)).unwrap_err();
    assert!(error.no_space(), "{error}");
    std::fs::remove_file(&filler).unwrap();
    let decided = write("after.container".to_owned(), "[Container]\n".to_owned()).unwrap();
    drop(store);
    let (_store, opened) = Store::open(&disk.join("fleetd.redb"), "m2").unwrap();
    assert!(opened.decided == decided, "what is there is not what was answered");
}
