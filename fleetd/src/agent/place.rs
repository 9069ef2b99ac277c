//! Where things are kept.

use crate::core::run::{RunId, file_name};
use crate::sentence::cause;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The directories of one fleetd.
#[derive(Debug, Clone)]
pub struct Place {
    pub run_dir: PathBuf,
    pub state_dir: PathBuf,
}

impl Place {
    /// One directory per run of a unit.
    pub fn runs(&self) -> PathBuf {
        self.run_dir.join("runs")
    }

    pub fn run(&self, run: &RunId) -> PathBuf {
        self.runs().join(run.as_str())
    }

    /// The [`super::assignments`].
    pub fn assignments(&self) -> PathBuf {
        self.state_dir.join("assignments.json")
    }

    /// The [`super::keyring`].
    pub fn sealing_key(&self) -> PathBuf {
        self.state_dir.join("sealing.key")
    }

    /// What is remembered about units until the next boot.
    pub fn lives(&self) -> PathBuf {
        self.run_dir.join("units")
    }

    pub fn life(&self, unit: &str) -> PathBuf {
        self.lives().join(format!("{}.json", file_name(unit)))
    }

    /// The writable layers of what runs.
    pub fn layers(&self) -> PathBuf {
        self.state_dir.join("layers")
    }

    pub fn layer(&self, run: &RunId) -> PathBuf {
        self.layers().join(run.as_str())
    }

    /// A directory per unit.
    pub fn all_logs(&self) -> PathBuf {
        self.state_dir.join("logs")
    }

    /// The logs of a unit: a directory for each of its latest runs.
    pub fn logs(&self, unit: &str) -> PathBuf {
        self.all_logs().join(file_name(unit))
    }

    pub fn log(&self, unit: &str, run: &RunId) -> PathBuf {
        self.logs(unit).join(run.as_str())
    }

    pub fn images(&self) -> PathBuf {
        self.state_dir.join("images")
    }

    pub fn database(&self) -> PathBuf {
        self.state_dir.join("fleetd.redb")
    }

    pub fn socket(&self) -> PathBuf {
        self.run_dir.join("fleetd.sock")
    }
}

/// Makes a directory for our eyes only, with those above it.
pub fn make_private(path: &Path) -> Result<(), String> {
    std::fs::DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(path)
        .map_err(|e| format!("create {}: {}", path.display(), cause(&e)))
}

/// Writes a file that is whole or not there: what a killed fleetd leaves is never half a record.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let new = path.with_extension("new");
    let write = || -> io::Result<()> {
        use std::io::Write as _;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(&new)?.write_all(bytes)?;
        std::fs::rename(&new, path)
    };
    write().map_err(|e| format!("write {}: {}", path.display(), cause(&e)))
}

/// Until a file, and that it has this name, is safe on disk.
pub fn sync(path: &Path) -> Result<(), String> {
    let sync = |path: &Path| std::fs::File::open(path)?.sync_all();
    let synced = sync(path).and_then(|()| path.parent().map_or(Ok(()), sync));
    synced.map_err(|e| format!("write {} to disk: {}", path.display(), cause(&e)))
}

/// Removes a tree; one that is not there is removed already.
pub fn remove_tree(path: &Path) -> Result<(), String> {
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(format!("remove {}: {}", path.display(), cause(&e)))
        }
        _ => Ok(()),
    }
}
