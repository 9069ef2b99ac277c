//! Files that are there whole or not at all.

use super::Error;
use crate::sys::beneath;
use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Only root may look into the store: an image may bring set-id programs with known holes
/// (CVE-2021-41103).
pub(super) fn make_directory(path: &Path) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map_err(Error::io(format!("create {}", path.display()))),
    }
}

/// Replaces `dir/name`; on the disk when this returns.
pub(super) fn replace(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let path = dir.join(name);
    let new = dir.join(format!(".{name}.new"));
    let write = || -> io::Result<()> {
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        File::from(beneath::directory(dir)?).sync_all()
    };
    write().map_err(|cause| {
        // What is left of a failed write would only take space; its error is not the news.
        let _ = std::fs::remove_file(&new);
        Error::Io { action: format!("write {}", path.display()), cause }
    })
}

/// None if there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Error::Io { action: format!("read {}", path.display()), cause }),
    }
}
