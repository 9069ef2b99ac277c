//! The database as it lies on its disk: encrypted, since it has the keys of the fleet in it and the values
//! of secrets. Who finds the disk, or a copy of the file, has nothing without the [`Key`].
//!
//! AES-256-XTS (IEEE 1619) over units of 4 KiB, as disk encryption has it: nothing grows, and a block of 16
//! bytes that is written again as it was is the same on the disk. So a write that only partly came through
//! before a crash is in part what it was and in part what it should be, as it would be in the clear, and
//! redb's own checksums find it. XTS does not show who has changed the file: who can write here is root.

use super::key::Key;
use redb::{BackendError, StorageBackend};
use std::io;
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};
use xts_mode::get_tweak_default;

/// redb's page, and what is encrypted at a time. The length of the file is a multiple of it.
pub(super) const UNIT: usize = 4096;

/// How a database begins that is not encrypted (redb's file format, "magic number").
pub(super) const MAGIC: &[u8; 9] = b"redb\x1a\x0a\xa9\x0d\x0a";

#[derive(Debug)]
pub(super) struct Sealed<B> {
    below: B,
    key: Key,
    /// What is shorter than a unit changes a unit: one at a time.
    writing: Mutex<()>,
}

impl<B: StorageBackend> Sealed<B> {
    pub(super) fn over(below: B, key: Key) -> Self {
        Self { below, key, writing: Mutex::default() }
    }

    /// The same, for what has been written before: tells another key from damage that redb would find.
    pub(super) fn open(below: B, key: Key) -> io::Result<Self> {
        let sealed = Self::over(below, key);
        let mut begin = [0; MAGIC.len()];
        sealed.read(0, &mut begin).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::other("it is cut off"),
            _ => e,
        })?;
        if &begin != MAGIC {
            let cause = format!("it is damaged, or sealed with another key than {}", sealed.key);
            return Err(io::Error::new(io::ErrorKind::InvalidData, cause));
        }
        Ok(sealed)
    }

    /// Whole units.
    fn read_units(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.below.read(offset, out)?;
        for (unit, at) in out.chunks_exact_mut(UNIT).zip(offset / UNIT as u64..) {
            // What the file was made longer by, and nobody has written yet.
            if unit.iter().any(|byte| *byte != 0) {
                self.key.cipher().decrypt_sector(unit, get_tweak_default(at.into()));
            }
        }
        Ok(())
    }

    fn write_units(&self, offset: u64, mut units: Vec<u8>) -> io::Result<()> {
        for (unit, at) in units.chunks_exact_mut(UNIT).zip(offset / UNIT as u64..) {
            self.key.cipher().encrypt_sector(unit, get_tweak_default(at.into()));
        }
        self.below.write(offset, &units)
    }
}

/// The units around some bytes: where they begin, the bytes' place in them, and their length.
fn around(offset: u64, length: usize) -> (u64, usize, usize) {
    let unit = UNIT as u64;
    let skipped = usize::try_from(offset % unit).unwrap_or_default();
    (offset - offset % unit, skipped, (skipped + length).next_multiple_of(UNIT))
}

impl<B: StorageBackend> StorageBackend for Sealed<B> {
    fn len(&self) -> io::Result<u64> {
        self.below.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (begin, skipped, length) = around(offset, out.len());
        if length == out.len() {
            return self.read_units(begin, out);
        }
        let mut units = vec![0; length];
        self.read_units(begin, &mut units)?;
        out.copy_from_slice(&units[skipped..skipped + out.len()]);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        if !length.is_multiple_of(UNIT as u64) {
            let cause = format!("a database of {length} bytes, which are no whole pages");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, cause));
        }
        self.below.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.below.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (begin, skipped, length) = around(offset, data.len());
        if length == data.len() {
            return self.write_units(begin, data.to_vec());
        }
        let mut units = vec![0; length];
        self.read_units(begin, &mut units)?;
        units[skipped..skipped + data.len()].copy_from_slice(data);
        self.write_units(begin, units)
    }

    fn close(&self) -> io::Result<()> {
        self.below.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.below.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.query_lock_range(start, end)
    }
}

#[cfg(test)]
#[path = "sealed_tests.rs"]
mod tests;
