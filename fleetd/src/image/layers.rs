//! The unpacked layers: `layers/HEX/root`, HEX being the digest of the uncompressed tar. A layer
//! is made in `tmp/` and renamed into place, so what is there is whole.

use super::digest::{Digest, Hashing};
use super::error::Error;
use super::limits::Limits;
use super::trash::Trash;
use super::unpack::{self, Entry, Summary, TarReader};
use super::{compression, disk};
use crate::sys::{beneath, inode};
use serde::{Deserialize, Serialize};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// `layers/HEX/layer.json`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Meta {
    pub(super) size: u64,
    pub(super) entries: u64,
    pub(super) opaque_root: bool,
    #[serde(default)]
    pub(super) dropped_xattrs: u64,
}

pub(super) struct Layers {
    dir: PathBuf,
    tmp: PathBuf,
    layers_fd: OwnedFd,
    tmp_fd: OwnedFd,
    pub(super) trash: Trash,
    next: AtomicU64,
    pub(super) limits: Limits,
}

impl Layers {
    /// Takes over `layers/`, `tmp/` and `trash/` of a store that nobody else has open, and
    /// removes what an interrupted process left in the last two.
    pub(super) fn open(store: &Path) -> Result<Self, Error> {
        let (dir, tmp, trash) = (store.join("layers"), store.join("tmp"), store.join("trash"));
        for dir in [&dir, &tmp, &trash] {
            disk::make_directory(dir)?;
        }
        let open = |path: &Path| {
            beneath::directory(path).map_err(Error::io(format!("open {}", path.display())))
        };
        let layers = Self {
            layers_fd: open(&dir)?,
            tmp_fd: open(&tmp)?,
            trash: Trash::open(&trash).map_err(Error::io(format!("open {}", trash.display())))?,
            dir,
            tmp,
            next: AtomicU64::new(0),
            limits: Limits::default(),
        };
        let clean = || -> io::Result<()> {
            for name in beneath::names(open_again(&layers.tmp)?, usize::MAX)? {
                layers.trash.take(layers.tmp_fd.as_fd(), Path::new(&name))?;
            }
            layers.trash.empty()
        };
        clean().map_err(Error::io(format!("clean up {}", layers.tmp.display())))?;
        Ok(layers)
    }

    /// A directory of its own in `tmp/`, gone when the value is dropped unless it was kept.
    pub(super) fn scratch(&self) -> Result<Scratch<'_>, Error> {
        let name = PathBuf::from(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        let path = self.tmp.join(&name);
        let make = || {
            inode::make_directory(self.tmp_fd.as_fd(), &name)?;
            beneath::subdirectory(self.tmp_fd.as_fd(), &name)
        };
        let fd = make().map_err(Error::io(format!("create {}", path.display())))?;
        Ok(Scratch { layers: self, name, path, fd, kept: false })
    }

    /// What `layer.json` says of a layer that is here.
    pub(super) fn meta(&self, id: &Digest) -> Result<Option<Meta>, Error> {
        let path = self.dir.join(id.hex()).join("layer.json");
        let Some(bytes) = disk::read(&path)? else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|e| Error::Document { what: path.display().to_string(), cause: e.to_string() })
    }

    /// The root of a layer, to stack.
    pub(super) fn root(&self, id: &Digest) -> PathBuf {
        self.dir.join(id.hex()).join("root")
    }

    /// The digests of all layers that are here.
    pub(super) fn all(&self) -> Result<Vec<Digest>, Error> {
        let names = open_again(&self.dir).and_then(|fd| beneath::names(fd, usize::MAX));
        let names = names.map_err(Error::io(format!("read {}", self.dir.display())))?;
        Ok(names.iter().filter_map(|n| Digest::from_hex(n.to_str()?).ok()).collect())
    }

    /// Out of sight at once; the space comes back with [`Trash::empty`].
    pub(super) fn discard(&self, id: &Digest) -> Result<(), Error> {
        match self.trash.take(self.layers_fd.as_fd(), Path::new(id.hex())) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(Error::io(format!("remove layer {id}"))),
        }
    }

    /// Unpacks a tar, plain or compressed, whose uncompressed digest must be `id`.
    pub(super) fn unpack(&self, id: &Digest, stream: impl Read) -> Result<(), Error> {
        let fail = |cause| Error::Unpack { layer: id.to_string(), cause };
        let plain = compression::decode(stream).map_err(|e| fail(unpack::Error::Io(e)))?;
        let mut reader = TarReader::new(Hashing::new(plain, self.limits.bytes));
        let layer = self.fill(&mut reader, Vec::new(), &id.to_string())?;
        let (found, _) = reader.into_inner().finish();
        if found != *id {
            let cause = format!("its content is {found}");
            return Err(fail(unpack::Error::Mismatch(cause)));
        }
        self.commit(layer, id)
    }

    /// Unpacks what is left of `reader`, and reads it to its end. `what` names it in errors.
    pub(super) fn fill<R: Read>(
        &self,
        reader: &mut TarReader<Hashing<R>>,
        head: Vec<Entry>,
        what: &str,
    ) -> Result<Scratch<'_>, Error> {
        let fail = |cause| Error::Unpack { layer: what.to_owned(), cause };
        let scratch = self.scratch()?;
        let root = Path::new("root");
        let made = inode::make_directory(scratch.fd.as_fd(), root)
            .and_then(|()| beneath::subdirectory(scratch.fd.as_fd(), root))
            .map_err(|e| fail(unpack::Error::Io(e)))?;
        let summary = unpack::unpack(reader, head, made, &self.trash, &self.limits)
            .and_then(|summary| {
                reader.get_mut().drain().map_err(unpack::Error::Io)?;
                Ok(summary)
            })
            .map_err(fail)?;
        let Summary { size, entries, opaque_root, dropped_xattrs, .. } = summary;
        let meta = Meta { size, entries, opaque_root, dropped_xattrs };
        let json = serde_json::to_vec(&meta).map_err(|e| fail(unpack::Error::Io(e.into())))?;
        std::fs::write(scratch.path.join("layer.json"), json)
            .map_err(|e| fail(unpack::Error::Io(e)))?;
        Ok(scratch)
    }

    /// Makes the layer visible. If somebody else was faster, theirs is as good.
    pub(super) fn commit(&self, mut layer: Scratch<'_>, id: &Digest) -> Result<(), Error> {
        let renamed = inode::rename_new(
            self.tmp_fd.as_fd(),
            &layer.name,
            self.layers_fd.as_fd(),
            Path::new(id.hex()),
        );
        match renamed {
            Ok(()) => layer.kept = true,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(cause) => return Err(Error::Io { action: format!("keep layer {id}"), cause }),
        }
        Ok(())
    }

    /// All that was unpacked reaches the disk, before a record says that it is there.
    pub(super) fn sync(&self) -> Result<(), Error> {
        inode::sync_file_system(&self.layers_fd)
            .map_err(Error::io(format!("write {}", self.dir.display())))
    }
}

/// A directory's stream has a position: each listing opens its own.
fn open_again(path: &Path) -> io::Result<OwnedFd> {
    beneath::directory(path)
}

/// See [`Layers::scratch`].
pub(super) struct Scratch<'a> {
    layers: &'a Layers,
    name: PathBuf,
    pub(super) path: PathBuf,
    fd: OwnedFd,
    kept: bool,
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed now is removed at the next open.
            let trash = &self.layers.trash;
            let _ = trash.take(self.layers.tmp_fd.as_fd(), &self.name).and_then(|()| trash.empty());
        }
    }
}
