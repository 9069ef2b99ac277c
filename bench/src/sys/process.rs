//! A process: born, made small, replaced, waited for.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use super::check;

/// clone3(2) as fork, into a cgroup and new namespaces (`CLONE_NEW*`). Returns the child's pidfd to the parent,
/// nothing to the child. The caller has one thread.
pub fn clone_into(cgroup: BorrowedFd<'_>, namespaces: i32) -> io::Result<Option<OwnedFd>> {
    let mut pidfd: libc::c_int = -1;
    // SAFETY: the structure is plain numbers, and zero means absent for each.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = namespaces as u64 | libc::CLONE_PIDFD as u64 | CLONE_INTO_CGROUP;
    arguments.exit_signal = libc::SIGCHLD as u64;
    arguments.pidfd = (&raw mut pidfd).addr() as u64;
    arguments.cgroup = cgroup.as_raw_fd() as u64;
    // SAFETY: without CLONE_VM the child has its own copy of all memory, and this process has one thread, so
    // that nothing in the child waits for another. The kernel writes the descriptor to `pidfd`.
    let pid = check(unsafe {
        libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<libc::clone_args>())
    })?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows its number.
    Ok((pid != 0).then(|| unsafe { OwnedFd::from_raw_fd(pidfd) }))
}

/// linux/sched.h; libc has it in a type too small.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// waitid(2) for the end of a child. Returns its exit code, or 128 and the signal.
pub fn wait(pidfd: BorrowedFd<'_>) -> io::Result<i32> {
    // SAFETY: the structure is plain numbers, for which zero is a value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let pidfd = pidfd.as_raw_fd().cast_unsigned();
    // SAFETY: `info` is as large as the kernel expects and outlives the call.
    check(libc::c_long::from(unsafe {
        libc::waitid(libc::P_PIDFD, pidfd, &raw mut info, libc::WEXITED)
    }))?;
    // SAFETY: after a wait for WEXITED the fields of SIGCHLD are the filled ones.
    let status = unsafe { info.si_status() };
    Ok(if info.si_code == libc::CLD_EXITED { status } else { 128 + status })
}

/// unshare(2).
pub fn unshare(namespaces: i32) -> io::Result<()> {
    // SAFETY: no pointer is passed.
    check(libc::c_long::from(unsafe { libc::unshare(namespaces) }))?;
    Ok(())
}

/// sethostname(2).
pub fn set_host_name(name: &str) -> io::Result<()> {
    // SAFETY: the kernel reads `len` bytes, which are there.
    check(libc::c_long::from(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) }))?;
    Ok(())
}

/// setsid(2).
pub fn new_session() -> io::Result<()> {
    // SAFETY: no pointer is passed.
    check(libc::c_long::from(unsafe { libc::setsid() }))?;
    Ok(())
}

/// prlimit(2) of the caller's `RLIMIT_NOFILE`.
pub fn limit_open_files(most: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: `limit` outlives the call, which only reads it.
    check(libc::c_long::from(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }))?;
    Ok(())
}

/// prctl(2), `PR_CAPBSET_DROP`. An error for a number that the kernel does not know.
pub fn drop_bounding_capability(number: u32) -> io::Result<()> {
    // SAFETY: no pointer is passed.
    check(libc::c_long::from(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, number, 0, 0, 0) }))?;
    Ok(())
}

/// prctl(2), `PR_SET_NO_NEW_PRIVS`.
pub fn set_no_new_privileges() -> io::Result<()> {
    // SAFETY: no pointer is passed.
    check(libc::c_long::from(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }))?;
    Ok(())
}

/// setgroups(2) to none, setresgid(2) and setresuid(2) to 0. The raw calls: the C library's would look for threads.
pub fn become_root() -> io::Result<()> {
    // SAFETY: a count of 0 lets the kernel read nothing behind the pointer.
    check(unsafe { libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()) })?;
    // SAFETY: no pointer is passed.
    check(unsafe { libc::syscall(libc::SYS_setresgid, 0, 0, 0) })?;
    // SAFETY: no pointer is passed.
    check(unsafe { libc::syscall(libc::SYS_setresuid, 0, 0, 0) })?;
    Ok(())
}

/// capset(2): the caller's effective and permitted set, as a mask; inheritable none.
pub fn set_capabilities(mask: u64) -> io::Result<()> {
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0];
    let (low, high) = (mask as u32, (mask >> 32) as u32);
    let data = [low, low, 0, high, high, 0];
    // SAFETY: header and data have the layout of version 3: two words; three words twice.
    check(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) })?;
    Ok(())
}

/// seccomp(2), `SECCOMP_SET_MODE_FILTER` without flags. The filter is whole `sock_filter`s as bytes.
pub fn load_filter(filter: &[u8]) -> io::Result<()> {
    let length = filter.len() / size_of::<libc::sock_filter>();
    let program = libc::sock_fprog {
        len: u16::try_from(length).map_err(io::Error::other)?,
        filter: filter.as_ptr().cast_mut().cast(),
    };
    // SAFETY: the kernel copies `len` instructions, of any alignment, and does not write to them.
    check(unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program)
    })?;
    Ok(())
}

/// execve(2) with the program's path as its only argument and an empty environment. Returns only the error.
pub fn execute(program: &CStr) -> io::Error {
    let arguments = [program.as_ptr(), std::ptr::null()];
    let environment = [std::ptr::null()];
    // SAFETY: both arrays end with null and, with the strings, outlive the call.
    unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// _exit(2).
pub fn exit(code: i32) -> ! {
    // SAFETY: no pointer is passed; nothing of the parent's that is buffered here is written twice.
    unsafe { libc::_exit(code) }
}

/// getrusage(2): user and system time of all children that were waited for, and theirs.
pub fn children_cpu_time() -> io::Result<Duration> {
    // SAFETY: the structure is plain numbers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is as large as the kernel expects and outlives the call.
    check(libc::c_long::from(unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) }))?;
    let duration = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    Ok(duration(usage.ru_utime) + duration(usage.ru_stime))
}
