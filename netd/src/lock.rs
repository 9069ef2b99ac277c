//! One netd for each state directory.
//!
//! A process that was killed lets go of its lock a moment after it has gone from the eyes of
//! whoever killed it: the kernel closes its descriptors late. So a taken lock is waited for.

use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

/// How long a predecessor may take to end.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Takes the lock at `path`, for as long as the value lives. None: somebody else has it and keeps
/// it for longer than `patience`.
pub fn take(path: &Path, patience: Duration) -> io::Result<Option<Flock<File>>> {
    loop {
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        let Some(lock) = lock(file, patience)? else { return Ok(None) };
        // `netd down` removes the file: a lock on what has no name any more keeps nobody out.
        match std::fs::metadata(path) {
            Ok(named) if named.ino() == lock.metadata()?.ino() => return Ok(Some(lock)),
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
}

fn lock(file: File, patience: Duration) -> io::Result<Option<Flock<File>>> {
    let file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => return Ok(Some(lock)),
        Err((file, nix::Error::EWOULDBLOCK)) => file,
        Err((_, e)) => return Err(e.into()),
    };
    // flock(2) knows no deadline, so a thread waits; one that waits in vain ends with the process.
    let (sender, taken) = mpsc::channel();
    std::thread::Builder::new().name("lock".to_owned()).spawn(move || {
        let _ = sender.send(Flock::lock(file, FlockArg::LockExclusive));
    })?;
    match taken.recv_timeout(patience) {
        Ok(Ok(lock)) => Ok(Some(lock)),
        Ok(Err((_, e))) => Err(e.into()),
        Err(_) => Ok(None),
    }
}
