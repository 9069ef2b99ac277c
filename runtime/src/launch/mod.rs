//! The parent's side of a start: prepares everything, clones once, and hands back a running (or
//! waiting) container. What the child does is in [`crate::init`].
//!
//! Whatever fails, nothing is left: no process, no cgroup.

pub mod channel;
pub(crate) mod clone;
pub mod identity;
mod namespaces;
mod prepare;

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use channel::Report;

use crate::cgroup::Cgroup;
use crate::error::{Error, Result};
use crate::hooks;
use crate::init;
use crate::plan::limits;
use crate::spec::{self, Spec};
use crate::sys::process;

/// What a start needs beside `config.json`.
pub struct Options<'a> {
    pub id: &'a str,
    /// The bundle's directory, absolute: `root.path` is relative to it.
    pub bundle: &'a Path,
    /// A detached mount (`fsmount`, `open_tree`) that takes the place of `root.path`.
    pub rootfs: Option<OwnedFd>,
    /// Takes the place of the network namespace's `path`.
    pub netns: Option<OwnedFd>,
    /// Detached mounts that take the place of the `source` of the mounts at these destinations.
    pub mount_fds: Vec<(PathBuf, OwnedFd)>,
    /// Become 0, 1 and 2; `None` keeps the caller's. Not used with `process.terminal`.
    pub stdio: Option<[BorrowedFd<'a>; 3]>,
    /// With `process.terminal`: a connected unix socket that is sent the terminal's master.
    pub console: Option<BorrowedFd<'a>>,
    pub start: Start,
    /// The descriptors 3, 4, ... up to this many are passed on to the program.
    pub preserve_fds: u32,
    /// A session keyring of the container's own (keyrings(7)).
    pub new_keyring: bool,
    /// The kernel sends this to the container's first process when the caller ends.
    pub death_signal: Option<i32>,
    /// Take the time of each step, see [`Launched::steps`]. Not every machine can read the clock
    /// without a system call.
    pub timed: bool,
}

/// When the program is executed.
pub enum Start {
    /// As soon as the container stands.
    Now,
    /// When somebody connects to this listening unix socket: `create`, then `start`. The connection
    /// carries [`channel::ACCEPTED`], then the error's text if there is one; its end
    /// says that the program has been exec'd.
    OnConnect(OwnedFd),
}

/// A container whose first process exists. The caller is its parent.
#[derive(Debug)]
pub struct Launched {
    pub pid: i32,
    /// Readable when the process ends.
    pub pidfd: OwnedFd,
    /// Field 22 of `/proc/PID/stat` (clock ticks since boot): with the pid, unique until a reboot.
    pub pid_start: u64,
    pub cgroup: Cgroup,
    /// What could not be granted, and is no reason to fail: one sentence each.
    pub warnings: Vec<String>,
    steps: Steps,
    channel: channel::Parent,
}

/// How long each step took, in order.
#[derive(Debug)]
struct Steps {
    list: Vec<(&'static str, Duration)>,
    /// None: nobody wants to know.
    last: Option<Instant>,
}

impl Steps {
    fn begin(timed: bool) -> Self {
        Self { list: Vec::new(), last: timed.then(Instant::now) }
    }

    /// The step that ends now.
    fn mark(&mut self, name: &'static str) {
        if let Some(last) = &mut self.last {
            let now = Instant::now();
            self.list.push((name, now - *last));
            *last = now;
        }
    }
}

/// Starts a container. On return the first process is at work on its own set-up; see
/// [`Launched::wait_exec`].
pub fn launch(spec: &Spec, options: Options<'_>) -> Result<Launched> {
    let mut steps = Steps::begin(options.timed);

    spec::validate::spec(spec)?;
    let state = hooks::State::new(spec, options.id, options.bundle);
    let (parent, child) = channel::pair()?;
    let mut prepared = prepare::prepare(spec, options, child)?;
    steps.mark("prepare");

    let (early, late) = prepare::split_limits(limits::settings(&prepared.resources)?);
    let cgroup = Cgroup::create(prepared.cgroups_path, prepared.id, &early)?;
    steps.mark("cgroup");

    prepared.init.cgroup = Some(cgroup.path().to_owned());
    let (born, remains) = match clone::clone(prepared, cgroup.directory()) {
        Ok(born) => born,
        Err(error) => {
            let _ = cgroup.destroy();
            return Err(error);
        }
    };
    steps.mark("clone");

    let mut launched = Launched {
        pid: born.pid,
        pidfd: born.pidfd,
        pid_start: 0,
        cgroup,
        steps,
        warnings: remains.warnings,
        channel: parent,
    };
    let result = attend(&mut launched, spec, &remains.device_filter, &late, &state);
    if let Err(error) = result {
        return Err(launched.give_up(error));
    }
    launched.steps.mark("attend");
    Ok(launched)
}

/// What only the parent can do for the child, while the child mounts.
fn attend(
    launched: &mut Launched,
    spec: &Spec,
    device_filter: &[crate::sys::bpf::Instruction],
    late: &[limits::Setting],
    state: &hooks::State,
) -> Result<()> {
    let pid = launched.pid;
    if identity::map(spec, pid)? {
        launched.channel.go()?;
    }
    prepare::forbid_devices(&launched.cgroup, device_filter)?;
    identity::set_oom_score(spec, pid)?;
    launched.pid_start = identity::start_time(pid)?;
    for setting in late {
        launched.cgroup.set(setting)?;
    }
    if init::needs_runtime_hooks(spec) {
        match launched.channel.receive()? {
            Report::Hooks => {}
            Report::Failed(error) => return Err(error),
            _ => return Err(Error::new("start the container: its first process was killed")),
        }
        let state = state.at("creating", pid);
        hooks::run("prestart", &spec.hooks.prestart, &state)?;
        hooks::run("createRuntime", &spec.hooks.create_runtime, &state)?;
    }
    launched.channel.go()
}

impl Launched {
    /// How long each step took so far, in order; nothing without [`Options::timed`].
    pub fn steps(&self) -> &[(&'static str, Duration)] {
        &self.steps.list
    }

    /// Blocks until the container stands and waits for its `start` ([`Start::OnConnect`] only).
    /// On an error the process has been reaped and the cgroup removed.
    pub fn wait_created(&mut self) -> Result<()> {
        self.wait_for(&Report::Created, "init")
    }

    /// Blocks until the program has been exec'd. On an error (the program was not found, a mount was
    /// refused ...) the process has been reaped and the cgroup removed.
    pub fn wait_exec(&mut self) -> Result<()> {
        self.wait_for(&Report::Closed, "init and exec")
    }

    fn wait_for(&mut self, wanted: &Report, step: &'static str) -> Result<()> {
        let error = match self.channel.receive() {
            Ok(report) if report == *wanted => {
                self.steps.mark(step);
                return Ok(());
            }
            Ok(Report::Failed(error)) | Err(error) => error,
            Ok(_) => Error::new(
                "start the container: its first process was killed (is a memory limit too low?)",
            ),
        };
        Err(self.give_up(error))
    }

    /// Ends and reaps the process and removes the cgroup; hands `error` back. What fails on the way
    /// is told with it, since then something is left.
    pub fn give_up(&self, error: Error) -> Error {
        use std::os::fd::AsFd;
        // It may have ended by itself; it is ours to reap either way.
        let _ = process::pidfd_send_signal(self.pidfd.as_fd(), libc::SIGKILL);
        let _ = process::wait(self.pidfd.as_fd());
        match self.cgroup.destroy() {
            Ok(()) => error,
            Err(left) => error.hint(left),
        }
    }
}
