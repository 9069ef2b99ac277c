//! Files in memory, of a file system that is attached nowhere.

use rustix::fs::{Mode, OFlags, fchmod, fchown, openat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

/// Whose a file or directory is, and who may do what with it.
#[derive(Debug, Clone, Copy)]
pub struct Access {
    pub uid: u32,
    pub gid: u32,
    pub mode: u32,
}

/// A detached mount of a new, empty file system, whose pages are never written to a disk: ramfs(5), as
/// tmpfs is swapped out (its `noswap` is of Linux 6.4).
pub fn mount() -> io::Result<OwnedFd> {
    let context = fsopen("ramfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    Ok(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// Makes a file in it. `name` has no slash.
pub fn write(mount: impl AsFd, name: &str, bytes: &[u8], access: Access) -> io::Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(mount, name, flags, Mode::empty())?);
    file.write_all(bytes)?;
    set(&file, access)
}

/// Gives its root to somebody.
pub fn give(mount: impl AsFd, access: Access) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    set(openat(mount, ".", flags, Mode::empty())?, access)
}

fn set(file: impl AsFd, Access { uid, gid, mode }: Access) -> io::Result<()> {
    let owner = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
    fchown(&file, Some(owner.0), Some(owner.1))?;
    Ok(fchmod(&file, Mode::from_raw_mode(mode))?)
}
