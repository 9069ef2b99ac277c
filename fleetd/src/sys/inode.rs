//! Making, changing and removing inodes relative to a directory descriptor. None of these follows
//! a symbolic link in the last place.

use rustix::fs::{
    AtFlags, CWD, Dev, FileType, Gid, Mode, RenameFlags, Timespec, Timestamps, Uid, XattrFlags,
};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The kinds of `mknod` that images have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    Fifo,
    Character { major: u32, minor: u32 },
    Block { major: u32, minor: u32 },
}

/// What `fstat` says, as far as it is of use here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    pub kind: Kind,
    /// Permission bits with set-id and sticky: 12 bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Of a device node.
    pub device: (u32, u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Directory,
    Symlink,
    Character,
    Other,
}

pub fn status(fd: impl AsFd) -> io::Result<Status> {
    let stat = rustix::fs::fstat(fd)?;
    Ok(Status {
        kind: match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Symlink,
            FileType::CharacterDevice => Kind::Character,
            _ => Kind::Other,
        },
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        device: (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)),
    })
}

/// Mode 0700 whatever the umask allows of it.
pub fn make_directory(dir: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
    Ok(rustix::fs::mkdirat(dir, name, Mode::RWXU)?)
}

pub fn make_symlink(dir: BorrowedFd<'_>, name: &Path, target: &Path) -> io::Result<()> {
    Ok(rustix::fs::symlinkat(target, dir, name)?)
}

/// Mode 0600; needs CAP_MKNOD for devices, except for character 0:0, overlayfs's whiteout.
pub fn make_node(dir: BorrowedFd<'_>, name: &Path, node: Node) -> io::Result<()> {
    let (kind, device): (FileType, Dev) = match node {
        Node::Fifo => (FileType::Fifo, 0),
        Node::Character { major, minor } => {
            (FileType::CharacterDevice, rustix::fs::makedev(major, minor))
        }
        Node::Block { major, minor } => (FileType::BlockDevice, rustix::fs::makedev(major, minor)),
    };
    Ok(rustix::fs::mknodat(dir, name, kind, Mode::RUSR | Mode::WUSR, device)?)
}

/// A further name for the inode of `fd` (`O_PATH` is enough). Goes through `/proc/self/fd`, which
/// needs no CAP_DAC_READ_SEARCH, as AT_EMPTY_PATH does before Linux 6.10.
pub fn link(fd: BorrowedFd<'_>, dir: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
    Ok(rustix::fs::linkat(CWD, proc_path(fd), dir, name, AtFlags::SYMLINK_FOLLOW)?)
}

pub fn change_owner(fd: impl AsFd, uid: u32, gid: u32) -> io::Result<()> {
    Ok(rustix::fs::fchown(fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?)
}

pub fn change_owner_at(dir: BorrowedFd<'_>, name: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    Ok(rustix::fs::chownat(dir, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?)
}

pub fn change_mode(fd: impl AsFd, mode: u32) -> io::Result<()> {
    Ok(rustix::fs::fchmod(fd, Mode::from_raw_mode(mode))?)
}

/// Of an `O_PATH` descriptor, which `fchmod` refuses. Never of a symbolic link.
pub fn change_mode_of_path(fd: BorrowedFd<'_>, mode: u32) -> io::Result<()> {
    Ok(rustix::fs::chmod(proc_path(fd), Mode::from_raw_mode(mode))?)
}

/// Access and modification time: seconds since the epoch and nanoseconds.
pub fn set_times(fd: impl AsFd, (seconds, nanos): (i64, u32)) -> io::Result<()> {
    Ok(rustix::fs::futimens(fd, &timestamps(seconds, nanos))?)
}

pub fn set_times_at(
    dir: BorrowedFd<'_>,
    name: &Path,
    (seconds, nanos): (i64, u32),
) -> io::Result<()> {
    let times = timestamps(seconds, nanos);
    Ok(rustix::fs::utimensat(dir, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn timestamps(seconds: i64, nanos: u32) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanos.into() };
    Timestamps { last_access: time, last_modification: time }
}

/// `name` as in `user.color`.
pub fn set_xattr(fd: impl AsFd, name: &CStr, value: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::fsetxattr(fd, name, value, XattrFlags::empty())?)
}

/// Of an `O_PATH` descriptor.
pub fn set_xattr_of_path(fd: BorrowedFd<'_>, name: &CStr, value: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::setxattr(proc_path(fd), name, value, XattrFlags::empty())?)
}

/// A file or other non-directory; EISDIR for a directory.
pub fn unlink(dir: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
    Ok(rustix::fs::unlinkat(dir, name, AtFlags::empty())?)
}

/// An empty directory.
pub fn remove_directory(dir: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
    Ok(rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR)?)
}

/// EEXIST if the new name is taken.
pub fn rename_new(
    from: BorrowedFd<'_>,
    old: &Path,
    to: BorrowedFd<'_>,
    new: &Path,
) -> io::Result<()> {
    Ok(rustix::fs::renameat_with(from, old, to, new, RenameFlags::NOREPLACE)?)
}

/// Everything of the file system that `fd` is on reaches the disk.
pub fn sync_file_system(fd: impl AsFd) -> io::Result<()> {
    Ok(rustix::fs::syncfs(fd)?)
}

/// An exclusive lock that lasts as long as the open file; EWOULDBLOCK if somebody has it.
pub fn lock(fd: impl AsFd) -> io::Result<()> {
    Ok(rustix::fs::flock(fd, rustix::fs::FlockOperation::NonBlockingLockExclusive)?)
}

/// The magic link of an open descriptor: following it leads to the very inode.
pub fn proc_path(fd: BorrowedFd<'_>) -> PathBuf {
    let text = format!("/proc/self/fd/{}", fd.as_raw_fd());
    Path::new(std::ffi::OsStr::from_bytes(text.as_bytes())).to_path_buf()
}
