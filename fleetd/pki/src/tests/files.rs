use crate::files::{read_private, write_private};
use std::os::unix::fs::PermissionsExt;

/// A directory that goes with the test.
struct Directory(std::path::PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("fleetd-pki-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_key_is_for_its_owner_only() {
    let directory = Directory::new("mode");
    let path = directory.0.join("ca.key");
    write_private(&path, b"first").unwrap();
    write_private(&path, b"second").unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(read_private(&path).unwrap(), "second");
    assert_eq!(std::fs::read_dir(&directory.0).unwrap().count(), 1);
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let directory = Directory::new("open");
    let path = directory.0.join("ca.key");
    write_private(&path, b"key").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = read_private(&path).unwrap_err().to_string();
    assert!(error.contains("others than its owner may use it (mode 640)"), "{error}");
}

#[test]
fn a_link_that_was_laid_out_is_not_written_through() {
    let directory = Directory::new("link");
    let (path, victim) = (directory.0.join("ca.key"), directory.0.join("victim"));
    std::fs::write(&victim, "safe").unwrap();
    std::os::unix::fs::symlink(&victim, directory.0.join("ca.key.new")).unwrap();
    std::os::unix::fs::symlink(&victim, &path).unwrap();
    write_private(&path, b"key").unwrap();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "safe");
    assert_eq!(read_private(&path).unwrap(), "key");
}

#[test]
fn a_file_that_is_missing_is_named() {
    let error = read_private(std::path::Path::new("/nowhere/ca.key")).unwrap_err().to_string();
    assert_eq!(error, "read /nowhere/ca.key: no such file or directory");
}
