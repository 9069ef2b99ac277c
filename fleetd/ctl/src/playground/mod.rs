//! `fleetctl playground`: several hosts on one machine, to try a fleet, to test it and to hurt it.
//!
//! A host is a set of namespaces with netd and fleetd in them, and one cgroup with every process of
//! it. What it has on disk and in /run lies in directories of its own. See `docs/playground.md`.
//!
//! | File | Owns |
//! |---|---|
//! | `cli` | commands and flags |
//! | `plan`, `cuts` | names, places, addresses; who is cut from whom: pure |
//! | `state` | what is remembered between commands, and the lock |
//! | `up`, `fault`, `list`, `exec` | the commands |
//! | `host` | boot and power cut |
//! | `fleet` | makes one fleet of the hosts |
//! | `daemon` | netd and fleetd of a host |
//! | `namespace`, `cgroup`, `process` | what a host is made of |
//! | `netlink`, `link`, `filter` | the switch between hosts, and what it drops |
//! | `sys/` | what needs `unsafe` |

mod cgroup;
pub(crate) mod cli;
mod cuts;
mod daemon;
mod exec;
mod fault;
mod filter;
mod fleet;
mod host;
mod link;
mod list;
mod namespace;
mod netlink;
mod plan;
mod process;
mod state;
mod sys;
mod up;

use crate::failure::Failure;
use cli::Command;
use host::Ground;
use state::{Lock, Playground};

/// Runs a command of the playground; the exit code.
pub(crate) fn run(arguments: &cli::Playground, json: bool) -> Result<u8, Failure> {
    if !rustix::process::geteuid().is_root() {
        let failure = Failure::new("use the playground: it takes root");
        return Err(failure.hint("sudo fleetctl playground ..."));
    }
    if let Command::Hold(flags) = &arguments.command {
        return namespace::hold(flags);
    }
    let ground = Ground { name: arguments.name.clone(), cgroups: cgroup::mount()? };
    let ground = &ground;
    match &arguments.command {
        Command::Up(flags) => up::up(ground, flags, json),
        Command::Down => up::down(ground),
        Command::List(flags) => list::run(ground, flags, json),
        Command::Exec(flags) => exec::run(ground, flags),
        Command::Kill(flags) => change(ground, |p| fault::kill(ground, p, flags)),
        Command::Start(flags) => change(ground, |p| fault::start(ground, p, flags)),
        Command::Pause(flags) => change(ground, |p| fault::freeze(ground, p, flags, true)),
        Command::Resume(flags) => change(ground, |p| fault::freeze(ground, p, flags, false)),
        Command::KillDaemon(flags) => change(ground, |p| fault::kill_daemon(p, flags)),
        Command::StartDaemon(flags) => change(ground, |p| fault::start_daemon(ground, p, flags)),
        Command::Cut(flags) => change(ground, |p| fault::cut(p, flags)),
        Command::Heal { hosts } => change(ground, |p| fault::heal(p, hosts)),
        Command::Wipe(flags) => change(ground, |p| fault::wipe(ground, p, flags)),
        Command::Hold(_) => Ok(0),
    }
}

/// Under the lock; what has changed is remembered also when something went wrong on the way.
fn change(
    ground: &Ground,
    act: impl FnOnce(&mut Playground) -> Result<(), Failure>,
) -> Result<u8, Failure> {
    let _lock = Lock::take(&ground.name, false)?;
    let mut playground = Playground::load(&ground.name)?;
    let done = act(&mut playground);
    let saved = playground.save(&ground.name);
    done.and(saved).map(|()| 0)
}
