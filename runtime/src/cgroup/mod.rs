//! The container's cgroup (cgroup v2): made with its limits before the container, killed and
//! removed after it.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The cgroup of one container.
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Absolute, below the cgroup2 mount.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Kills what still runs in the cgroup, waits until it is gone, and removes the cgroup with
    /// those of its parents that were made for it and are empty.
    pub fn destroy(&self) -> Result<()> {
        Err(Error::new("remove the cgroup: not there yet"))
    }
}
