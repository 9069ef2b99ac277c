//! Starts one more program inside a running container (`exec`).
//!
//! The new process is the caller's own child, though it lives in the container's namespaces.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use crate::error::{Error, Result};
use crate::spec::{Process, Spec};

/// The container to join.
pub struct Target<'a> {
    /// Its first process, held by a descriptor, so that no other process can take its number.
    pub pidfd: BorrowedFd<'a>,
    /// Its `config.json`, for seccomp and the defaults of the process.
    pub spec: &'a Spec,
    /// Its cgroup, absolute.
    pub cgroup: &'a Path,
}

/// What the program's descriptors are.
pub struct Options<'a> {
    /// Become 0, 1 and 2; `None` keeps the caller's. Not used with `process.terminal`.
    pub stdio: Option<[BorrowedFd<'a>; 3]>,
    /// With `process.terminal`: a connected unix socket that is sent the terminal's master.
    pub console: Option<BorrowedFd<'a>>,
    pub preserve_fds: u32,
    pub new_keyring: bool,
    pub death_signal: Option<i32>,
}

/// A process in the container; the caller is its parent.
pub struct Joined {
    pub pid: i32,
    /// Readable when the process ends.
    pub pidfd: OwnedFd,
}

/// Starts `process` in the container.
pub fn join(_target: &Target<'_>, _process: &Process, _options: Options<'_>) -> Result<Joined> {
    Err(Error::new("join the container: not there yet"))
}

impl Joined {
    /// Blocks until the program has been exec'd. On an error the process has been reaped.
    pub fn wait_exec(&mut self) -> Result<()> {
        Err(Error::new("wait for the program: not there yet"))
    }
}
