//! What the supervisor does to its own process: where it is, what it listens to, what it leaves.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

use crate::cgroup::location;
use crate::error::{Doing, Error, Result};
use crate::sys::signal::SignalSet;
use crate::sys::{descriptor, file, process, signal};

/// What `ps` shows: after an exec by descriptor it would be a number.
const NAME: &str = "ocirun";

const OOM_SCORE: &str = "/proc/self/oom_score_adj";

/// Low enough that others are killed for memory first.
const OOM_PROTECTED: i32 = -900;

/// Goes to the directory of this run, which nobody else may look into.
pub(super) fn enter_run_dir(run_dir: &Path) -> Result<()> {
    let name = run_dir.display();
    std::env::set_current_dir(run_dir).doing(format_args!("enter {name}"))?;
    let mode = std::fs::metadata(".").doing(format_args!("stat {name}"))?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::new(format_args!(
            "enter {name}: others may enter it (mode {mode:04o})"
        ))
        .hint("chmod 0700"));
    }
    Ok(())
}

/// A session of its own: the signals of a terminal do not reach it. A process that leads a group
/// already, started from a shell by hand, stays where it is.
pub(super) fn leave_terminal() {
    let _ = process::setsid();
}

/// Shows its name. Nothing depends on it.
pub(super) fn show_name() {
    let _ = std::fs::write("/proc/self/comm", NAME);
}

/// Makes the cgroup, relative to the cgroup2 mount, and moves there.
pub(super) fn join_cgroup(path: &Path) -> Result<()> {
    let doing = format!("join the cgroup {}", path.display());
    let plain = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::RootDir);
    if !path.components().all(plain) {
        return Err(Error::new(format_args!("{doing}: the path must be without . and ..")));
    }
    let path = path.strip_prefix("/").unwrap_or(path);
    let there = std::fs::read_to_string("/proc/self/cgroup").doing("read /proc/self/cgroup")?;
    let mine = there.lines().find_map(|line| line.strip_prefix("0::/"));
    if mine.is_some_and(|mine| Path::new(mine) == path) {
        return Ok(());
    }
    let (_, mount) = location::mount()?;
    let directory = mount.join(path);
    std::fs::create_dir_all(&directory).doing(&doing)?;
    std::fs::write(directory.join("cgroup.procs"), "0").doing(&doing)
}

/// The signals that this process takes as events instead of ending.
pub(super) fn take_signals() -> Result<OwnedFd> {
    let taken = SignalSet::of(&[libc::SIGTERM, libc::SIGINT, libc::SIGHUP]);
    signal::set_blocked(&taken).and_then(|_| signal::signalfd(&taken)).doing("take signals")
}

/// Lowers the own oom score where the kernel lets us (CAP_SYS_RESOURCE); the answer is the one from
/// before, for those that must not inherit the lower one.
pub(super) fn protect_from_oom() -> Option<i32> {
    let before = std::fs::read_to_string(OOM_SCORE).ok()?.trim().parse().ok()?;
    if before > OOM_PROTECTED && std::fs::write(OOM_SCORE, OOM_PROTECTED.to_string()).is_ok() {
        return Some(before);
    }
    None
}

/// An input at its end.
pub(super) fn no_input() -> io::Result<OwnedFd> {
    Ok(File::open("/dev/null")?.into())
}

/// Keeps nothing of the caller's open: it may wait for the end of what it gave as stdout.
pub(super) fn let_go_of_stdio() {
    let Ok(null) = File::options().read(true).write(true).open("/dev/null") else { return };
    for number in 0..=2 {
        let _ = file::dup2(null.as_fd(), number);
    }
}

/// Closes what the caller has left open and did not name.
pub(super) fn close_all_but(kept: &[i32]) -> Result<()> {
    let mut kept: Vec<u32> = kept.iter().filter_map(|&number| u32::try_from(number).ok()).collect();
    kept.retain(|&number| number > 2);
    kept.sort_unstable();
    let mut first = 3;
    for number in kept {
        if number > first {
            descriptor::close_range(first, number - 1).doing("close inherited descriptors")?;
        }
        first = number + 1;
    }
    descriptor::close_range(first, u32::MAX).doing("close inherited descriptors")
}
