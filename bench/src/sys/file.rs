//! Mounts, nodes, descriptors.

use std::ffi::CStr;
use std::io;

use super::check;

/// mount(2). `None` is the null pointer.
pub fn mount(
    source: Option<&CStr>,
    target: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
    options: Option<&CStr>,
) -> io::Result<()> {
    let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: the strings end with zero and outlive the call; null is allowed for those that may be absent.
    check(libc::c_long::from(unsafe {
        libc::mount(pointer(source), target.as_ptr(), pointer(kind), flags, pointer(options).cast())
    }))?;
    Ok(())
}

/// umount2(2) with `MNT_DETACH`.
pub fn unmount_lazily(target: &CStr) -> io::Result<()> {
    // SAFETY: the string ends with zero and outlives the call.
    check(libc::c_long::from(unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) }))?;
    Ok(())
}

/// pivot_root(2).
pub fn pivot_root(new: &CStr, old: &CStr) -> io::Result<()> {
    // SAFETY: both strings end with zero and outlive the call.
    check(unsafe { libc::syscall(libc::SYS_pivot_root, new.as_ptr(), old.as_ptr()) })?;
    Ok(())
}

/// mknod(2) of a character device that all may read and write.
pub fn make_device(path: &CStr, major: u32, minor: u32) -> io::Result<()> {
    let device = libc::makedev(major, minor);
    // SAFETY: the string ends with zero and outlives the call.
    check(libc::c_long::from(unsafe {
        libc::mknod(path.as_ptr(), libc::S_IFCHR | 0o666, device)
    }))?;
    Ok(())
}

/// symlink(2).
pub fn symlink(target: &CStr, path: &CStr) -> io::Result<()> {
    // SAFETY: both strings end with zero and outlive the call.
    check(libc::c_long::from(unsafe { libc::symlink(target.as_ptr(), path.as_ptr()) }))?;
    Ok(())
}

/// mkdir(2).
pub fn make_directory(path: &CStr, mode: u32) -> io::Result<()> {
    // SAFETY: the string ends with zero and outlives the call.
    check(libc::c_long::from(unsafe { libc::mkdir(path.as_ptr(), mode) }))?;
    Ok(())
}

/// chdir(2).
pub fn change_directory(path: &CStr) -> io::Result<()> {
    // SAFETY: the string ends with zero and outlives the call.
    check(libc::c_long::from(unsafe { libc::chdir(path.as_ptr()) }))?;
    Ok(())
}

/// umask(2), which cannot fail.
pub fn set_umask(mask: u32) {
    // SAFETY: no pointer is passed.
    unsafe { libc::umask(mask) };
}

/// close_range(2) with `CLOSE_RANGE_CLOEXEC`, to the greatest number.
pub fn close_on_exec_from(first: u32) -> io::Result<()> {
    // SAFETY: no pointer is passed; descriptors stay open until an exec.
    check(unsafe {
        libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC)
    })?;
    Ok(())
}
