//! Disks in memory, for simulations: what was not synced is lost when the power is cut, whole or in part,
//! and writes are refused where the seed says so.

use rand::RngExt as _;
use rand::rngs::StdRng;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

thread_local! {
    /// By the path of the database that is on them.
    static DISKS: RefCell<BTreeMap<PathBuf, Disk>> = RefCell::default();
}

/// From here on the database at this path is on this disk.
pub(crate) fn put_below(path: &Path, disk: Disk) {
    DISKS.with_borrow_mut(|disks| disks.insert(path.to_owned(), disk));
}

/// The disk that a database is on; none: on the kernel's.
pub(crate) fn below(path: &Path) -> Option<Disk> {
    DISKS.with_borrow(|disks| disks.get(path).cloned())
}

/// The same, for a database that is opened. A new one was made where the path says.
pub(super) fn open(path: &Path) -> Option<io::Result<Disk>> {
    let disk = below(path)?;
    let mut content = disk.content();
    if content.is_open {
        return Some(Err(io::ErrorKind::WouldBlock.into()));
    }
    if content.seen.is_empty() {
        match std::fs::read(path) {
            Ok(made) => (content.safe, content.seen) = (made.clone(), made),
            Err(e) => return Some(Err(e)),
        }
    }
    content.is_open = true;
    drop(content);
    Some(Ok(disk))
}

/// A disk writes that much whole or not at all.
const SECTOR: usize = 512;

#[derive(Debug)]
enum Write {
    Data(usize, Vec<u8>),
    Length(usize),
}

#[derive(Debug, Default)]
pub(crate) struct Content {
    /// What is safe, and what is read: with what waits to be safe.
    safe: Vec<u8>,
    seen: Vec<u8>,
    waiting: Vec<Write>,
    /// So many writes and syncs go well from now on.
    pub(crate) good: Option<u32>,
    /// It does not grow.
    pub(crate) is_full: bool,
    /// By a database that has not let go of it yet.
    is_open: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<Content>>);

fn put(bytes: &mut Vec<u8>, write: &Write) {
    match write {
        Write::Length(length) => bytes.resize(*length, 0),
        Write::Data(at, data) => {
            let end = at + data.len();
            bytes.resize(bytes.len().max(end), 0);
            bytes[*at..end].copy_from_slice(data);
        }
    }
}

impl Disk {
    pub(crate) fn content(&self) -> std::sync::MutexGuard<'_, Content> {
        self.0.lock().unwrap()
    }

    fn take(&self, write: Option<Write>) -> io::Result<()> {
        let mut content = self.content();
        match &mut content.good {
            Some(0) => return Err(io::ErrorKind::StorageFull.into()),
            Some(good) => *good -= 1,
            None => {}
        }
        if let Some(Write::Length(length)) = write
            && content.is_full
            && length > content.seen.len()
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        match write {
            Some(write) => {
                put(&mut content.seen, &write);
                content.waiting.push(write);
            }
            None => {
                let Content { safe, waiting, .. } = &mut *content;
                waiting.drain(..).for_each(|write| put(safe, &write));
            }
        }
        Ok(())
    }

    /// The process has died: what it wrote is there, what its end would still write is not.
    pub(crate) fn kill(&self) -> Self {
        let mut content = self.content();
        content.good = Some(0);
        let (safe, seen) = (content.safe.clone(), content.seen.clone());
        let (waiting, is_full) = (std::mem::take(&mut content.waiting), content.is_full);
        Self(Arc::new(Mutex::new(Content { safe, seen, waiting, is_full, ..Content::default() })))
    }

    /// Cuts the power: of what waits each write comes through, in part, or not.
    pub(crate) fn crash(&self, rng: &mut StdRng) -> Self {
        let mut content = self.content();
        let mut safe = content.safe.clone();
        for write in std::mem::take(&mut content.waiting) {
            match (rng.random_range(0..3), write) {
                (0, _) => {}
                (1, Write::Data(at, mut data)) => {
                    let sectors = rng.random_range(0..=data.len() / SECTOR);
                    data.truncate(sectors * SECTOR);
                    put(&mut safe, &Write::Data(at, data));
                }
                (_, write) => put(&mut safe, &write),
            }
        }
        let (seen, is_full) = (safe.clone(), content.is_full);
        let next = Content { seen, safe, is_full, ..Content::default() };
        Self(Arc::new(Mutex::new(next)))
    }
}

impl redb::StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.content().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        let content = self.content();
        let found = content.seen.get(at..at + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        self.take(Some(Write::Length(length)))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.take(None)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        self.take(Some(Write::Data(at, data.to_vec())))
    }

    fn close(&self) -> io::Result<()> {
        self.content().is_open = false;
        Ok(())
    }
}
