//! Starts a program into a cgroup and a mount namespace, from a descriptor.

use std::ffi::{CStr, c_char};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// What the new process is given. Everything the child needs is prepared here, since between
/// clone and exec it may not allocate.
pub struct Spawn<'a> {
    /// Executed by descriptor: `execveat(AT_EMPTY_PATH)`.
    pub program: BorrowedFd<'a>,
    pub arguments: &'a [&'a CStr],
    pub environment: &'a [&'a CStr],
    /// A cgroup2 directory that it begins in (`CLONE_INTO_CGROUP`, Linux 5.7).
    pub cgroup: BorrowedFd<'a>,
    /// A mount namespace that it joins.
    pub mounts: Option<BorrowedFd<'a>>,
    /// Its stdin and stdout, and its stderr.
    pub null: BorrowedFd<'a>,
    pub stderr: BorrowedFd<'a>,
    /// Descriptors that it keeps, under their numbers. All are over 2.
    pub keep: &'a [BorrowedFd<'a>],
}

/// A child of this process.
#[derive(Debug)]
pub struct Child {
    pub pid: i32,
    pub pidfd: OwnedFd,
}

/// clone3(2) and, in the child, setns(2), dup2(2) and execveat(2). Returns when the program has been
/// executed, or with the error of the step that failed.
pub fn spawn(spawn: &Spawn) -> io::Result<Child> {
    let argv = pointers(spawn.arguments);
    let envp = pointers(spawn.environment);
    let (report, sender) = pipe()?;
    let mut pidfd: libc::c_int = -1;
    let flags = libc::CLONE_PIDFD as u64 | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP;
    let args = CloneArgs {
        flags,
        pidfd: std::ptr::from_mut(&mut pidfd) as u64,
        exit_signal: libc::SIGCHLD as u64,
        cgroup: spawn.cgroup.as_raw_fd() as u64,
        ..CloneArgs::default()
    };
    // SAFETY: the structure is as clone3 defines it and lives through the call; without CLONE_VM
    // the child has a copy of this memory, on which it only makes the system calls of `in_child`.
    let pid = unsafe {
        libc::syscall(libc::SYS_clone3, std::ptr::from_ref(&args), size_of::<CloneArgs>())
    };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => in_child(spawn, &argv, &envp, sender.as_raw_fd()),
        pid => {
            drop(sender);
            // SAFETY: the kernel has put a new descriptor there, which nobody else owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            let pid = i32::try_from(pid).map_err(io::Error::other)?;
            match read_errno(&report)? {
                None => Ok(Child { pid, pidfd }),
                Some(errno) => {
                    super::process::reap(&pidfd)?;
                    Err(io::Error::from_raw_os_error(errno))
                }
            }
        }
    }
}

/// Only system calls: another thread may have held the allocator's lock when this was cloned.
fn in_child(spawn: &Spawn, argv: &[*const c_char], envp: &[*const c_char], report: i32) -> ! {
    let fault = child_steps(spawn, argv, envp);
    let errno = fault.to_ne_bytes();
    // SAFETY: the array is valid for its length; _exit does not return nor run anything of ours.
    unsafe {
        libc::write(report, errno.as_ptr().cast(), errno.len());
        libc::_exit(127)
    }
}

/// The error number of the step that failed; does not return when none does.
fn child_steps(spawn: &Spawn, argv: &[*const c_char], envp: &[*const c_char]) -> i32 {
    // SAFETY: plain system calls on descriptors that are open and on memory that lives; errno is
    // the child's own.
    unsafe {
        let none: libc::sigset_t = std::mem::zeroed();
        let failed = |result: libc::c_int| result < 0;
        if failed(libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut())) {
            return *libc::__errno_location();
        }
        if let Some(mounts) = spawn.mounts
            && failed(libc::setns(mounts.as_raw_fd(), libc::CLONE_NEWNS))
        {
            return *libc::__errno_location();
        }
        for (from, to) in [(spawn.null, 0), (spawn.null, 1), (spawn.stderr, 2)] {
            if failed(libc::dup2(from.as_raw_fd(), to)) {
                return *libc::__errno_location();
            }
        }
        for fd in spawn.keep {
            if failed(libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0)) {
                return *libc::__errno_location();
            }
        }
        libc::syscall(
            libc::SYS_execveat,
            spawn.program.as_raw_fd(),
            c"".as_ptr(),
            argv.as_ptr(),
            envp.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
        *libc::__errno_location()
    }
}

fn pointers(strings: &[&CStr]) -> Vec<*const c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?)
}

/// Nothing comes when the program was executed: its end of the pipe is closed by exec.
fn read_errno(report: &OwnedFd) -> io::Result<Option<i32>> {
    let mut bytes = [0; 4];
    loop {
        match nix::unistd::read(report, &mut bytes) {
            Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
            Ok(4) => return Ok(Some(i32::from_ne_bytes(bytes))),
            Ok(_) => return Ok(None),
        }
    }
}

/// `struct clone_args` (clone(2)), up to the field `cgroup` of Linux 5.7.
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

/// linux/sched.h
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
