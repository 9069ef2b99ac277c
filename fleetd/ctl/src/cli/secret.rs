//! Flags of what is asked about secrets.

use super::TableFlags;
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Secret {
    /// Make a secret, or give it another value
    #[command(after_help = "\
Examples:
  fleetctl secret set db-password                    asks for it, and does not show it
  fleetctl secret set tls.key /etc/ssl/web.key       what is in the file, byte by byte
  pass show db | fleetctl secret set db-password -   what comes in, with the newline at its end
A unit names it: LoadCredential=db-password in [Service], and its program reads
$CREDENTIALS_DIRECTORY/db-password. What runs goes on with the earlier value until it is restarted.
No command shows a value.")]
    Set {
        #[arg(value_name = "NAME")]
        name: String,
        /// Where its value is read [default: standard input, as with -]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Secrets, and the units that name them
    #[command(visible_alias = "ls")]
    List(TableFlags),
    /// Remove secrets; what runs keeps what it has read
    #[command(visible_alias = "rm")]
    Remove {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Also those that units name, which then do not start again
        #[arg(long)]
        force: bool,
    },
}
