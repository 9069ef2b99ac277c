//! Files below a directory that is not ours, locks, and descriptors that do not wait.

use rustix::fs::{FallocateFlags, FlockOperation, Mode, OFlags, ResolveFlags, flock, openat2};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// openat2(2) with RESOLVE_IN_ROOT: the path is resolved as if `root` were `/`, links included, and no
/// link of /proc leads out. Opened for reading, without waiting for a writer of a fifo.
pub fn open_in_root(root: impl AsFd, path: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    Ok(openat2(root, path, flags, Mode::empty(), resolve)?)
}

/// flock(2): takes the lock for this process, or says at once that another has it (WouldBlock).
pub fn try_lock(file: impl AsFd) -> io::Result<()> {
    Ok(flock(file, FlockOperation::NonBlockingLockExclusive)?)
}

/// flock(2): takes the lock for this process; waits for as long as another has it.
pub fn lock(file: impl AsFd) -> io::Result<()> {
    Ok(flock(file, FlockOperation::LockExclusive)?)
}

/// fcntl(2): O_NONBLOCK, for everybody who shares the open file.
pub fn set_nonblocking(fd: impl AsFd) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(&fd)?;
    Ok(rustix::fs::fcntl_setfl(&fd, flags | OFlags::NONBLOCK)?)
}

/// fallocate(2): the file is at least that long, and its blocks are there.
pub fn allocate(file: impl AsFd, offset: u64, length: u64) -> io::Result<()> {
    Ok(rustix::fs::fallocate(file, FallocateFlags::empty(), offset, length)?)
}

/// The same; the length of the file stays what it is, blocks behind its end are kept for it.
pub fn allocate_within(file: impl AsFd, offset: u64, length: u64) -> io::Result<()> {
    Ok(rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, offset, length)?)
}

/// statvfs(3): the bytes that are free for everybody.
pub fn free_space(directory: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(directory)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// read(2)
pub fn read(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::io::read(fd, buffer)?)
}

/// write(2)
pub fn write(fd: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::io::write(fd, bytes)?)
}
