//! The container's cgroup (cgroup v2): made with its limits before the container, killed and
//! removed after it.

mod create;
mod destroy;
pub mod device_filter;
pub mod location;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::error::{Doing, Error, Result};
use crate::plan::limits::Setting;
use crate::sys::{bpf, file};

/// The cgroup of one container.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
    /// Its parents that were made for it, the outermost first.
    made_parents: Vec<PathBuf>,
    directory: Option<OwnedFd>,
}

impl Cgroup {
    /// Makes the cgroup at `linux.cgroupsPath` and writes its limits, but for those that would
    /// refuse its first process: see [`Cgroup::set`].
    pub fn create(configured: Option<&str>, id: &str, settings: &[Setting]) -> Result<Self> {
        create::create(&location::relative(configured, id)?, settings)
    }

    /// A cgroup that [`Cgroup::create`] made in another process.
    pub fn made(path: PathBuf, made_parents: Vec<PathBuf>) -> Self {
        Self { path, made_parents, directory: None }
    }

    /// Absolute, below the cgroup2 mount.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its parents that were made for it, the outermost first.
    pub fn made_parents(&self) -> &[PathBuf] {
        &self.made_parents
    }

    /// Its directory; a process can be born in it.
    pub fn directory(&self) -> Option<BorrowedFd<'_>> {
        self.directory.as_ref().map(AsFd::as_fd)
    }

    /// Writes one limit.
    pub fn set(&self, setting: &Setting) -> Result<()> {
        self.at(|directory| create::write(directory, &self.path, setting))
    }

    /// Forbids all devices but those that the program allows.
    pub fn attach_device_filter(&self, program: &[bpf::Instruction]) -> Result<()> {
        let program = load_device_filter(program)?;
        self.at(|directory| {
            bpf::attach_device_filter(directory, program.as_fd())
                .doing(format_args!("attach the device filter to {}", self.path.display()))
        })
    }

    /// Kills what still runs in the cgroup, waits until it is gone, and removes the cgroup with
    /// those of its parents that were made for it and are empty. Fine if it is gone already.
    pub fn destroy(&self) -> Result<()> {
        destroy::destroy(&self.path, &self.made_parents)
    }

    /// Sends a signal to every process in it and below. Fine if it is gone.
    pub fn signal(&self, signal: i32) -> Result<()> {
        destroy::signal(&self.path, signal)
    }

    fn at<T>(&self, act: impl FnOnce(BorrowedFd<'_>) -> Result<T>) -> Result<T> {
        match self.directory() {
            Some(directory) => act(directory),
            None => act(open(&self.path)?.as_fd()),
        }
    }
}

fn load_device_filter(program: &[bpf::Instruction]) -> Result<OwnedFd> {
    bpf::load_device_filter(program).doing("load the device filter").map_err(|error| {
        match bpf::explain_device_filter(program).lines().last() {
            Some(line) => error.hint(format_args!("the kernel says: {line}")),
            None => error,
        }
    })
}

/// Opens a cgroup's directory, for a process to be born in it.
pub fn open(path: &Path) -> Result<OwnedFd> {
    file::openat(file::here(), path, libc::O_RDONLY | libc::O_DIRECTORY, 0)
        .doing(format_args!("open the cgroup {}", path.display()))
}

/// Opens the cgroup that a container's process is in, which lies below the container's own.
pub fn open_inner(container: &Path, pid: i32) -> Result<OwnedFd> {
    let inner = location::of_process(container, pid)?;
    if inner.as_os_str().is_empty() {
        return Err(Error::new(format_args!(
            "find the cgroup of process {pid}: it is not below {}",
            container.display()
        )));
    }
    let flags = libc::O_RDONLY | libc::O_DIRECTORY;
    let resolve = file::RESOLVE_BENEATH | file::RESOLVE_NO_SYMLINKS | file::RESOLVE_NO_XDEV;
    file::openat2(open(container)?.as_fd(), &inner, flags, 0, resolve)
        .doing(format_args!("open the cgroup {}", container.join(&inner).display()))
}
