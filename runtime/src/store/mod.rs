//! The state directory (`--root`): one directory a container, mode 0700.
//!
//! ```text
//! ROOT/ID/state.json    what the container is; written whole or not at all
//! ROOT/ID/config.json   its configuration as it was at `create`
//! ROOT/ID/start.sock    there while the container waits for its `start`
//! ```
//!
//! The directory is the claim on the id: making it fails if there is one. `/run` may be a disk that
//! survives a reboot: the record carries the boot id, and a pid counts only with its start time.

pub mod record;
mod status;

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

pub use record::Record;
pub use status::Status;

use crate::error::{Doing, Error, Result};
use crate::plan::container_id;
use crate::spec::{self, Spec};
use crate::sys::{file, socket};

/// Where containers are recorded unless `--root` says otherwise.
pub const DEFAULT_ROOT: &str = "/run/ocirun";

/// The state directory of one container.
#[derive(Debug, Clone)]
pub struct Entry {
    path: PathBuf,
}

impl Entry {
    /// Claims the id; an error if it is taken.
    pub fn claim(root: &Path, id: &str) -> Result<Self> {
        let entry = Self::named(root, id)?;
        let mut builder = std::fs::DirBuilder::new();
        builder.mode(0o700);
        match builder.create(&entry.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                builder
                    .recursive(true)
                    .create(root)
                    .doing(format_args!("make {}", root.display()))?;
                builder.recursive(false).create(&entry.path)
            }
            made => made,
        }
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                Error::new(format_args!("create {id}: container with that id exists"))
            }
            _ => Error::io(format_args!("make {}", entry.path.display()), &error),
        })?;
        Ok(entry)
    }

    /// The container of that id.
    pub fn open(root: &Path, id: &str) -> Result<Self> {
        let entry = Self::named(root, id)?;
        match std::fs::symlink_metadata(&entry.path) {
            Ok(_) => Ok(entry),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::new(format_args!("container {id:?} does not exist")))
            }
            Err(error) => Err(Error::io(format_args!("open {}", entry.path.display()), &error)),
        }
    }

    /// All containers, by id.
    pub fn all(root: &Path) -> Result<Vec<(String, Self)>> {
        let directory = match std::fs::read_dir(root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            directory => directory.doing(format_args!("list {}", root.display()))?,
        };
        let mut entries = Vec::new();
        for entry in directory {
            let entry = entry.doing(format_args!("list {}", root.display()))?;
            if let Ok(id) = entry.file_name().into_string()
                && container_id::check(&id).is_ok()
            {
                entries.push((id, Self { path: entry.path() }));
            }
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(entries)
    }

    fn named(root: &Path, id: &str) -> Result<Self> {
        container_id::check(id)?;
        Ok(Self { path: root.join(id) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps what `exec` and the hooks of `delete` need.
    pub fn save_config(&self, text: &[u8]) -> Result<()> {
        let path = self.path.join("config.json");
        file::write_file(file::here(), &path, 0o600, text)
            .doing(format_args!("write {}", path.display()))
    }

    pub fn config(&self) -> Result<Spec> {
        spec::load::config(&self.path)
    }

    /// Writes `state.json`, whole or not at all.
    pub fn save(&self, record: &Record) -> Result<()> {
        let (new, path) = (self.path.join("state.json.new"), self.path.join("state.json"));
        file::write_file(file::here(), &new, 0o600, record.to_json().as_bytes())
            .and_then(|()| std::fs::rename(&new, &path))
            .doing(format_args!("write {}", path.display()))
    }

    /// What `state.json` says; `None` if a creation never got so far.
    pub fn load(&self) -> Result<Option<Record>> {
        let path = self.path.join("state.json");
        match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(format_args!("read {}", path.display()), &error)),
            Ok(text) => spec::load::parse(&text)
                .map(Some)
                .map_err(|error| error.within(format_args!("parse {}", path.display()))),
        }
    }

    fn start_socket(&self) -> PathBuf {
        self.path.join("start.sock")
    }

    /// The socket on which the container will wait for its `start`.
    pub fn listen_for_start(&self) -> Result<std::os::fd::OwnedFd> {
        self.by_short_path(socket::listen)
            .doing(format_args!("listen on {}", self.start_socket().display()))
    }

    /// Connects to the waiting container.
    pub fn connect_to_start(&self) -> Result<std::os::fd::OwnedFd> {
        self.by_short_path(socket::connect)
            .doing(format_args!("connect to {}", self.start_socket().display()))
    }

    /// Whether the container has not been started.
    pub fn waits_for_start(&self) -> bool {
        std::fs::symlink_metadata(self.start_socket()).is_ok()
    }

    pub fn forget_start(&self) -> Result<()> {
        let path = self.start_socket();
        std::fs::remove_file(&path).doing(format_args!("remove {}", path.display()))
    }

    /// A socket's path has 107 bytes at most; by way of a descriptor every path is short.
    fn by_short_path<T>(&self, call: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
        use std::os::fd::AsRawFd;
        let path = self.start_socket();
        if path.as_os_str().len() < 108 {
            return call(&path);
        }
        let directory = std::fs::File::open(&self.path)?;
        call(&PathBuf::from(format!("/proc/self/fd/{}/start.sock", directory.as_raw_fd())))
    }

    /// Removes the directory. The id is free again.
    pub fn remove(&self) -> Result<()> {
        self.remove_files(&["config.json", "state.json"])?;
        match std::fs::remove_dir(&self.path) {
            // It was never started, or interrupted.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                self.remove_files(&["start.sock", "state.json.new"])?;
                std::fs::remove_dir(&self.path)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
        .doing(format_args!("remove {}", self.path.display()))
    }

    fn remove_files(&self, names: &[&str]) -> Result<()> {
        names.iter().try_for_each(|name| match std::fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.doing(format_args!("remove {}", self.path.join(name).display())),
        })
    }
}
