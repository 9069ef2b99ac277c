//! Processes: their ends, their parents, their sessions.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.cast_signed())
}

pub(crate) fn appending(path: &Path) -> io::Result<File> {
    File::options().append(true).open(path)
}

/// The child will lead a session and a group of its own, without a terminal.
pub(crate) fn in_new_session(command: &mut Command) {
    let detach = || nix::unistd::setsid().map(drop).map_err(io::Error::from);
    // SAFETY: between fork and exec `detach` makes one system call and allocates nothing.
    unsafe { command.pre_exec(detach) };
}

/// The child is killed when the thread that started it ends.
pub(crate) fn dies_with_parent(command: &mut Command) {
    let bind = || nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from);
    // SAFETY: between fork and exec `bind` makes one system call and allocates nothing.
    unsafe { command.pre_exec(bind) };
}

/// pidfd_open(2).
pub(crate) fn pidfd(id: u32) -> io::Result<OwnedFd> {
    // SAFETY: takes two integers, returns a new descriptor or -1.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid(id).as_raw(), 0) };
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether a child ends within a time; it is not reaped.
pub(crate) fn ends_within(id: u32, time: Duration) -> io::Result<bool> {
    readable_within(&pidfd(id)?, time)
}

pub(crate) fn readable_within(fd: &impl AsFd, time: Duration) -> io::Result<bool> {
    let begin = std::time::Instant::now();
    loop {
        let left = time.saturating_sub(begin.elapsed());
        let millis = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
        let timeout = PollTimeout::try_from(millis).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLIN)], timeout) {
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
            Ok(count) => return Ok(count > 0),
        }
    }
}

/// Lets time pass where the kernel offers no event to wait for.
pub(crate) fn pause(time: Duration) {
    let millis = u16::try_from(time.as_millis()).unwrap_or(u16::MAX);
    // An interruption only makes the pause shorter.
    let _ = poll(&mut [], millis);
}

pub(crate) fn kill_group(leader: u32) {
    // A group that is gone already is what is wanted.
    let _ = killpg(pid(leader), Signal::SIGKILL);
}

pub(crate) fn kill(id: u32) {
    let _ = nix::sys::signal::kill(pid(id), Signal::SIGKILL);
}

/// The children of a process that still run.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|&pid| stat(pid).is_some_and(|(state, of)| state != 'Z' && of == parent)).collect()
}

/// Whether a process was started, directly or not, below the parent of this one.
pub(crate) fn descends_from_parent(id: u32) -> bool {
    let root = std::os::unix::process::parent_id();
    let mut id = id;
    while id > 1 {
        if id == root {
            return true;
        }
        let Some((_, parent)) = stat(id) else { return false };
        id = parent;
    }
    root == 1
}

/// The state and the parent of a process, from `/proc/PID/stat` (proc(5)).
fn stat(pid: u32) -> Option<(char, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program in brackets may hold anything, brackets too.
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}
