//! The file of the database: made, sealed, and opened.

use super::Error;
use super::backend::Backend;
use super::key::Key;
use super::sealed::{MAGIC, Sealed};
#[cfg(test)]
use super::simulated;
use redb::backends::FileBackend;
use redb::{Database, StorageBackend};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// redb's default is 1 GiB.
const CACHE: usize = 8 << 20;

fn builder() -> redb::Builder {
    let mut builder = redb::Builder::new();
    builder.set_cache_size(CACHE);
    builder
}

pub(super) fn open(path: &Path, key: Key) -> Result<Database, redb::Error> {
    #[cfg(test)]
    if let Some(disk) = simulated::open(path) {
        return Ok(builder().create_with_backend(Sealed::open(disk?, key)?)?);
    }
    Ok(builder().create_with_backend(Sealed::open(Backend::open(path)?, key)?)?)
}

/// The key of a database that is there. One that an earlier fleetd wrote in the clear is sealed first.
pub(super) fn key(path: &Path) -> Result<Key, Error> {
    if is_clear(path).unwrap_or(false) {
        seal(path)?;
        tracing::info!("sealed {}, which was in the clear", path.display());
    }
    Key::beside(path)
}

/// A database that appears whole or not at all: what an interrupted first start leaves is never
/// taken for one.
pub(super) fn create(path: &Path) -> Result<(), Error> {
    let key = Key::for_new(path)?;
    let made = appear(path, |new| {
        let sealed = Sealed::over(FileBackend::new(new)?, key);
        drop(builder().create_with_backend(sealed)?);
        Ok(())
    });
    made.map_err(|e| Error::made(path, e))
}

fn is_clear(path: &Path) -> io::Result<bool> {
    let mut begin = [0; MAGIC.len()];
    File::open(path)?.read_exact(&mut begin)?;
    Ok(&begin == MAGIC)
}

fn seal(path: &Path) -> Result<(), Error> {
    let key = Key::for_new(path)?;
    let done = appear(path, |new| {
        let clear = FileBackend::new(File::open(path)?)?;
        copy(&clear, &Sealed::over(FileBackend::new(new)?, key))?;
        Ok(())
    });
    done.map_err(|e| Error::made(path, e))
}

/// All of it but what is a hole, or could be one.
fn copy(from: &impl StorageBackend, to: &impl StorageBackend) -> io::Result<()> {
    const PIECE: u64 = 1 << 16;
    let length = from.len()?;
    to.set_len(length)?;
    let mut at = 0;
    while at < length {
        let size = PIECE.min(length - at);
        let mut piece = vec![0; usize::try_from(size).map_err(io::Error::other)?];
        from.read(at, &mut piece)?;
        if piece.iter().any(|byte| *byte != 0) {
            to.write(at, &piece)?;
        }
        at += size;
    }
    to.sync_data()
}

/// A file in the place of the one that is there, if there is one, after `write` has gone well.
fn appear(
    path: &Path,
    write: impl FnOnce(File) -> Result<(), redb::Error>,
) -> Result<(), redb::Error> {
    let new = path.with_extension("redb.new");
    remove(&new)?;
    let mut options = File::options();
    let file = options.read(true).write(true).create_new(true).mode(0o600).open(&new)?;
    let written = write(file).and_then(|()| Ok(std::fs::rename(&new, path)?));
    if written.is_err() {
        // What is left of it would only take space.
        let _ = std::fs::remove_file(&new);
    }
    written?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok(File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
