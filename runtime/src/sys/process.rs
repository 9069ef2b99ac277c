//! Processes and namespaces.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{check, descriptor, uninterrupted};

const CLONE_PIDFD: u64 = 0x1000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// `struct clone_args` of linux/sched.h.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// A process that [`clone`] made, in its parent.
#[derive(Debug)]
pub struct Child {
    pub pid: i32,
    pub pidfd: OwnedFd,
}

/// A copy of this process in new namespaces (`CLONE_NEW*`), born in `cgroup` if one is given.
/// Answers `None` in the copy.
///
/// The caller has one thread: then the copy may go on as a child of fork(2) may.
pub fn clone(namespaces: i32, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Option<Child>> {
    let mut pidfd: i32 = -1;
    let mut args = CloneArgs {
        flags: u64::from(namespaces.cast_unsigned()) | CLONE_PIDFD,
        pidfd: (&raw mut pidfd).addr() as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = u64::from(cgroup.as_raw_fd().cast_unsigned());
    }
    // SAFETY: without CLONE_VM the copy has memory of its own, and goes on with this stack as after
    // fork(2). The kernel writes the descriptor's number into `pidfd`, which outlives the call.
    let pid =
        check(unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<CloneArgs>()) })?;
    if pid == 0 {
        return Ok(None);
    }
    // SAFETY: the kernel has just made this descriptor for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Some(Child { pid: i32::try_from(pid).map_err(io::Error::other)?, pidfd }))
}

pub fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: no pointer is passed.
    descriptor(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

pub fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: no siginfo is passed.
    check(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    })?;
    Ok(())
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

impl Exit {
    /// The number that a shell reports: the code, or 128 and the signal.
    pub fn number(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

/// Blocks until the child of this process behind `pidfd` ends, and reaps it.
pub fn wait(pidfd: BorrowedFd<'_>) -> io::Result<Exit> {
    // SAFETY: a siginfo_t of zeros is valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    uninterrupted(|| {
        // SAFETY: the kernel fills `info`, which outlives the call.
        check(unsafe {
            libc::waitid(
                libc::P_PIDFD,
                pidfd.as_raw_fd().cast_unsigned(),
                &raw mut info,
                libc::WEXITED | libc::__WALL,
            )
        })
    })?;
    // SAFETY: waitid has filled the fields of a SIGCHLD.
    let status = unsafe { info.si_status() };
    Ok(if info.si_code == libc::CLD_EXITED { Exit::Code(status) } else { Exit::Signal(status) })
}

/// Moves the caller, or its future children for `CLONE_NEWPID` and `CLONE_NEWTIME`, into
/// namespaces: those of a process for a pidfd, or one for a descriptor of `/proc/PID/ns/*`.
pub fn setns(namespace: BorrowedFd<'_>, kinds: i32) -> io::Result<()> {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::setns(namespace.as_raw_fd(), kinds) })?;
    Ok(())
}

pub fn unshare(kinds: i32) -> io::Result<()> {
    // SAFETY: only namespaces are unshared; this process has one thread.
    check(unsafe { libc::unshare(kinds) })?;
    Ok(())
}

pub fn setsid() -> io::Result<()> {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::setsid() })?;
    Ok(())
}

pub fn set_dumpable(dumpable: bool) -> io::Result<()> {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, libc::c_ulong::from(dumpable), 0, 0, 0) })?;
    Ok(())
}

/// The kernel sends `signal` to the caller when its parent ends. Forgotten when ids change.
pub fn set_death_signal(signal: i32) -> io::Result<()> {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal as libc::c_ulong, 0, 0, 0) })?;
    Ok(())
}

/// Makes the caller the parent of its descendants' orphans.
pub fn set_child_subreaper() -> io::Result<()> {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) })?;
    Ok(())
}

pub fn sethostname(name: &str) -> io::Result<()> {
    // SAFETY: the kernel reads as many bytes as the name has.
    check(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) })?;
    Ok(())
}

pub fn setdomainname(name: &str) -> io::Result<()> {
    // SAFETY: the kernel reads as many bytes as the name has.
    check(unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) })?;
    Ok(())
}

/// Sets a limit (`RLIMIT_*`) of the caller.
pub fn setrlimit(kind: u32, soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the limit is only read; pid 0 is the caller; no old value is asked for.
    check(unsafe {
        libc::syscall(
            libc::SYS_prlimit64,
            0,
            kind,
            std::ptr::from_ref(&limit),
            std::ptr::null_mut::<libc::rlimit64>(),
        )
    })?;
    Ok(())
}

pub fn personality(persona: u64) -> io::Result<()> {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::personality(persona) })?;
    Ok(())
}

/// Gives the caller a session keyring of its own with this name (keyctl(2)).
pub fn join_session_keyring(name: &str) -> io::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_long = 1;
    let name = CString::new(name)?;
    // SAFETY: the name is NUL-terminated.
    check(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr()) })?;
    Ok(())
}

/// A program's argument list or environment, as execve(2) wants it.
#[derive(Debug)]
pub struct Strings {
    pointers: Vec<*const libc::c_char>,
    strings: Vec<CString>,
}

impl Strings {
    pub fn new<T: Into<Vec<u8>>>(strings: impl IntoIterator<Item = T>) -> io::Result<Self> {
        let strings: Vec<CString> =
            strings.into_iter().map(CString::new).collect::<Result<_, _>>()?;
        // A CString's text is on the heap: moving the list does not move it.
        let mut pointers: Vec<_> = strings.iter().map(|s| s.as_ptr()).collect();
        pointers.push(std::ptr::null());
        Ok(Self { pointers, strings })
    }

    pub fn first(&self) -> Option<&CStr> {
        self.strings.first().map(CString::as_c_str)
    }
}

/// Becomes another program; returns only to say why not.
pub fn execve(program: &CStr, arguments: &Strings, environment: &Strings) -> io::Error {
    // SAFETY: the path is NUL-terminated; both lists are of NUL-terminated strings that they own and
    // end with a null pointer.
    unsafe {
        libc::execve(program.as_ptr(), arguments.pointers.as_ptr(), environment.pointers.as_ptr());
    }
    io::Error::last_os_error()
}

/// Becomes the program that a descriptor holds; returns only to say why not.
pub fn execveat(program: BorrowedFd<'_>, arguments: &Strings, environment: &Strings) -> io::Error {
    // SAFETY: the empty name is NUL-terminated; the lists are as in `execve`.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            arguments.pointers.as_ptr(),
            environment.pointers.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    io::Error::last_os_error()
}

/// Ends the process without running anything of the library's.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit runs no handler and does not return.
    unsafe { libc::_exit(code) }
}
