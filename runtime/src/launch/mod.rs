//! The parent's side of a start: prepares everything, clones once, and hands back a running (or
//! waiting) container. What the child does is in [`crate::init`].
//!
//! Whatever fails, nothing is left: no process, no cgroup.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cgroup::Cgroup;
use crate::error::{Error, Result};
use crate::spec::Spec;

/// What a start needs beside `config.json`.
pub struct Options<'a> {
    pub id: &'a str,
    /// The bundle's directory, absolute: `root.path` is relative to it.
    pub bundle: &'a Path,
    /// A detached mount (`fsmount`, `open_tree`) that takes the place of `root.path`.
    pub rootfs: Option<OwnedFd>,
    /// Takes the place of the network namespace's `path`.
    pub netns: Option<OwnedFd>,
    /// Detached mounts that take the place of the `source` of the mounts at these destinations.
    pub mount_fds: Vec<(PathBuf, OwnedFd)>,
    /// Become 0, 1 and 2; `None` keeps the caller's. Not used with `process.terminal`.
    pub stdio: Option<[BorrowedFd<'a>; 3]>,
    /// With `process.terminal`: a connected unix socket that is sent the terminal's master.
    pub console: Option<BorrowedFd<'a>>,
    pub start: Start,
    /// The descriptors 3, 4, ... up to this many are passed on to the program.
    pub preserve_fds: u32,
    /// A session keyring of the container's own (keyrings(7)).
    pub new_keyring: bool,
    /// The kernel sends this to the container's first process when the caller ends.
    pub death_signal: Option<i32>,
}

/// When the program is executed.
pub enum Start {
    /// As soon as the container stands.
    Now,
    /// When somebody connects to this listening unix socket: `create`, then `start`.
    OnConnect(OwnedFd),
}

/// A container whose first process exists. The caller is its parent.
pub struct Launched {
    pub pid: i32,
    /// Readable when the process ends.
    pub pidfd: OwnedFd,
    /// Field 22 of `/proc/PID/stat` (clock ticks since boot): with the pid, unique until a reboot.
    pub pid_start: u64,
    pub cgroup: Cgroup,
    /// How long each step took, in order.
    pub steps: Vec<(&'static str, Duration)>,
}

/// Starts a container. On return the first process is at work on its own set-up; see
/// [`Launched::wait_exec`].
pub fn launch(_spec: &Spec, _options: Options<'_>) -> Result<Launched> {
    Err(Error::new("start a container: not there yet"))
}

impl Launched {
    /// Blocks until the container stands and waits for its `start` ([`Start::OnConnect`] only).
    /// On an error the process has been reaped and the cgroup removed.
    pub fn wait_created(&mut self) -> Result<()> {
        Err(Error::new("wait for the container: not there yet"))
    }

    /// Blocks until the program has been exec'd. On an error (the program was not found, a mount was
    /// refused ...) the process has been reaped and the cgroup removed.
    pub fn wait_exec(&mut self) -> Result<()> {
        Err(Error::new("wait for the program: not there yet"))
    }
}
