//! The child's side of a start: turns the fresh process into the container's first one, step by
//! step, and executes the program. The parent's side is [`crate::launch`].
//!
//! This code runs in a copy of the parent, with the host's file system still in sight until
//! [`root::enter`]. Every path of the container is resolved by descriptor, inside its root.

pub(crate) mod console;
mod credentials;
mod devices;
mod inside;
mod masks;
pub mod mounts;
mod old_mount;
pub mod program;
mod root;
mod system;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::error::{Doing, Result};
use crate::hooks;
use crate::launch::{Start, channel};
use crate::plan::devices::Node;
use crate::plan::namespaces;
use crate::spec::Spec;
use crate::spec::linux::NamespaceKind;
use crate::sys::{identity, process};

/// All that the child needs, prepared by its parent.
pub struct Init<'a> {
    pub spec: &'a Spec,
    pub id: &'a str,
    pub bundle: &'a Path,
    /// A detached mount.
    pub root: OwnedFd,
    pub mounts: Vec<mounts::Prepared<'a>>,
    pub joined: Vec<(NamespaceKind, OwnedFd)>,
    /// The container has a new user namespace.
    pub own_user: bool,
    pub unshare_cgroup: bool,
    /// Absolute, in the host.
    pub cgroup: Option<PathBuf>,
    pub nodes: Vec<Node>,
    /// In a user namespace: a detached mount of the host's device for each of `nodes`.
    pub host_nodes: Vec<OwnedFd>,
    /// A detached mount of a verified /dev/null.
    pub null: OwnedFd,
    pub console: Option<BorrowedFd<'a>>,
    pub start: Start,
    pub program: program::Program<'a>,
    pub channel: channel::Child,
}

/// Whether the child waits for hooks that only its parent can run.
pub(crate) fn needs_runtime_hooks(spec: &Spec) -> bool {
    !spec.hooks.prestart.is_empty() || !spec.hooks.create_runtime.is_empty()
}

/// Never comes back: becomes the program, or tells the parent why not and ends.
pub fn run(init: Init<'_>) -> ! {
    match steps(&init) {
        Ok(never) => match never {},
        Err(error) => init.channel.failed(&error),
    }
    process::exit_now(1)
}

/// The recipe.
fn steps(init: &Init<'_>) -> Result<std::convert::Infallible> {
    let Init { spec, channel, program, .. } = init;
    let linux = spec.linux();
    let state = hooks::State::new(spec, init.id, init.bundle);

    program.tie_to_parent()?;
    if init.own_user {
        become_root(channel)?;
    }
    process::setsid().doing("begin a session")?;
    for (kind, namespace) in &init.joined {
        process::setns(namespace.as_fd(), namespaces::flag(*kind))
            .doing(format_args!("join the {} namespace", namespaces::name(*kind)))?;
    }
    if init.unshare_cgroup {
        process::unshare(libc::CLONE_NEWCGROUP).doing("make the cgroup namespace")?;
    }

    let root = init.root.as_fd();
    root::attach(root)?;
    let made = mounts::make(root, init)?;
    system::set_sysctls(&linux.sysctl, &made)?;
    devices::make(root, init)?;
    let terminal = console::open(root, init)?;
    masks::apply(root, linux, &init.null)?;
    made.finish()?;
    inside::make_directory(root, &program.process().cwd)?;

    if needs_runtime_hooks(spec) {
        channel.ask_for_hooks()?;
    }
    channel.wait_for_go()?;
    hooks::run("createContainer", &spec.hooks.create_container, &state.at("creating", 0))?;

    root::finish(root, spec)?;
    root::enter(root)?;
    system::set_names(spec)?;
    program.take_stdio(terminal.as_ref())?;
    program.set_limits()?;
    let executable = program.find()?;

    if let Start::OnConnect(socket) = &init.start {
        program.check_path(&executable)?;
        channel.created()?;
        channel.wait_for_start(socket.as_fd())?;
    }
    hooks::run("startContainer", &spec.hooks.start_container, &state.at("created", 0))?;
    program.run(&executable, Some(channel))
}

/// In a new user namespace the ids are unmapped until the parent has written the maps.
fn become_root(channel: &channel::Child) -> Result<()> {
    channel.wait_for_go()?;
    identity::setresgid(0).doing("become group 0 of the user namespace")?;
    identity::setresuid(0).doing("become user 0 of the user namespace")
}
