//! Mounts by descriptor: fsopen(2), open_tree(2), move_mount(2), mount_setattr(2), pivot_root(2).

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::{check, descriptor, path};

pub const ATTR_RDONLY: u64 = 0x1;
pub const ATTR_NOSUID: u64 = 0x2;
pub const ATTR_NODEV: u64 = 0x4;
pub const ATTR_NOEXEC: u64 = 0x8;
/// The field of the three access time modes.
pub const ATTR_ATIME: u64 = 0x70;
pub const ATTR_RELATIME: u64 = 0x0;
pub const ATTR_NOATIME: u64 = 0x10;
pub const ATTR_STRICTATIME: u64 = 0x20;
pub const ATTR_NODIRATIME: u64 = 0x80;
pub const ATTR_NOSYMFOLLOW: u64 = 0x20_0000;

const OPEN_TREE_CLONE: u32 = 1;
const OPEN_TREE_CLOEXEC: u32 = libc::O_CLOEXEC as u32;
const AT_RECURSIVE: u32 = 0x8000;
const FSCONFIG_SET_FLAG: u32 = 0;
const FSCONFIG_SET_STRING: u32 = 1;
const FSCONFIG_CMD_CREATE: u32 = 6;

/// `struct mount_attr` of linux/mount.h.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct MountAttr {
    pub set: u64,
    pub clear: u64,
    /// `MS_PRIVATE`, `MS_SLAVE` ..., or 0 to leave it.
    pub propagation: u64,
    pub userns_fd: u64,
}

/// A new, unconfigured instance of a file system.
pub fn fsopen(kind: &str) -> io::Result<OwnedFd> {
    let kind = CString::new(kind)?;
    // SAFETY: fsopen reads the NUL-terminated name and keeps no pointer to it.
    descriptor(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), 1_u32) })
}

/// Sets an option to a value; before Linux 6.5 of 255 bytes at most.
pub fn fsconfig_string(fs: BorrowedFd<'_>, key: &str, value: &str) -> io::Result<()> {
    let (key, value) = (CString::new(key)?, CString::new(value)?);
    // SAFETY: both strings are NUL-terminated and outlive the call, which copies them.
    check(unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            fs.as_raw_fd(),
            FSCONFIG_SET_STRING,
            key.as_ptr(),
            value.as_ptr(),
            0,
        )
    })?;
    Ok(())
}

/// Sets an option without a value.
pub fn fsconfig_flag(fs: BorrowedFd<'_>, key: &str) -> io::Result<()> {
    let key = CString::new(key)?;
    // SAFETY: the string is NUL-terminated and outlives the call; a flag has no value.
    check(unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            fs.as_raw_fd(),
            FSCONFIG_SET_FLAG,
            key.as_ptr(),
            std::ptr::null::<libc::c_char>(),
            0,
        )
    })?;
    Ok(())
}

/// Makes the superblock from the options set so far.
pub fn fsconfig_create(fs: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: this command takes neither key nor value.
    check(unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            fs.as_raw_fd(),
            FSCONFIG_CMD_CREATE,
            std::ptr::null::<libc::c_char>(),
            std::ptr::null::<libc::c_char>(),
            0,
        )
    })?;
    Ok(())
}

/// A detached mount of the created file system, with `ATTR_*`.
pub fn fsmount(fs: BorrowedFd<'_>, attributes: u64) -> io::Result<OwnedFd> {
    // SAFETY: no pointer is passed.
    descriptor(unsafe { libc::syscall(libc::SYS_fsmount, fs.as_raw_fd(), 1_u32, attributes) })
}

/// A detached copy of the mount at `name` below `at`, all of its submounts with it if `recursive`.
/// An empty name means `at` itself.
pub fn open_tree_clone(at: BorrowedFd<'_>, name: &Path, recursive: bool) -> io::Result<OwnedFd> {
    let name = path(name)?;
    let mut flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | libc::AT_EMPTY_PATH as u32;
    if recursive {
        flags |= AT_RECURSIVE;
    }
    // SAFETY: the name is NUL-terminated and outlives the call.
    descriptor(unsafe { libc::syscall(libc::SYS_open_tree, at.as_raw_fd(), name.as_ptr(), flags) })
}

/// Attaches the mount `from` on the directory or file `to`.
pub fn move_mount(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    const F_EMPTY_PATH: u32 = 0x4;
    const T_EMPTY_PATH: u32 = 0x40;
    // SAFETY: both names are empty NUL-terminated strings.
    check(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            from.as_raw_fd(),
            c"".as_ptr(),
            to.as_raw_fd(),
            c"".as_ptr(),
            F_EMPTY_PATH | T_EMPTY_PATH,
        )
    })?;
    Ok(())
}

/// Attaches the mount `from` on top of the caller's root.
pub fn move_mount_to_root(from: BorrowedFd<'_>) -> io::Result<()> {
    const F_EMPTY_PATH: u32 = 0x4;
    // SAFETY: both names are NUL-terminated strings.
    check(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            from.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            c"/".as_ptr(),
            F_EMPTY_PATH,
        )
    })?;
    Ok(())
}

/// Changes a mount, and all below it if `recursive`.
pub fn mount_setattr(mount: BorrowedFd<'_>, recursive: bool, attr: &MountAttr) -> io::Result<()> {
    let mut flags = libc::AT_EMPTY_PATH as u32;
    if recursive {
        flags |= AT_RECURSIVE;
    }
    // SAFETY: `attr` is a mount_attr of the size given, and only read.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            std::ptr::from_ref(attr),
            size_of::<MountAttr>(),
        )
    })?;
    Ok(())
}

/// Changes how events pass through the mount at `target`: `MS_SLAVE | MS_REC` and the like.
pub fn set_propagation(target: &CStr, flags: u64) -> io::Result<()> {
    // SAFETY: only the target is read for a change of propagation, and it is NUL-terminated.
    check(unsafe {
        libc::mount(std::ptr::null(), target.as_ptr(), std::ptr::null(), flags, std::ptr::null())
    })?;
    Ok(())
}

/// mount(2), for options that fsconfig(2) of an old kernel refuses.
pub fn mount(source: &str, target: &Path, kind: &str, flags: u64, options: &str) -> io::Result<()> {
    let (source, target) = (CString::new(source)?, path(target)?);
    let (kind, options) = (CString::new(kind)?, CString::new(options)?);
    // SAFETY: four NUL-terminated strings, copied by the kernel.
    check(unsafe {
        libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast())
    })?;
    Ok(())
}

/// Makes the mount at the working directory the root, with the old root on top of it.
pub fn pivot_root_here() -> io::Result<()> {
    // SAFETY: both names are NUL-terminated.
    check(unsafe { libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) })?;
    Ok(())
}

/// Takes the top mount at the working directory away, as soon as nobody uses it.
pub fn detach_here() -> io::Result<()> {
    // SAFETY: the name is NUL-terminated.
    check(unsafe { libc::umount2(c".".as_ptr(), libc::MNT_DETACH) })?;
    Ok(())
}
