//! Who a process is: user, groups, and what it may never become again.

use std::io;

use super::check;

pub fn geteuid() -> u32 {
    // SAFETY: geteuid cannot fail and passes no pointer.
    unsafe { libc::geteuid() }
}

/// Sets the real, effective and saved user id.
pub fn setresuid(uid: u32) -> io::Result<()> {
    // SAFETY: no pointer is passed. The call of the kernel itself: this process has one thread.
    check(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) })?;
    Ok(())
}

/// Sets the real, effective and saved group id.
pub fn setresgid(gid: u32) -> io::Result<()> {
    // SAFETY: as in `setresuid`.
    check(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) })?;
    Ok(())
}

/// Sets the supplementary groups.
pub fn setgroups(groups: &[u32]) -> io::Result<()> {
    // SAFETY: the kernel reads as many ids as the list has.
    check(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) })?;
    Ok(())
}

/// The permitted capabilities survive the next change of the user id.
pub fn keep_capabilities() -> io::Result<()> {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) })?;
    Ok(())
}

pub fn set_no_new_privileges() -> io::Result<()> {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    Ok(())
}

/// Loads a seccomp filter with `SECCOMP_FILTER_FLAG_*`.
pub fn load_seccomp(filter: &[libc::sock_filter], flags: u64) -> io::Result<()> {
    const SECCOMP_SET_MODE_FILTER: libc::c_uint = 1;
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(io::Error::other)?,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel copies `len` instructions from `filter` and does not write to them.
    check(unsafe {
        libc::syscall(libc::SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &raw const program)
    })?;
    Ok(())
}
