//! Starts a program into a cgroup and a mount namespace, from a descriptor.

use super::borrow::{self, CloneArgs};
use std::ffi::{CStr, c_char, c_void};
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
    let (argv, envp) = (pointers(spawn.arguments), pointers(spawn.environment));
    let mut work = Work { spawn, argv: &argv, envp: &envp, fault: 0 };
    let mut pidfd: libc::c_int = -1;
    let args = CloneArgs {
        flags: libc::CLONE_PIDFD as u64 | CLONE_INTO_CGROUP,
        pidfd: std::ptr::from_mut(&mut pidfd) as u64,
        exit_signal: libc::SIGCHLD as u64,
        cgroup: spawn.cgroup.as_raw_fd() as u64,
        ..CloneArgs::default()
    };
    // SAFETY: `in_child` makes system calls and writes to `work`, which outlives the call and is used by nobody else
    // meanwhile; the kernel writes the descriptor to `pidfd`, which lives as long.
    let pid = unsafe { borrow::clone_borrowing(args, in_child, (&raw mut work).cast()) }?;
    // SAFETY: the kernel has put a new descriptor there, which nobody else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    match work.fault {
        0 => Ok(Child { pid, pidfd }),
        errno => {
            super::process::reap(&pidfd)?;
            Err(io::Error::from_raw_os_error(errno))
        }
    }
}

/// What the child has of its parent.
struct Work<'a> {
    spawn: &'a Spawn<'a>,
    argv: &'a [*const c_char],
    envp: &'a [*const c_char],
    /// The error number of the step that failed.
    fault: i32,
}

/// Only system calls: another thread may hold the allocator's lock.
unsafe extern "C" fn in_child(work: *mut c_void) -> ! {
    // SAFETY: `spawn` gives one that lives, and waits; _exit does not return nor run anything of ours.
    unsafe {
        let work = &mut *work.cast::<Work>();
        work.fault = child_steps(work.spawn, work.argv, work.envp);
        libc::_exit(127)
    }
}

/// The error number of the step that failed; does not return when none does.
fn child_steps(spawn: &Spawn, argv: &[*const c_char], envp: &[*const c_char]) -> i32 {
    // SAFETY: plain system calls on descriptors that are open and on memory that lives; errno is that of the
    // thread that waits for the child.
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

/// linux/sched.h
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
