//! Flags of what is asked about hosts and the fleet that they are.

use super::{Blocking, TableFlags};
use crate::join_token::JoinToken;
use crate::text;
use clap::{Args, Subcommand};
use fleetd_api::{FleetKey, UserRole};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Where the other hosts will reach this one
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    pub advertise: String,
}

#[derive(Debug, Args)]
pub(crate) struct Join {
    /// Address of any host of the fleet
    #[arg(value_name = "ADDRESS[:PORT]")]
    pub at: String,
    /// What `fleetctl token create` printed there; `-` reads it from standard input
    #[arg(long, value_name = "TOKEN|-", value_parser = clap::value_parser!(JoinToken))]
    pub token: JoinToken,
    /// Where the other hosts will reach this one [default: the address by which it reaches them]
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    pub advertise: Option<String>,
    /// Only decide with the others, and run nothing: the third host of a fleet of two
    #[arg(long)]
    pub witness: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Fleet {
    /// Whole ids
    #[arg(short = 'l', long)]
    pub full: bool,
    #[command(subcommand)]
    pub command: Option<FleetCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FleetCommand {
    /// Change a rule of the fleet
    #[command(after_help = "\
Example: fleetctl fleet set hosts-may=view
  hosts-may    what root of a host that is no voter may: view, operate, admin [at first: admin]")]
    Set {
        #[arg(required = true, value_name = "RULE=VALUE", value_parser = Setting::read)]
        settings: Vec<Setting>,
    },
    /// Go on to other keys, while everything runs on
    #[command(after_help = "\
  authority    signs certificates. Hosts renew theirs; those of users and tokens end with it
  gossip       seals what hosts tell each other
  signing      signs what hosts are to run
Every host is waited for: one that does not come back is to be removed first.")]
    RotateKeys(RotateKeys),
}

#[derive(Debug, Args)]
pub(crate) struct RotateKeys {
    /// Which: authority, gossip, signing [default: all of them]
    #[arg(value_name = "KEY", value_parser = read_key)]
    pub keys: Vec<FleetKey>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub blocking: Blocking,
}

fn read_key(text: &str) -> Result<FleetKey, String> {
    match text {
        "authority" => Ok(FleetKey::Authority),
        "gossip" => Ok(FleetKey::Gossip),
        "signing" => Ok(FleetKey::Signing),
        _ => Err("it is `authority`, `gossip` or `signing`".to_owned()),
    }
}

/// A rule and what it is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    HostsMay(UserRole),
}

impl Setting {
    fn read(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some(("hosts-may", "view")) => Ok(Self::HostsMay(UserRole::View)),
            Some(("hosts-may", "operate")) => Ok(Self::HostsMay(UserRole::Operate)),
            Some(("hosts-may", "admin")) => Ok(Self::HostsMay(UserRole::Admin)),
            Some(("hosts-may", _)) => Err("hosts may `view`, `operate` or `admin`".to_owned()),
            _ => Err("it takes hosts-may=view, hosts-may=operate or hosts-may=admin".to_owned()),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// `-` is standard output
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// `-` is standard input
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
    /// On a host that is in no fleet: where the others will reach it
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    pub advertise: Option<String>,
    /// Say only what would be done
    #[arg(long)]
    pub plan: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make one; it is shown this once
    #[command(after_help = "\
Examples:
  fleetctl token create --uses 1                  for one host, within an hour
  fleetctl token create --valid-for 7d > token    the token alone: all else is on standard error")]
    Create {
        /// How long hosts can join with it: 30m, 1h, 7d, or seconds [default: 1h]
        #[arg(long, value_name = "TIME", value_parser = text::parse_seconds)]
        valid_for: Option<u64>,
        /// How many hosts can join with it [default: any number]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        uses: Option<u32>,
    },
    /// Tokens that were made, and what they are still good for
    #[command(visible_alias = "ls")]
    List(TableFlags),
    /// Let no more hosts join with a token; those that have joined stay
    Revoke {
        /// As `fleetctl token list` shows it
        #[arg(value_name = "ID")]
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Machines {
    /// Ids of machines, or their beginnings
    #[arg(required = true, value_name = "MACHINE")]
    pub machines: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Drain {
    /// Ids of machines, or their beginnings
    #[arg(required = true, value_name = "MACHINE")]
    pub machines: Vec<String>,
    #[command(flatten)]
    pub blocking: Blocking,
}

#[derive(Debug, Args)]
pub(crate) struct Rebalance {
    /// Move so many units at most
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub max_moves: u16,
    /// Say only what would be moved
    #[arg(long)]
    pub plan: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Give up waiting for a moved unit after so many half seconds; 0: never
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub block_attempts: u32,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveMachine {
    /// Ids of machines, or their beginnings
    #[arg(required = true, value_name = "MACHINE")]
    pub machines: Vec<String>,
    /// Also those that are alive and have units
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SetMetadata {
    /// Id of a machine, or its beginning
    #[arg(value_name = "MACHINE")]
    pub machine: String,
    /// What it is; without a value the key is taken away
    #[arg(required = true, value_name = "KEY=[VALUE]")]
    pub pairs: Vec<String>,
}
