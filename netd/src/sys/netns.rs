//! Network namespaces of the calling thread.

use nix::sched::CloneFlags;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Moves the calling thread into a new, empty network namespace (unshare(2)).
pub fn unshare() -> io::Result<()> {
    Ok(nix::sched::unshare(CloneFlags::CLONE_NEWNET)?)
}

/// Moves the calling thread into a network namespace (setns(2)).
pub fn enter(namespace: impl AsFd) -> io::Result<()> {
    Ok(nix::sched::setns(namespace, CloneFlags::CLONE_NEWNET)?)
}

/// The network namespace of the calling thread, kept alive by the descriptor.
pub fn current() -> io::Result<OwnedFd> {
    Ok(File::open("/proc/thread-self/ns/net")?.into())
}
