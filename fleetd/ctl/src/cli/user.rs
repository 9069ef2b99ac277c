//! Flags of what is asked about users with certificates.

use super::TableFlags;
use clap::{Subcommand, ValueEnum};
use fleetd_api::UserRole;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Make a user, and write the one file that it needs
    #[command(after_help = "\
Examples:
  fleetctl user add anna --role operate                    writes anna.user
  fleetctl --fleet anna.user list-units                    anna, from wherever she is
  fleetctl user add ci --role operate --days 1 --out ci    for a machine
The key is made here and goes nowhere else; hand the file over as you would a password.")]
    Add {
        #[arg(value_name = "NAME")]
        name: String,
        /// What it may do
        #[arg(long, value_enum)]
        role: Role,
        /// How long its certificate is valid; it renews it itself before that [default: 30]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=365))]
        days: Option<u64>,
        /// Where to write the file [default: NAME.user]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Users, and until when they get in
    #[command(visible_alias = "ls")]
    List(TableFlags),
    /// Let a user in no more, on any host
    Revoke {
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Get the next certificate into the file that --fleet names
    Renew,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Look: units, logs, images, machines, events; no unit files
    View,
    /// Also read unit files, and start, stop, scale and restart what is there
    Operate,
    /// Everything
    Admin,
}

impl From<Role> for UserRole {
    fn from(role: Role) -> Self {
        match role {
            Role::View => Self::View,
            Role::Operate => Self::Operate,
            Role::Admin => Self::Admin,
        }
    }
}
