//! The tree of a layer while it is filled: every name is resolved below the root's descriptor,
//! and nothing is written through a symbolic link in the last place (CVE-2021-32760, and the
//! races of CVE-2018-15664).
//!
//! A link among the *parents* of a name is followed, but as if the layer were the whole file
//! system: `RESOLVE_IN_ROOT` makes the kernel see to that, whoever moves things about meanwhile.

use super::path::EntryPath;
use crate::image::trash::Trash;
use crate::sys::{
    beneath,
    inode::{self, Kind, Node},
};
use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Overlayfs's mark of a directory that hides those below it.
const OPAQUE: &std::ffi::CStr = c"trusted.overlay.opaque";

/// What is in the way is removed and the entry made again; more often than this means that
/// somebody else is at work here.
const ATTEMPTS: usize = 16;

pub(super) struct Tree<'a> {
    root: OwnedFd,
    trash: &'a Trash,
    /// The parent of the entry before: most entries have the same.
    last: Option<(EntryPath, OwnedFd)>,
    /// Directories that no entry described, but that were needed for what is in them.
    implicit: BTreeSet<EntryPath>,
    /// Overlayfs ignores the mark on a layer's root: it is for the mount to leave out what is
    /// below.
    opaque_root: bool,
}

impl<'a> Tree<'a> {
    /// `root`: an empty directory of ours.
    pub(super) fn new(root: OwnedFd, trash: &'a Trash) -> io::Result<Self> {
        inode::change_mode(&root, 0o755)?;
        let implicit = BTreeSet::from([EntryPath::default()]);
        Ok(Self { root, trash, last: None, implicit, opaque_root: false })
    }

    /// Makes the entry with `make(parent, name)`, which fails with EEXIST if something is there:
    /// then that is removed first, since the later entry counts.
    pub(super) fn place<T>(
        &mut self,
        path: &EntryPath,
        make: impl Fn(BorrowedFd<'_>, &Path) -> io::Result<T>,
    ) -> io::Result<T> {
        let name = Path::new(path.name());
        for _ in 0..ATTEMPTS {
            let parent = self.parent(path)?;
            match make(parent, name) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => self.clear(path)?,
                other => return other,
            }
        }
        Err(io::Error::other("something else writes here"))
    }

    /// Makes the directory, or takes the one that is there. Open for reading.
    pub(super) fn directory(&mut self, path: &EntryPath) -> io::Result<OwnedFd> {
        self.implicit.remove(path);
        if path.is_root() {
            return self.root.try_clone();
        }
        for _ in 0..ATTEMPTS {
            let name = Path::new(path.name());
            let parent = self.parent(path)?;
            match inode::make_directory(parent, name) {
                Ok(()) => return beneath::subdirectory(parent, name),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
            let status = inode::status(beneath::entry(parent, name)?)?;
            if status.kind == Kind::Directory {
                return beneath::subdirectory(parent, name);
            }
            self.clear(path)?;
            // The whiteout hid a directory of the layers below; the new one must too.
            if is_whiteout(&status) {
                let parent = self.parent(path)?;
                inode::make_directory(parent, name)?;
                let dir = beneath::subdirectory(parent, name)?;
                inode::set_xattr(&dir, OPAQUE, b"y")?;
                return Ok(dir);
            }
        }
        Err(io::Error::other("something else writes here"))
    }

    /// A further name for what `target` is in this layer. Never of a directory.
    pub(super) fn hard_link(&mut self, path: &EntryPath, target: &EntryPath) -> io::Result<()> {
        let found = beneath::inode_in_root(self.root.as_fd(), target.as_path()).map_err(|e| {
            if e.kind() == io::ErrorKind::NotFound {
                io::Error::other("it links to what is not in this layer")
            } else {
                e
            }
        })?;
        let status = inode::status(&found)?;
        if status.kind == Kind::Directory || is_whiteout(&status) {
            return Err(io::Error::other("it links to a directory or a whiteout"));
        }
        if path == target {
            return Ok(());
        }
        self.place(path, |parent, name| inode::link(found.as_fd(), parent, name))
    }

    /// Hides `path` of the layers below. What this layer itself has there stays (image-spec
    /// `layer.md`, "Whiteouts").
    pub(super) fn whiteout(&mut self, path: &EntryPath) -> io::Result<()> {
        let name = Path::new(path.name());
        let parent = self.parent(path)?;
        let whiteout = Node::Character { major: 0, minor: 0 };
        match inode::make_node(parent, name, whiteout) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other,
        }
        let there = beneath::entry(parent, name)?;
        if inode::status(&there)?.kind == Kind::Directory {
            inode::set_xattr_of_path(there.as_fd(), OPAQUE, b"y")?;
        }
        Ok(())
    }

    /// Hides all that the layers below have in the directory `path`.
    pub(super) fn opaque(&mut self, path: &EntryPath) -> io::Result<()> {
        if path.is_root() {
            self.opaque_root = true;
            return Ok(());
        }
        self.enter(path)?;
        let dir = beneath::directory_in_root(self.root.as_fd(), path.as_path())?;
        inode::set_xattr_of_path(dir.as_fd(), OPAQUE, b"y")
    }

    /// Sets a directory's times; nothing if there is no such directory any more.
    pub(super) fn directory_times(&self, path: &EntryPath, mtime: (i64, u32)) -> io::Result<()> {
        match beneath::readable_directory_in_root(self.root.as_fd(), path.as_path()) {
            Ok(dir) => inode::set_times(&dir, mtime),
            Err(e) if is_absent(&e) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// Whether the root hides the layers below, and the directories that no entry described.
    pub(super) fn finish(self) -> (bool, Vec<EntryPath>) {
        (self.opaque_root, self.implicit.into_iter().collect())
    }

    pub(super) fn implicit_names(&self) -> usize {
        self.implicit.len()
    }

    /// The directory that is to hold `path`, made if no entry did.
    pub(super) fn parent(&mut self, path: &EntryPath) -> io::Result<BorrowedFd<'_>> {
        self.enter(&path.parent())?;
        Ok(self.last.as_ref().map_or(self.root.as_fd(), |(_, fd)| fd.as_fd()))
    }

    /// Makes `dir` the directory in `self.last`.
    fn enter(&mut self, dir: &EntryPath) -> io::Result<()> {
        if self.last.as_ref().is_some_and(|(path, _)| path == dir) {
            return Ok(());
        }
        let fd = match beneath::directory_in_root(self.root.as_fd(), dir.as_path()) {
            Err(e) if is_absent(&e) => self.make_parents(dir)?,
            other => other?,
        };
        self.last = Some((dir.clone(), fd));
        Ok(())
    }

    /// Every directory of `dir` that is missing: root's, mode 0755.
    fn make_parents(&mut self, dir: &EntryPath) -> io::Result<OwnedFd> {
        let mut fd = self.root.try_clone()?;
        for path in dir.prefixes() {
            match beneath::directory_in_root(self.root.as_fd(), path.as_path()) {
                Ok(found) => {
                    fd = found;
                    continue;
                }
                Err(e) if is_absent(&e) => {}
                Err(e) => return Err(e),
            }
            let name = Path::new(path.name());
            let whiteout = match beneath::entry(fd.as_fd(), name) {
                Ok(there) => {
                    let status = inode::status(&there)?;
                    if status.kind == Kind::Symlink {
                        return Err(io::Error::other(
                            "a symbolic link on its way leads to no directory of this layer",
                        ));
                    }
                    if !is_whiteout(&status) {
                        return Err(io::ErrorKind::NotADirectory.into());
                    }
                    inode::unlink(fd.as_fd(), name)?;
                    true
                }
                Err(e) if is_absent(&e) => false,
                Err(e) => return Err(e),
            };
            inode::make_directory(fd.as_fd(), name)?;
            let made = beneath::subdirectory(fd.as_fd(), name)?;
            inode::change_owner(&made, 0, 0)?;
            inode::change_mode(&made, 0o755)?;
            if whiteout {
                inode::set_xattr(&made, OPAQUE, b"y")?;
            }
            self.implicit.insert(path);
            fd = made;
        }
        Ok(fd)
    }

    /// Removes what is at `path`: a directory with all that is in it.
    fn clear(&mut self, path: &EntryPath) -> io::Result<()> {
        let trash = self.trash;
        let name = Path::new(path.name());
        let parent = self.parent(path)?;
        match inode::unlink(parent, name) {
            Err(e) if e.kind() == io::ErrorKind::IsADirectory => {
                trash.take(parent, name)?;
                // It may have been on the way to the directory that we hold.
                self.last = None;
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Character device 0:0. A tar's own are refused, so it is ours.
fn is_whiteout(status: &inode::Status) -> bool {
    status.kind == Kind::Character && status.device == (0, 0)
}
