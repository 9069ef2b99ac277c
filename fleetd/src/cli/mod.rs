//! The commands of fleetd. Exit codes are decided here and nowhere else.

mod daemon;
pub(crate) mod group;
mod keep_cgroup;
mod lock;
mod starting;

use crate::agent::cgroup::Cgroups;
use crate::agent::place::Place;
use crate::sentence::cause;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The fleet daemon of one host: starts containers from unit files and keeps them running.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    daemon: Daemon,
}

#[derive(Subcommand)]
enum Command {
    /// Hold the containers' cgroup: the one process of flotilla-workloads.service
    KeepCgroup {
        /// The delegated cgroup, from the cgroup2 mount; without it, the one that this runs in
        path: Option<String>,
    },
    /// Stop every container of this fleetd and remove every trace of its runs
    Down {
        #[command(flatten)]
        where_: Where,
    },
}

#[derive(Args)]
struct Where {
    /// Sockets, and what is void after a reboot
    #[arg(long, default_value = "/run/flotilla")]
    run_dir: PathBuf,
    /// Database, images, writable layers, logs
    #[arg(long, default_value = "/var/lib/flotilla")]
    state_dir: PathBuf,
    /// The cgroup of all runs, from the cgroup2 mount
    #[arg(long, default_value = "flotilla")]
    cgroup_parent: String,
    /// Where netd listens
    #[arg(long, default_value = netd_api::DEFAULT_SOCKET)]
    netd_socket: PathBuf,
}

impl Where {
    fn place(&self) -> Result<Place, String> {
        let absolute = |path: &PathBuf| {
            std::path::absolute(path).map_err(|e| format!("find {}: {}", path.display(), cause(&e)))
        };
        Ok(Place { run_dir: absolute(&self.run_dir)?, state_dir: absolute(&self.state_dir)? })
    }
}

#[derive(Args)]
struct Daemon {
    #[command(flatten)]
    where_: Where,
    /// ocirun; without it, the one beside this program
    #[arg(long)]
    runtime: Option<PathBuf>,
    /// Start units whose limits cgroup2 cannot enforce here, and say so in their status
    #[arg(long)]
    allow_unenforced_limits: bool,
}

pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // What openraft warns of is its daily work; what of it matters, consensus/ says.
    let targets =
        Targets::new().with_default(LevelFilter::INFO).with_target("openraft", LevelFilter::ERROR);
    // A line that cannot be written is lost: told of on the same full disk, it would end who says it.
    let lines = tracing_subscriber::fmt::layer()
        .log_internal_errors(false)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(false);
    tracing_subscriber::registry().with(lines.with_filter(targets)).init();
    let result = match arguments.command {
        None => daemon::run(&arguments.daemon),
        Some(Command::KeepCgroup { path }) => keep_cgroup::run(path.as_deref()),
        Some(Command::Down { where_ }) => down(&where_),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fleetd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn down(where_: &Where) -> Result<(), String> {
    let place = where_.place()?;
    let _lock = lock::lock(&place)?;
    let cgroups = Cgroups::find(&where_.cgroup_parent)?;
    let boot_id = crate::host::boot_id()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| format!("start: {}", cause(&e)))?;
    let work = crate::agent::down::down(&place, &cgroups, &where_.netd_socket, &boot_id);
    let errors = runtime.block_on(work);
    if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
}
