//! One fleetd for each directory.
//!
//! A process that was killed lets go of its locks a moment after it has gone from the eyes of
//! whoever killed it, and a supervisor that it was just starting only with its exec. So a taken lock
//! is waited for.

use crate::agent::place::{Place, make_private};
use crate::sentence::cause;
use crate::sys::file;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

/// How long a predecessor may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Locks both directories, for as long as the files live.
pub(super) fn lock(place: &Place) -> Result<(File, File), String> {
    Ok((lock_directory(&place.run_dir)?, lock_directory(&place.state_dir)?))
}

fn lock_directory(directory: &Path) -> Result<File, String> {
    make_private(directory)?;
    let path = directory.join("fleetd.lock");
    let fail = |e: io::Error| format!("lock {}: {}", path.display(), cause(&e));
    let mut options = File::options();
    let file =
        options.read(true).write(true).create(true).truncate(false).open(&path).map_err(fail)?;
    match take(file).map_err(fail)? {
        Some(file) => Ok(file),
        None => Err(format!(
            "lock {}: another fleetd uses it (end that one, or name other directories)",
            directory.display()
        )),
    }
}

/// None: somebody keeps it for longer than [`PATIENCE`].
fn take(file: File) -> io::Result<Option<File>> {
    match file::try_lock(&file) {
        Ok(()) => return Ok(Some(file)),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
        Err(e) => return Err(e),
    }
    // flock(2) knows no deadline, so a thread waits; one that waits in vain ends with the process.
    let (sender, taken) = mpsc::channel();
    std::thread::Builder::new().name("lock".to_owned()).spawn(move || {
        let _ = sender.send(file::lock(&file).map(|()| file));
    })?;
    taken.recv_timeout(PATIENCE).map_or(Ok(None), |taken| taken.map(Some))
}
