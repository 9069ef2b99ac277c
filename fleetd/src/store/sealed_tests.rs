use super::*;
use crate::core::decided::Decided;
use crate::store::simulated::Disk;
use crate::store::tests::Dir;
use crate::store::{Error, Store};
use data_encoding::HEXLOWER;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn key(byte: u8) -> Key {
    Key::of("store.key".into(), [byte; 64])
}

/// What lies on the disk, in the clear or not.
fn raw(disk: &Disk) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(disk.len().unwrap()).unwrap()];
    disk.read(0, &mut bytes).unwrap();
    bytes
}

/// Vector 10 of IEEE 1619-2007, annex B: the first blocks of a unit.
#[test]
fn it_is_what_the_standard_says() {
    let hex = "2718281828459045235360287471352662497757247093699959574966967627\
               3141592653589793238462643383279502884197169399375105820974944592";
    let bytes = HEXLOWER.decode(hex.as_bytes()).unwrap();
    let key = Key::of("store.key".into(), bytes.try_into().unwrap());
    let mut unit: Vec<u8> = (0..=255).cycle().take(512).collect();
    key.cipher().encrypt_sector(&mut unit, get_tweak_default(0xff));
    let begins = "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b";
    assert_eq!(HEXLOWER.encode(&unit[..32]), begins);
}

#[test]
fn whatever_is_written_wherever_is_read_again() {
    let mut rng = StdRng::seed_from_u64(1);
    let disk = Disk::default();
    let sealed = Sealed::over(disk.clone(), key(1));
    let mut clear: Vec<u8> = Vec::new();
    for _ in 0..2000 {
        if rng.random_range(0..20) == 0 {
            let length = rng.random_range(0..16) * UNIT;
            sealed.set_len(length as u64).unwrap();
            clear.resize(length, 0);
        }
        if clear.is_empty() {
            continue;
        }
        let begin = rng.random_range(0..clear.len());
        let (begin, end) = match rng.random_range(0..3) {
            0 => (begin - begin % UNIT, clear.len()),
            _ => (begin, rng.random_range(begin..=clear.len())),
        };
        let mut bytes = vec![0; end - begin];
        sealed.read(begin as u64, &mut bytes).unwrap();
        assert!(bytes == clear[begin..end]);
        rng.fill(bytes.as_mut_slice());
        sealed.write(begin as u64, &bytes).unwrap();
        clear[begin..end].copy_from_slice(&bytes);
    }
    assert_eq!(raw(&disk).len(), clear.len());
}

#[test]
fn on_the_disk_is_nothing_that_was_written_and_what_stays_stays_the_same() {
    let disk = Disk::default();
    let sealed = Sealed::over(disk.clone(), key(1));
    sealed.set_len(4 * UNIT as u64).unwrap();
    let text = b"the value of a secret, and more.".repeat(UNIT / 32 * 2);
    sealed.write(UNIT as u64, &text).unwrap();
    let before = raw(&disk);
    assert!(!before.windows(8).any(|bytes| bytes == b"a secret"));
    // The same text elsewhere is another.
    assert_ne!(before[UNIT..2 * UNIT], before[2 * UNIT..3 * UNIT]);
    sealed.write(UNIT as u64 + 1000, b"x").unwrap();
    let after = raw(&disk);
    let differ: Vec<_> = (0..after.len() / 16)
        .filter(|at| after[at * 16..][..16] != before[at * 16..][..16])
        .collect();
    assert_eq!(differ, [(UNIT + 1000) / 16]);
}

#[test]
fn a_length_that_is_no_whole_pages_is_refused() {
    let sealed = Sealed::over(Disk::default(), key(1));
    assert_eq!(sealed.set_len(5000).unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

fn opened(path: &Path) -> Result<Store, Error> {
    Store::open(path, "m1").map(|(store, _)| store)
}

fn said(path: &Path) -> String {
    opened(path).err().map(|e| e.to_string()).unwrap()
}

/// A key that is lost or another is said to be, and no other is made in its place.
#[test]
fn without_its_key_a_database_is_left_as_it_is() {
    let dir = Dir::new("keyless");
    let (path, key) = (dir.file(), dir.file().with_file_name("store.key"));
    drop(opened(&path).unwrap());
    let sound = std::fs::read(&path).unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&key)), (0o600, 0o600));
    let elsewhere = key.with_file_name("elsewhere");
    std::fs::rename(&key, &elsewhere).unwrap();
    assert!(said(&path).contains("store.key: it is gone"), "{}", said(&path));
    // A link to what is not there yet, and then is.
    std::os::unix::fs::symlink("later", &key).unwrap();
    assert!(said(&path).contains("store.key: "), "{}", said(&path));
    assert!(!key.with_file_name("later").exists());
    std::fs::copy(&elsewhere, key.with_file_name("later")).unwrap();
    drop(opened(&path).unwrap());
    std::fs::remove_file(&key).unwrap();
    for (text, told) in [
        ("aa".repeat(64), "sealed with another key than"),
        ("aa".repeat(63), "store.key: it is not 128 hex digits"),
        ("zz".repeat(64), "store.key: it is not 128 hex digits"),
    ] {
        std::fs::write(&key, text).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(said(&path).contains(told), "{}", said(&path));
    }
    std::fs::copy(&elsewhere, &key).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(said(&path).contains("chmod 600"), "{}", said(&path));
    std::fs::remove_file(&key).unwrap();
    std::fs::rename(&elsewhere, &key).unwrap();
    drop(opened(&path).unwrap());
    assert_eq!(std::fs::read(&path).unwrap().len(), sound.len());
}

/// An earlier fleetd wrote in the clear.
#[test]
fn a_database_in_the_clear_is_sealed_when_it_is_opened() {
    let dir = Dir::new("clear");
    let path = dir.file();
    let clear = redb::Database::create(&path).unwrap();
    super::super::begin(&clear, "of the host").unwrap();
    let decided = Decided { index: 9, layout: 9, ..Decided::default() };
    let transaction = clear.begin_write().unwrap();
    super::super::facts::write(&transaction, &Decided::default(), &decided).unwrap();
    transaction.commit().unwrap();
    drop(clear);
    assert!(std::fs::read(&path).unwrap().windows(11).any(|bytes| bytes == b"of the host"));
    let (store, opened) = Store::open(&path, "another").unwrap();
    assert_eq!((opened.machine_id.as_str(), opened.incarnation), ("of the host", 2));
    assert_eq!(store.decided, decided);
    drop(store);
    assert!(!std::fs::read(&path).unwrap().windows(11).any(|bytes| bytes == b"of the host"));
    assert!(!path.with_extension("redb.new").exists());
}

#[test]
fn a_database_that_is_cut_off_is_said_to_be() {
    let dir = Dir::new("cut");
    drop(opened(&dir.file()).unwrap());
    let sound = std::fs::read(dir.file()).unwrap();
    std::fs::write(dir.file(), &sound[..100]).unwrap();
    assert!(said(&dir.file()).contains("it is cut off"), "{}", said(&dir.file()));
}
