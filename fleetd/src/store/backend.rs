//! The file below the database, which lets go of nothing while its disk is full.
//!
//! redb shortens its file when a commit has freed enough of it, and when a commit that made it longer
//! fails. On a disk that somebody fills, what is cut off is gone in the next moment, with what the
//! [`Reserve`] gave: so while there is no reserve the file only counts as shorter. When there is one again,
//! all that was kept goes.

use super::reserve::Reserve;
use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Written where the file was cut off only by its word.
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

#[derive(Debug)]
pub(super) struct Backend {
    file: FileBackend,
    reserve: Reserve,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    /// What counts as the file's length, where that is not its own.
    cut: Option<u64>,
    /// It may have blocks behind its end.
    blocks: bool,
}

impl Backend {
    /// Of a database that is there.
    pub(super) fn open(database: &Path) -> Result<Self, redb::Error> {
        let file = File::options().read(true).write(true).open(database)?;
        // redb would make a new one of it.
        if file.metadata()?.len() == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty").into());
        }
        let reserve = Reserve::beside(database);
        // Those of an earlier fleetd.
        let kept = Mutex::new(Kept { cut: None, blocks: true });
        Ok(Self { file: FileBackend::new(file)?, reserve, kept })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        match self.kept().cut {
            Some(length) => Ok(length),
            None => self.file.len(),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut kept = self.kept();
        let own = self.file.len()?;
        let before = kept.cut.unwrap_or(own);
        if length < before && !self.reserve.is_there() {
            *kept = Kept { cut: Some(length), blocks: true };
            return Ok(());
        }
        // What is new has to read as zeros.
        let mut at = before;
        while at < length.min(own) {
            let size = (length.min(own) - at).min(ZEROS.len() as u64);
            self.file.write(at, &ZEROS[..usize::try_from(size).unwrap_or(ZEROS.len())])?;
            at += size;
        }
        if before < length && length < own {
            kept.cut = Some(length);
            return Ok(());
        }
        self.file.set_len(length)?;
        kept.cut = None;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut kept = self.kept();
        if kept.blocks && self.reserve.is_there() {
            // Also to the length that it has: that frees what is behind.
            let length = kept.cut.map_or_else(|| self.file.len(), Ok)?;
            self.file.set_len(length)?;
            *kept = Kept { cut: None, blocks: false };
        }
        drop(kept);
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::file::create;
    use crate::store::tests::{Dir, fill, small_disk};
    use crate::store::{TEXTS, offline};
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn without_a_reserve_nothing_is_let_go_of() {
        let dir = Dir::new("lets-go-of-nothing");
        let path = dir.file();
        std::fs::write(&path, [1; 200_000]).unwrap();
        let on_disk = || std::fs::metadata(&path).unwrap().len();
        let backend = Backend::open(&path).unwrap();
        backend.set_len(50_000).unwrap();
        assert_eq!((backend.len().unwrap(), on_disk()), (50_000, 200_000));
        // Longer again: as if it had been cut off.
        backend.set_len(150_000).unwrap();
        assert_eq!((backend.len().unwrap(), on_disk()), (150_000, 200_000));
        let mut read = vec![2; 150_000];
        backend.read(0, &mut read).unwrap();
        assert!(read[..50_000].iter().all(|byte| *byte == 1));
        assert!(read[50_000..].iter().all(|byte| *byte == 0));
        backend.set_len(250_000).unwrap();
        assert_eq!((backend.len().unwrap(), on_disk()), (250_000, 250_000));
        let mut read = vec![2; 100_000];
        backend.read(150_000, &mut read).unwrap();
        assert!(read.iter().all(|byte| *byte == 0));
        // There is a reserve again.
        backend.set_len(100_000).unwrap();
        backend.sync_data().unwrap();
        assert_eq!((backend.len().unwrap(), on_disk()), (100_000, 250_000));
        backend.reserve.make().unwrap();
        backend.sync_data().unwrap();
        assert_eq!((backend.len().unwrap(), on_disk()), (100_000, 100_000));
        backend.set_len(90_000).unwrap();
        assert_eq!((backend.len().unwrap(), on_disk()), (90_000, 90_000));
    }

    #[test]
    fn what_the_reserve_gave_is_not_lost_with_what_had_no_room() {
        if !rustix::process::geteuid().is_root() {
            println!("SKIPPED: needs root");
            return;
        }
        let disk = small_disk("48m");
        let path = disk.join("fleetd.redb");
        create(&path).unwrap();
        let write = |size: usize| {
            offline(&path, |database| {
                let transaction = database.begin_write()?;
                transaction.open_table(TEXTS)?.insert("machine id", "x".repeat(size).as_str())?;
                Ok(transaction.commit()?)
            })
        };
        write(1).unwrap();
        let reserve = Reserve::beside(&path);
        reserve.make().unwrap();
        fill(&disk.join("filler"));
        assert!(reserve.give_to(&path));
        let given = std::fs::metadata(&path).unwrap().blocks();
        assert!(write(24 << 20).unwrap_err().no_space());
        assert!(std::fs::metadata(&path).unwrap().blocks() >= given);
        fill(&disk.join("filler 2"));
        write(4 << 20).unwrap();
        for filler in ["filler", "filler 2"] {
            std::fs::remove_file(disk.join(filler)).unwrap();
        }
        reserve.make().unwrap();
        write(1).unwrap();
        assert!(std::fs::metadata(&path).unwrap().blocks() < given);
    }

    #[test]
    fn an_empty_file_is_no_database() {
        let dir = Dir::new("empty");
        std::fs::write(dir.file(), b"").unwrap();
        assert!(Backend::open(&dir.file()).is_err());
    }
}
