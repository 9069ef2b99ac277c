//! Removing directory trees that strangers filled.
//!
//! What is to go is first renamed here, so it is out of sight in one step, and a removal that was
//! interrupted goes on at the next open. Trees are flattened as they are removed, with one
//! descriptor open, however deep they are: an image can be deeper than a stack or the limit of
//! open files allows.

use crate::sys::{beneath, inode};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

pub(super) struct Trash {
    dir: OwnedFd,
    next: AtomicU64,
    /// Only one empties it at a time.
    emptying: Mutex<()>,
}

/// Names read at once.
const CHUNK: usize = 1024;

impl Trash {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let dir = beneath::directory(path)?;
        Ok(Self { dir, next: AtomicU64::new(0), emptying: Mutex::new(()) })
    }

    /// Moves `name` of `from` here; it lies there until [`Trash::empty`].
    pub(super) fn take(&self, from: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let new = PathBuf::from(number.to_string());
            match inode::rename_new(from, name, self.dir.as_fd(), &new) {
                // Left by an earlier process.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                other => return other,
            }
        }
    }

    pub(super) fn empty(&self) -> io::Result<()> {
        let _alone = self.emptying.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let names = beneath::names(&self.dir, CHUNK)?;
            if names.is_empty() {
                return Ok(());
            }
            for name in names {
                self.remove(Path::new(&name))?;
            }
        }
    }

    /// One entry of the trash; its subdirectories become entries of the trash.
    fn remove(&self, name: &Path) -> io::Result<()> {
        let trash = self.dir.as_fd();
        match inode::unlink(trash, name) {
            Err(e) if e.kind() == io::ErrorKind::IsADirectory => {}
            other => return other,
        }
        let dir = beneath::subdirectory(trash, name)?;
        loop {
            let children = beneath::names(&dir, CHUNK)?;
            let is_last = children.len() < CHUNK;
            for child in children {
                let child = Path::new(&child);
                match inode::unlink(dir.as_fd(), child) {
                    Err(e) if e.kind() == io::ErrorKind::IsADirectory => {
                        self.take(dir.as_fd(), child)?;
                    }
                    other => other?,
                }
            }
            if is_last {
                return inode::remove_directory(trash, name);
            }
        }
    }
}
