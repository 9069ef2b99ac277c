//! What the tests share: a store of their own, tars made by hand, a look into a mount.

use crate::image::{Image, Store};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use tar::{EntryType, Header};

/// Leaves the test, with the reason on a line of its own, unless it runs as root.
macro_rules! needs_root {
    () => {
        if !rustix::process::geteuid().is_root() {
            println!("SKIPPED: needs root");
            return;
        }
    };
}
pub(in crate::image) use needs_root;

/// A directory on a file system that can hold an overlay's upper directory, gone at the end.
pub(in crate::image) struct Scratch(PathBuf);

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Scratch {
    pub(in crate::image) fn new() -> Self {
        let base =
            std::env::var_os("FLOTILLA_SCRATCH").map_or_else(std::env::temp_dir, PathBuf::from);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = base.join(format!("flotilla-image-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(in crate::image) fn path(&self) -> &Path {
        &self.0
    }

    pub(in crate::image) fn dir(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    pub(in crate::image) fn store(&self) -> Store {
        Store::open(&self.0.join("store")).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(e) = std::fs::remove_dir_all(&self.0)
            && !std::thread::panicking()
        {
            panic!("remove {}: {e}", self.0.display());
        }
    }
}

/// Writes a tar entry by entry, with names that no tar program would write.
#[derive(Default)]
pub(in crate::image) struct Tar(Vec<u8>);

impl Tar {
    pub(in crate::image) fn new() -> Self {
        Self::default()
    }

    pub(in crate::image) fn header(kind: EntryType, path: &str) -> Header {
        let mut header = Header::new_gnu();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        header.set_mtime(1_000_000_000);
        header
    }

    pub(in crate::image) fn raw(mut self, mut header: Header, data: &[u8]) -> Self {
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(in crate::image) fn file(self, path: &str, data: &[u8]) -> Self {
        let mut header = Self::header(EntryType::Regular, path);
        header.set_size(data.len() as u64);
        self.raw(header, data)
    }

    pub(in crate::image) fn dir(self, path: &str, mode: u32) -> Self {
        let mut header = Self::header(EntryType::Directory, path);
        header.set_mode(mode);
        self.raw(header, b"")
    }

    pub(in crate::image) fn link(self, kind: EntryType, path: &str, target: &str) -> Self {
        let mut header = Self::header(kind, path);
        header.as_mut_bytes()[157..157 + target.len()].copy_from_slice(target.as_bytes());
        self.raw(header, b"")
    }

    pub(in crate::image) fn symlink(self, path: &str, target: &str) -> Self {
        self.link(EntryType::Symlink, path, target)
    }

    pub(in crate::image) fn hard_link(self, path: &str, target: &str) -> Self {
        self.link(EntryType::Link, path, target)
    }

    pub(in crate::image) fn device(self, kind: EntryType, path: &str, number: (u32, u32)) -> Self {
        let mut header = Self::header(kind, path);
        header.set_device_major(number.0).unwrap();
        header.set_device_minor(number.1).unwrap();
        self.raw(header, b"")
    }

    /// A pax header for the entry after it.
    pub(in crate::image) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut data = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while length != rest + length.to_string().len() {
                length += 1;
            }
            write!(data, "{length} {key}=").unwrap();
            data.extend_from_slice(value);
            data.push(b'\n');
        }
        let mut header = Self::header(EntryType::XHeader, "pax");
        header.set_size(data.len() as u64);
        self.raw(header, &data)
    }

    pub(in crate::image) fn append(mut self, other: &Self) -> Self {
        self.0.extend_from_slice(&other.0);
        self
    }

    /// Without the two empty blocks.
    pub(in crate::image) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(in crate::image) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

pub(in crate::image) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The image `name`, mounted with a writable directory.
pub(in crate::image) fn mounted(store: &Store, name: &str, writable: &Path) -> (Image, Root) {
    let image = store.find(name).unwrap().unwrap();
    let root = Root(store.mount(&image, Some(writable)).unwrap());
    (image, root)
}

/// A detached mount, looked into through its descriptor.
pub(in crate::image) struct Root(pub(in crate::image) OwnedFd);

impl Root {
    pub(in crate::image) fn path(&self, path: &str) -> PathBuf {
        crate::sys::inode::proc_path(self.0.as_fd()).join(path)
    }

    pub(in crate::image) fn read(&self, path: &str) -> String {
        let mut text = String::new();
        File::open(self.path(path)).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// Names in a directory, sorted.
    pub(in crate::image) fn names(&self, path: &str) -> Vec<String> {
        names(&self.path(path))
    }
}

pub(in crate::image) fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What a store holds besides its directories: nothing may be left of what failed.
pub(in crate::image) fn left_behind(store: &Path) -> Vec<String> {
    ["layers", "blobs/sha256", "tmp", "trash"]
        .iter()
        .flat_map(|dir| {
            names(&store.join(dir)).into_iter().map(move |name| format!("{dir}/{name}"))
        })
        .collect()
}
