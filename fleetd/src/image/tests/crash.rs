//! Ends that nobody asked for: a full disk, SIGKILL, a damaged file.

use super::fixture::{Root, Scratch, Tar, left_behind, mounted, names, needs_root};
use crate::image::{Error, Store};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount,
    fsopen,
};
use std::io::Write;
use std::process::{Command, Stdio};

/// Names the store to the process that is to be killed.
const VICTIM: &str = "FLOTILLA_TEST_IMPORT_INTO";

/// A tmpfs of `size` bytes and `inodes`, attached nowhere.
fn small_disk(size: &str, inodes: &str) -> Root {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
    fsconfig_set_string(&context, "size", size).unwrap();
    fsconfig_set_string(&context, "nr_inodes", inodes).unwrap();
    fsconfig_create(&context).unwrap();
    let attributes = MountAttrFlags::empty();
    Root(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).unwrap())
}

#[test]
fn a_full_disk_is_an_error_that_names_the_layer_and_leaves_nothing() {
    needs_root!();
    let small = Tar::new().file("a", b"1").end();
    let large = Tar::new().file("b", &vec![1; 3 << 20]).end();
    let mut many = Tar::new();
    for n in 0..300 {
        many = many.file(&format!("file{n}"), b"");
    }
    for (size, inodes, bytes) in [("2m", "10k", large), ("20m", "150", many.end())] {
        let disk = small_disk(size, inodes);
        let path = disk.path("store");
        let store = Store::open(&path).unwrap();
        store.import(&small[..], "small").unwrap();
        let before = left_behind(&path);
        let archive = super::unpacking::stacked(&[small.clone(), bytes.clone()]);
        let error = store.import(&bytes[..], "large").unwrap_err().to_string();
        let expected = "unpack layer of the root file system: no space left on device";
        assert_eq!(error, expected);
        let error = store.import(&archive[..], "large").unwrap_err().to_string();
        assert!(error.ends_with(": no space left on device"), "{error}");
        assert_eq!(left_behind(&path), before);
        assert_eq!(store.list().unwrap().len(), 1);
        // And there is room again.
        store.import(&Tar::new().file("c", &[2; 100]).end()[..], "other").unwrap();
    }
}

/// Not a test: what [`a_killed_import_leaves_no_half_image`] kills.
#[test]
fn imports_for_the_killer() {
    let Some(dir) = std::env::var_os(VICTIM) else { return };
    let store = Store::open(dir.as_ref()).unwrap();
    println!("opened");
    store.import(std::io::stdin(), "victim").unwrap();
    println!("imported");
}

#[test]
fn a_killed_import_leaves_no_half_image() {
    needs_root!();
    let scratch = Scratch::new();
    let dir = scratch.path().join("store");
    drop(scratch.store());
    let mut tar = Tar::new();
    for n in 0..200 {
        tar = tar.file(&format!("d{}/file{n}", n % 7), &[n; 3000]);
    }
    let tar = tar.end();
    let mut whole = 0;
    // After a part of the stream; then after all of it, as soon as one of these is there.
    let marks = ["layers", "blobs/sha256", "images.json", "no such mark"];
    for round in 0..28 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "image::tests::crash::imports_for_the_killer", "--nocapture"])
            .env(VICTIM, &dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let share = (tar.len() * (round + 1) / 20).min(tar.len());
        child.stdin.as_mut().unwrap().write_all(&tar[..share]).unwrap();
        if share == tar.len() {
            drop(child.stdin.take());
            let mark = dir.join(marks[round % marks.len()]);
            let is_there = || mark.is_file() || (mark.is_dir() && !names(&mark).is_empty());
            while !is_there() && child.try_wait().unwrap().is_none() {
                std::thread::yield_now();
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let store = scratch.store();
        if store.find("victim").unwrap().is_none() {
            assert_eq!(left_behind(&dir), [""; 0], "round {round}");
            continue;
        }
        whole += 1;
        let (image, root) = mounted(&store, "victim", &scratch.dir(&format!("c{round}")));
        for n in 0..200_u8 {
            let file = root.path(&format!("d{}/file{n}", n % 7));
            assert!(std::fs::read(file).unwrap() == [n; 3000], "round {round}");
        }
        drop(root);
        store.remove(&image.digest, &std::collections::HashMap::new()).unwrap();
        assert_eq!(left_behind(&dir), [""; 0], "round {round}");
        drop(store);
        std::fs::remove_file(dir.join("images.json")).unwrap();
    }
    assert!(whole > 0, "no import got as far as its record");
}

#[test]
fn what_an_interrupted_process_left_is_removed_at_the_next_open() {
    needs_root!();
    let scratch = Scratch::new();
    let dir = scratch.path().join("store");
    let store = scratch.store();
    store.import(&Tar::new().file("a", b"1").end()[..], "kept").unwrap();
    drop(store);
    let before = left_behind(&dir);
    let hex = "ab".repeat(32);
    for garbage in ["tmp/7/root/x", "trash/0/y", &format!("layers/{hex}/root")] {
        std::fs::create_dir_all(dir.join(garbage)).unwrap();
    }
    std::fs::write(dir.join("blobs/sha256").join(&hex), "x").unwrap();
    std::fs::write(dir.join("blobs/sha256").join(format!(".{hex}.new")), "x").unwrap();
    std::fs::write(dir.join(".images.json.new"), "{").unwrap();
    let store = scratch.store();
    assert_eq!(left_behind(&dir), before);
    assert_eq!(store.list().unwrap().len(), 1);
    assert_eq!(names(&dir.join("tmp")).len(), 0);
}

#[test]
fn a_damaged_store_says_which_file() {
    needs_root!();
    let scratch = Scratch::new();
    let dir = scratch.path().join("store");
    let store = scratch.store();
    store.import(&Tar::new().file("a", b"1").end()[..], "x").unwrap();
    for blob in names(&dir.join("blobs/sha256")) {
        std::fs::write(dir.join("blobs/sha256").join(blob), "{}").unwrap();
    }
    let error = store.find("x").unwrap_err().to_string();
    assert!(error.contains("the file was changed"), "{error}");
    drop(store);
    std::fs::write(dir.join("images.json"), "{").unwrap();
    let error = Store::open(&dir).err().unwrap();
    assert!(matches!(error, Error::Document { .. }));
    assert!(error.to_string().contains("images.json"), "{error}");
}
