//! The commands that have to do with images.

use super::TableFlags;
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Image {
    /// Take an image from a directory or an archive
    #[command(after_help = "\
Examples:
  fleetctl image import ./rootfs web      a directory becomes the one layer of web
  fleetctl image import web.tar web       so does a tar of one
  fleetctl image import ./layout          an OCI layout, or its tar, or `docker save`'s")]
    Import {
        /// Directory with a root file system or an OCI layout; or a tar of one, or docker-archive
        path: PathBuf,
        /// Name of the image [default: what the archive says, else the directory's name]
        name: Option<String>,
    },
    /// Fetch an image from its registry
    Pull {
        reference: String,
        /// Plain HTTP, to a registry on this host only
        #[arg(long)]
        insecure: bool,
        /// User at the registry; the password is typed, or read from standard input
        #[arg(long)]
        username: Option<String>,
    },
    /// Images that are here
    #[command(visible_alias = "ls")]
    List(TableFlags),
    /// Forget images
    Rm {
        #[arg(required = true, value_name = "IMAGE")]
        images: Vec<String>,
    },
}
