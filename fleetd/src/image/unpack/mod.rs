//! Fills an empty directory with a layer: takes a tar stream that a stranger wrote, leaves a tree
//! that overlayfs can stack. Knows nothing of images, digests or the store.
//!
//! [`path`], [`pax`], [`xattr`] decide (pure); [`tar`] reads; [`tree`] is the only one that
//! touches the directory.

pub(in crate::image) mod path;
mod pax;
mod tar;
mod tree;
mod xattr;

pub(in crate::image) use tar::{Entry, Kind, TarReader, shown};

use super::error::Sentence;
use super::limits::Limits;
use super::trash::Trash;
use crate::sys::inode::{self, Node};
use path::{EntryPath, Meaning};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use tree::Tree;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The stream, or the disk as a whole.
    #[error("{}", Sentence(.0))]
    Io(io::Error),
    #[error("read the archive: {0}")]
    Archive(String),
    /// One entry that cannot be made, or must not be.
    #[error("{path}: {cause}")]
    Entry { path: String, cause: String },
    #[error("more than {limit} {of}")]
    Limit { limit: u64, of: &'static str },
    /// The whole stream was read, but is not what was promised.
    #[error("{0}")]
    Mismatch(String),
}

impl Error {
    fn archive(cause: impl Into<String>) -> Self {
        Self::Archive(cause.into())
    }

    /// A failure at one entry; one that concerns them all is not blamed on it.
    fn at(path: &[u8], cause: io::Error) -> Self {
        use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match cause.kind() {
            StorageFull | QuotaExceeded | ReadOnlyFilesystem => Self::Io(cause),
            _ => Self::Entry { path: shown(path), cause: Sentence(&cause).to_string() },
        }
    }
}

/// What there is to know of a layer besides its tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Summary {
    /// Bytes of its files.
    pub(super) size: u64,
    pub(super) entries: u64,
    /// It hides all layers below it.
    pub(super) opaque_root: bool,
    /// Directories without an entry of their own, which got root's ownership and mode 0755.
    pub(super) implicit: Vec<EntryPath>,
    /// Extended attributes that the file system did not take.
    pub(super) dropped_xattrs: u64,
}

/// Unpacks `head`, the entries that were read already, and all after them into `root`.
pub(super) fn unpack<R: Read>(
    reader: &mut TarReader<R>,
    head: Vec<Entry>,
    root: OwnedFd,
    trash: &Trash,
    limits: &Limits,
) -> Result<Summary, Error> {
    let mut unpacking = Unpacking {
        tree: Tree::new(root, trash).map_err(Error::Io)?,
        limits,
        size: 0,
        entries: 0,
        dropped_xattrs: 0,
        times: Vec::new(),
        names: 0,
        buffer: vec![0; 256 * 1024],
    };
    // The data of the last one is still to be read; those before it have none.
    for entry in head {
        unpacking.entry(reader, &entry)?;
    }
    while let Some(entry) = reader.next()? {
        unpacking.entry(reader, &entry)?;
    }
    unpacking.finish()
}

struct Unpacking<'a> {
    tree: Tree<'a>,
    limits: &'a Limits,
    size: u64,
    entries: u64,
    dropped_xattrs: u64,
    /// Of directories, set last: making what is in them changes them.
    times: Vec<(EntryPath, (i64, u32))>,
    /// Bytes of the names in `times`.
    names: usize,
    buffer: Vec<u8>,
}

impl Unpacking<'_> {
    fn count(&mut self, entry: &Entry) -> Result<(), Error> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(Error::Limit { limit: self.limits.entries, of: "entries" });
        }
        if let Kind::File { size, .. } = entry.kind {
            self.size = self.size.saturating_add(size);
        }
        if self.size > self.limits.bytes {
            return Err(Error::Limit { limit: self.limits.bytes, of: "bytes" });
        }
        // A name has at most 2,048 parts; this bounds the directories that nobody described.
        if self.names > self.limits.names || self.tree.implicit_names() > self.limits.names / 64 {
            return Err(Error::Limit {
                limit: self.limits.names as u64,
                of: "bytes of directory names",
            });
        }
        Ok(())
    }

    fn entry(&mut self, data: &mut impl Read, entry: &Entry) -> Result<(), Error> {
        self.count(entry)?;
        let refuse = |cause| Error::Entry { path: shown(&entry.path), cause };
        let path = EntryPath::parse(&entry.path).map_err(refuse)?;
        match path.meaning().map_err(refuse)? {
            Meaning::Ignored => Ok(()),
            Meaning::Opaque => self.tree.opaque(&path.parent()),
            Meaning::Whiteout(name) => self.tree.whiteout(&path.sibling(name)),
            Meaning::Plain => {
                if path.is_root() && entry.kind != Kind::Directory {
                    return Err(refuse("the layer's root must be a directory".to_owned()));
                }
                let owner = owner(entry).map_err(refuse)?;
                self.make(data, entry, &path, owner)
            }
        }
        .map_err(|e| Error::at(&entry.path, e))
    }

    fn make(
        &mut self,
        data: &mut impl Read,
        entry: &Entry,
        path: &EntryPath,
        owner: (u32, u32),
    ) -> io::Result<()> {
        match &entry.kind {
            Kind::File { size, segments } => {
                let file = self.tree.place(path, crate::sys::beneath::create)?;
                let mut file = File::from(file);
                match segments {
                    None => copy(data, &mut file, *size, &mut self.buffer)?,
                    Some(segments) => {
                        for &(offset, length) in segments {
                            file.seek(SeekFrom::Start(offset))?;
                            copy(data, &mut file, length, &mut self.buffer)?;
                        }
                        file.set_len(*size)?;
                    }
                }
                self.attributes(&file, entry, owner)?;
                inode::set_times(&file, entry.mtime)
            }
            Kind::Directory => {
                let dir = self.tree.directory(path)?;
                self.attributes(&dir, entry, owner)?;
                self.names += path.len() + size_of::<EntryPath>();
                self.times.push((path.clone(), entry.mtime));
                Ok(())
            }
            Kind::Symlink { target } => self.tree.place(path, |parent, name| {
                inode::make_symlink(parent, name, Path::new(OsStr::from_bytes(target)))?;
                inode::change_owner_at(parent, name, owner.0, owner.1)?;
                inode::set_times_at(parent, name, entry.mtime)
            }),
            Kind::HardLink { target } => {
                let target = EntryPath::parse(target)
                    .map_err(|cause| io::Error::other(format!("hard link with {cause}")))?;
                self.tree.hard_link(path, &target)
            }
            Kind::Fifo => self.node(entry, path, owner, Node::Fifo),
            &Kind::Block { major, minor } => {
                self.node(entry, path, owner, Node::Block { major, minor })
            }
            Kind::Character { major: 0, minor: 0 } => Err(io::Error::other(
                "character device 0:0 is a whiteout of overlayfs, not a device of an image",
            )),
            &Kind::Character { major, minor } => {
                self.node(entry, path, owner, Node::Character { major, minor })
            }
        }
    }

    fn node(
        &mut self,
        entry: &Entry,
        path: &EntryPath,
        owner: (u32, u32),
        node: Node,
    ) -> io::Result<()> {
        self.tree.place(path, |parent, name| {
            inode::make_node(parent, name, node)?;
            let made = crate::sys::beneath::entry(parent, name)?;
            inode::change_owner_at(parent, name, owner.0, owner.1)?;
            inode::change_mode_of_path(made.as_fd(), entry.mode)?;
            inode::set_times_at(parent, name, entry.mtime)
        })
    }

    /// Owner first: a change of owner takes set-id bits and capabilities away.
    fn attributes(
        &mut self,
        fd: &impl AsFd,
        entry: &Entry,
        (uid, gid): (u32, u32),
    ) -> io::Result<()> {
        inode::change_owner(fd, uid, gid)?;
        inode::change_mode(fd, entry.mode)?;
        for (name, value) in &entry.xattrs {
            let Some(name) = xattr::kept(name) else { continue };
            match inode::set_xattr(fd, &name, value) {
                Err(e)
                    if e.kind() == io::ErrorKind::Unsupported && xattr::may_be_missing(&name) =>
                {
                    self.dropped_xattrs += 1;
                }
                other => other?,
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Summary, Error> {
        for (path, mtime) in self.times.iter().rev() {
            let set = self.tree.directory_times(path, *mtime);
            set.map_err(|e| Error::at(path.as_path().as_os_str().as_encoded_bytes(), e))?;
        }
        let (opaque_root, implicit) = self.tree.finish();
        Ok(Summary {
            size: self.size,
            entries: self.entries,
            opaque_root,
            implicit,
            dropped_xattrs: self.dropped_xattrs,
        })
    }
}

/// 4294967295 is the kernel's "leave as it is".
fn owner(entry: &Entry) -> Result<(u32, u32), String> {
    let id = |kind: &str, id: u64| match u32::try_from(id) {
        Ok(id) if id != u32::MAX => Ok(id),
        _ => Err(format!("{kind} {id} is not one of Linux's")),
    };
    Ok((id("uid", entry.uid)?, id("gid", entry.gid)?))
}

fn copy(data: &mut impl Read, file: &mut File, size: u64, buffer: &mut [u8]) -> io::Result<()> {
    let mut left = size;
    while left > 0 {
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        match data.read(&mut buffer[..most]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => {
                file.write_all(&buffer[..length])?;
                left -= length as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
