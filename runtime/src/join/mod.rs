//! Starts one more program inside a running container (`exec`).
//!
//! The new process is the caller's own child, though it lives in the container's namespaces: the
//! caller wears the pid namespace while it clones, and the child joins the others with one setns(2).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use crate::cgroup;
use crate::error::{Doing, Error, Result};
use crate::init::{console, program::Program};
use crate::launch::channel::{self, Report};
use crate::launch::{clone::Wardrobe, identity};
use crate::plan::namespaces;
use crate::spec::linux::NamespaceKind;
use crate::spec::{self, Process, Spec};
use crate::sys::{file, identity as ids, process};

/// The container to join.
pub struct Target<'a> {
    pub id: &'a str,
    /// Its first process.
    pub pid: i32,
    /// The same, held by a descriptor, so that no other process can take its place.
    pub pidfd: BorrowedFd<'a>,
    /// Its `config.json`, for its namespaces and seccomp.
    pub spec: &'a Spec,
    /// Its cgroup, absolute.
    pub cgroup: &'a Path,
}

/// What the program's descriptors are.
pub struct Options<'a> {
    /// Become 0, 1 and 2; `None` keeps the caller's. Not used with `process.terminal`.
    pub stdio: Option<[BorrowedFd<'a>; 3]>,
    /// With `process.terminal`: a connected unix socket that is sent the terminal's master.
    pub console: Option<BorrowedFd<'a>>,
    pub preserve_fds: u32,
    /// The container's session keyring instead of the caller's; made if it has none.
    pub new_keyring: bool,
    /// The kernel sends this to the process when the caller ends.
    pub death_signal: Option<i32>,
}

/// A process in the container; the caller is its parent.
#[derive(Debug)]
pub struct Joined {
    pub pid: i32,
    /// Readable when the process ends.
    pub pidfd: OwnedFd,
    /// What could not be granted, and is no reason to fail: one sentence each.
    pub warnings: Vec<String>,
    channel: channel::Parent,
}

/// Starts `process` in the container. See [`Joined::wait_exec`].
pub fn join(target: &Target<'_>, process: &Process, options: Options<'_>) -> Result<Joined> {
    spec::validate::process(process)?;
    let mut warnings = Vec::new();
    let kinds: Vec<NamespaceKind> =
        target.spec.linux().namespaces.iter().map(|namespace| namespace.kind).collect();
    let in_user_namespace = kinds.contains(&NamespaceKind::User);
    let keyring = options.new_keyring.then(|| format!("_ses.{}", target.id));
    let program = Program::joining(target.spec, process, in_user_namespace, &mut warnings)?
        .with_descriptors(options.stdio, options.preserve_fds, options.death_signal)
        .with_keyring(keyring);
    let cgroup = cgroup::open(target.cgroup)?;
    let (parent, child) = channel::pair()?;
    let joined = kinds
        .iter()
        .filter(|kind| **kind != NamespaceKind::Pid)
        .fold(0, |flags, kind| flags | namespaces::flag(*kind));

    let mut wardrobe = Wardrobe::default();
    if kinds.contains(&NamespaceKind::Pid) {
        wardrobe.wear(NamespaceKind::Pid, target.pidfd)?;
    }
    let cloned = clone_into(target, cgroup.as_fd());
    if let Ok(None) = cloned {
        let entry = Entry { joined, in_user_namespace, console: options.console };
        child_side(&program, target.pidfd, &entry, &child);
    }
    let restored = wardrobe.restore();
    let Some(born) = cloned? else {
        return Err(Error::new("clone the process: the copy came back"));
    };
    drop(child);
    let joined = Joined { pid: born.pid, pidfd: born.pidfd, warnings, channel: parent };
    let result = restored
        .and_then(|()| match process.oom_score_adj {
            Some(score) => identity::write_oom_score(joined.pid, score),
            None => Ok(()),
        })
        .and_then(|()| joined.channel.go());
    match result {
        Ok(()) => Ok(joined),
        Err(error) => Err(joined.give_up(error)),
    }
}

/// A copy of this process in the container's cgroup.
///
/// Software that hands its controllers on to cgroups of its own inside has moved out of the
/// container's: no process may be there any more (cgroups(7), "no internal processes"). The place
/// for another is then where the first one went.
fn clone_into(target: &Target<'_>, cgroup: BorrowedFd<'_>) -> Result<Option<process::Child>> {
    match process::clone(0, Some(cgroup)) {
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
            let inner = cgroup::open_inner(target.cgroup, target.pid)
                .map_err(|fault| refused(&error).hint(fault))?;
            process::clone(0, Some(inner.as_fd())).map_err(|error| refused(&error))
        }
        cloned => cloned.map_err(|error| refused(&error)),
    }
}

fn refused(error: &std::io::Error) -> Error {
    let fault = Error::io("clone a process into the container", error);
    match error.raw_os_error() {
        Some(libc::EBUSY) => fault.hint("its cgroup has cgroups of its own inside"),
        Some(libc::EAGAIN) => fault.hint("its pids limit is reached"),
        _ => fault,
    }
}

impl AsFd for Joined {
    /// Readable when [`Joined::wait_exec`] would not block.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

impl Joined {
    /// Blocks until the program has been exec'd. On an error the process has been reaped.
    pub fn wait_exec(&mut self) -> Result<()> {
        match self.channel.receive() {
            Ok(Report::Closed) => Ok(()),
            Ok(Report::Failed(error)) | Err(error) => Err(self.give_up(error)),
            Ok(_) => Err(self.give_up(Error::new("start the program: it said something else"))),
        }
    }

    /// Ends and reaps the process; hands `error` back.
    pub fn give_up(&self, error: Error) -> Error {
        // It may have ended by itself; it is ours to reap either way.
        let _ = process::pidfd_send_signal(self.pidfd.as_fd(), libc::SIGKILL);
        let _ = process::wait(self.pidfd.as_fd());
        error
    }
}

struct Entry<'a> {
    /// `CLONE_NEW*` bits of the namespaces that the child joins.
    joined: i32,
    in_user_namespace: bool,
    console: Option<BorrowedFd<'a>>,
}

/// Becomes the program, or tells the parent why not and ends.
fn child_side(
    program: &Program<'_>,
    container: BorrowedFd<'_>,
    entry: &Entry<'_>,
    channel: &channel::Child,
) -> ! {
    match steps(program, container, entry, channel) {
        Ok(never) => match never {},
        Err(error) => channel.failed(&error),
    }
    process::exit_now(1)
}

/// The recipe.
fn steps(
    program: &Program<'_>,
    container: BorrowedFd<'_>,
    entry: &Entry<'_>,
    channel: &channel::Child,
) -> Result<std::convert::Infallible> {
    program.tie_to_parent()?;
    channel.wait_for_go()?;
    process::setns(container, entry.joined).doing("join the container's namespaces")?;
    if entry.in_user_namespace {
        ids::setresgid(0).doing("become group 0 of the user namespace")?;
        ids::setresuid(0).doing("become user 0 of the user namespace")?;
    }
    process::setsid().doing("begin a session")?;
    let slave = if program.process().terminal {
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        let root = file::openat(file::here(), Path::new("/"), flags, 0).doing("open the root")?;
        let slave = console::pair(root.as_fd(), program.process(), entry.console)
            .map_err(|error| error.within("open the terminal"))?;
        Some(slave)
    } else {
        None
    };
    program.take_stdio(slave.as_ref())?;
    program.set_limits()?;
    let executable = program.find()?;
    program.run(&executable, Some(channel))
}
