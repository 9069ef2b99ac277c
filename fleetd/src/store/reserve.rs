//! Space that is kept for when the disk is full: a file that is given up then, so that stops, removals
//! and what makes the log shorter can still be written.
//!
//! Its blocks go to the database at once: on a disk that somebody fills, what is merely free is gone in
//! the next moment.

use crate::sys::file;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Some tens of thousands of small decisions; the log is shortened after five thousand.
pub const SIZE: u64 = 16 << 20;

/// In the directory of the database.
#[derive(Debug, Clone)]
pub struct Reserve(PathBuf);

impl Reserve {
    pub fn beside(database: &Path) -> Self {
        Self(database.with_file_name("reserve"))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn is_there(&self) -> bool {
        self.0.metadata().is_ok_and(|data| data.len() >= SIZE)
    }

    /// Where it is not there: allocates it whole, or leaves nothing of it.
    pub fn make(&self) -> io::Result<()> {
        if self.is_there() {
            return Ok(());
        }
        let made = allocate(&self.0);
        if made.is_err() {
            // What is left of it would only take space.
            let _ = std::fs::remove_file(&self.0);
        }
        made
    }

    /// Gives its blocks to the database. False: it was given up before.
    pub fn give_to(&self, database: &Path) -> bool {
        if std::fs::remove_file(&self.0).is_err() {
            return false;
        }
        // Where the file system cannot, the space is free at least.
        let _ = File::options().write(true).open(database).and_then(|file| keep_room(&file));
        true
    }
}

fn allocate(path: &Path) -> io::Result<()> {
    let mut options = File::options();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    match file::allocate(&file, 0, SIZE) {
        Err(e) if e.kind() == io::ErrorKind::Unsupported => {
            let zeros = [0; 1 << 16];
            (0..SIZE / (1 << 16)).try_for_each(|_| file.write_all(&zeros))?;
        }
        other => other?,
    }
    file.sync_all()
}

/// Blocks for the holes of a database, which are there only when they are written, and the rest behind its
/// end, where it grows.
fn keep_room(file: &File) -> io::Result<()> {
    const PIECE: u64 = 1 << 20;
    let before = file.metadata()?;
    let reaches_back = before.len().min(SIZE);
    match file::allocate_within(file, before.len() - reaches_back, reaches_back) {
        Err(e) if e.kind() != io::ErrorKind::StorageFull => return Err(e),
        _ => {}
    }
    let taken = file.metadata()?.blocks().saturating_sub(before.blocks()) * 512;
    let mut size = SIZE.saturating_sub(taken);
    while size >= PIECE {
        match file::allocate_within(file, before.len(), size) {
            Err(e) if e.kind() == io::ErrorKind::StorageFull => size -= PIECE,
            other => return other,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_space_until_it_is_given_to_the_database() {
        let dir = std::env::temp_dir().join(format!("flotilla-reserve-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let database = dir.join("fleetd.redb");
        std::fs::write(&database, [1; 10_000]).unwrap();
        let reserve = Reserve::beside(&database);
        assert!(!reserve.is_there());
        reserve.make().unwrap();
        assert!(reserve.is_there());
        assert!(reserve.path().metadata().unwrap().blocks() * 512 >= SIZE);
        assert!(reserve.give_to(&database));
        assert!(!reserve.give_to(&database) && !reserve.is_there());
        let data = database.metadata().unwrap();
        assert_eq!(std::fs::read(&database).unwrap(), [1; 10_000]);
        assert!(data.blocks() * 512 > 1 << 20, "{} blocks", data.blocks());
        reserve.make().unwrap();
        assert!(reserve.is_there());
        std::fs::remove_dir_all(dir).unwrap();
    }
}
