//! What can go wrong with the database.

use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error("create {}: {cause}", path.display())]
    Create { path: PathBuf, cause: String },
    /// It is left as it is. Nothing that runs is touched.
    #[error("open {}: {cause} (nothing was changed and no container stopped)", path.display())]
    Open { path: PathBuf, cause: String },
    /// The key that it is sealed with.
    #[error("{0} (nothing was changed and no container stopped)")]
    Key(String),
    #[error("write {}: {cause}", path.display())]
    Write { path: PathBuf, cause: Arc<redb::Error> },
}

impl Error {
    /// Of a file that is made.
    pub(super) fn made(path: &Path, error: redb::Error) -> Self {
        let path = path.to_owned();
        match is_no_space(&error) {
            true => Self::Write { path, cause: Arc::new(error) },
            false => Self::Create { path, cause: error.to_string() },
        }
    }

    /// Whether the disk is full.
    pub fn no_space(&self) -> bool {
        matches!(self, Self::Write { cause, .. } if is_no_space(cause))
    }
}

/// Of the disk, or of what this host may use of it.
pub(super) fn is_no_space(error: &redb::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error, redb::Error::Io(e) if matches!(e.kind(), StorageFull | QuotaExceeded))
}
