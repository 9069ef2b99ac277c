//! Changes of directories (inotify(7)).

use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// inotify_init1(2)
pub fn open() -> io::Result<OwnedFd> {
    Ok(init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?)
}

/// inotify_add_watch(2): files that come, go or grow in the directory.
pub fn add(inotify: impl AsFd, directory: &Path) -> io::Result<()> {
    let changes = WatchFlags::CREATE | WatchFlags::MODIFY | WatchFlags::MOVED_TO;
    let ends = WatchFlags::DELETE | WatchFlags::DELETE_SELF;
    add_watch(inotify, directory, changes | ends | WatchFlags::ONLYDIR)?;
    Ok(())
}

/// read(2): takes what is queued and forgets it. WouldBlock: nothing is.
pub fn drain(inotify: impl AsFd) -> io::Result<()> {
    let mut bytes = [0; 4096];
    rustix::io::read(inotify, &mut bytes)?;
    Ok(())
}
