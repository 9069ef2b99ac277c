//! Commands and flags of `fleetctl playground`.

use super::plan::{Host, MOST_HOSTS, Name};
use crate::cli::TableFlags;
use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Playground {
    /// Which playground: several may be there
    #[arg(long, global = true, value_name = "NAME", default_value = "default")]
    pub name: Name,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the hosts, start netd and fleetd on each, and form the fleet
    Up(Up),
    /// Hosts and how they are
    #[command(visible_alias = "ls")]
    List(TableFlags),
    /// Cut the power: every process ends at once, the disk stays
    Kill(Hosts),
    /// Boot hosts again that were killed
    Start(Hosts),
    /// Stop every process, as a machine that hangs
    Pause(Hosts),
    /// Let paused hosts go on
    Resume(Hosts),
    /// Kill the daemons of a host with SIGKILL; its containers go on
    KillDaemon(Daemons),
    /// Start daemons of a host that were killed
    StartDaemon(Daemons),
    /// Let no packet pass between hosts and the others
    #[command(after_help = "\
Examples:
  fleetctl playground cut h2                 from every other host
  fleetctl playground cut h2 --from h1       from that one only
  fleetctl playground cut h2 --one-way       what h2 sends is lost; it still hears the others")]
    Cut(Cut),
    /// Undo cuts
    Heal {
        /// Names of hosts; none: all
        #[arg(value_name = "HOST")]
        hosts: Vec<Host>,
    },
    /// Run a program on a host
    #[command(after_help = "\
Example: fleetctl playground exec h1 -- ip address
It runs in the host's namespaces and dies with the host. The exit code is the program's.")]
    Exec(Exec),
    /// Remove the state of killed hosts, as a replaced disk
    Wipe(Hosts),
    /// End everything and remove every trace
    Down,
    /// Hold the namespaces of one host: what `up` and `start` run
    #[command(hide = true)]
    Hold(Hold),
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// How many hosts: h1, h2, ...
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=i64::from(MOST_HOSTS)))]
    pub hosts: u8,
    /// Leave every host a fleet of its own
    #[arg(long)]
    pub separate: bool,
    /// Where netd, fleetd and ocirun are [default: beside fleetctl]
    #[arg(long, value_name = "DIR")]
    pub programs: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Hosts {
    /// Names of hosts
    #[arg(required = true, value_name = "HOST")]
    pub hosts: Vec<Host>,
}

#[derive(Debug, Args)]
pub(crate) struct Daemons {
    #[arg(value_name = "HOST")]
    pub host: Host,
    /// Which; none: both
    #[arg(value_name = "DAEMON")]
    pub daemon: Option<Daemon>,
}

impl Daemons {
    /// Those that are meant, in the order in which they start.
    pub(super) fn chosen(&self) -> Vec<Daemon> {
        self.daemon.map_or_else(|| Daemon::ALL.to_vec(), |daemon| vec![daemon])
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Daemon {
    Netd,
    Fleetd,
}

impl Daemon {
    pub(super) const ALL: [Self; 2] = [Self::Netd, Self::Fleetd];
}

impl fmt::Display for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Netd => "netd",
            Self::Fleetd => "fleetd",
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Cut {
    /// Names of hosts
    #[arg(required = true, value_name = "HOST")]
    pub hosts: Vec<Host>,
    /// Only from this host; repeatable
    #[arg(long, value_name = "HOST")]
    pub from: Vec<Host>,
    /// Only what the named hosts send is lost
    #[arg(long)]
    pub one_way: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Exec {
    #[arg(value_name = "HOST")]
    pub host: Host,
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Hold {
    /// The host's name
    pub hostname: String,
    /// A file with the boot id that the host's processes see; without it, a network namespace is
    /// all that is made
    #[arg(long)]
    pub boot_id: Option<PathBuf>,
}
