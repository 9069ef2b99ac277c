//! Overlay mounts that are attached nowhere.

use rustix::fs::{CWD, OFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, OpenTreeFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount, mount_change,
    open_tree,
};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// A new overlay superblock that waits for its options.
pub fn open() -> io::Result<OwnedFd> {
    Ok(fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?)
}

/// At most 255 bytes before Linux 6.5 (fsconfig(2)).
pub fn set(context: BorrowedFd<'_>, key: &str, value: &str) -> io::Result<()> {
    Ok(fsconfig_set_string(context, key, value)?)
}

pub fn set_read_only(context: BorrowedFd<'_>) -> io::Result<()> {
    Ok(fsconfig_set_flag(context, "ro")?)
}

/// Makes the superblock and a detached mount of it, `nodev`.
pub fn create(context: BorrowedFd<'_>, read_only: bool) -> io::Result<OwnedFd> {
    fsconfig_create(context)?;
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NODEV;
    if read_only {
        attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    Ok(fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// The messages that the kernel left in a context, such as `overlay: upper fs does not support
/// xattr`; a read takes one, with a letter and a space before it. Empty when there are none.
pub fn messages(context: BorrowedFd<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(length) = rustix::io::read(context, &mut buffer) {
        if length == 0 {
            break;
        }
        found.push(String::from_utf8_lossy(&buffer[..length]).trim_end().to_owned());
    }
    found
}

/// Gives the calling thread a mount namespace, working directory and root of its own, from which
/// no mount travels back.
pub fn unshare_mounts() -> io::Result<()> {
    // SAFETY: NEWNS and FS take nothing away that other code of this thread relies on for memory
    // safety: no descriptor is closed, only this thread's view of paths becomes its own.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS | UnshareFlags::FS) }?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    Ok(())
}

/// The old mount call, for kernels whose `fsconfig` cannot take the options. `options` is at most
/// 4,095 bytes: the kernel copies one page.
pub fn mount_at(target: &Path, options: &str, read_only: bool) -> io::Result<()> {
    let options = CString::new(options)?;
    let mut flags = MountFlags::NODEV;
    if read_only {
        flags |= MountFlags::RDONLY;
    }
    Ok(mount("overlay", target, "overlay", flags, options.as_c_str())?)
}

/// A detached copy of the mount at `target`.
pub fn clone_mount(target: &Path) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    Ok(open_tree(CWD, target, flags)?)
}

/// The calling thread's working directory; a thread of [`unshare_mounts`] has one of its own.
pub fn change_directory(path: &Path) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = rustix::fs::open(path, flags, rustix::fs::Mode::empty())?;
    Ok(rustix::process::fchdir(dir.as_fd())?)
}
