//! What the command line asks for.

mod down;
mod serve;
mod status;

use crate::cli::{Arguments, Command};
use crate::engine::StartError;
use crate::netlink::Refused;
use crate::store::StoreError;
use std::io;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Kernel(#[from] Refused),
    #[error("{what}: {source}")]
    System { what: String, source: io::Error },
    #[error("{0}")]
    Answer(String),
}

/// An error of the operating system, with verb and object.
fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> CommandError {
    let what = what.into();
    move |source| CommandError::System { what, source }
}

pub fn run(arguments: &Arguments) -> Result<(), CommandError> {
    match arguments.command {
        None => serve::run(arguments),
        Some(Command::Status) => status::run(arguments),
        Some(Command::Down) => down::run(arguments),
    }
}

fn socket(arguments: &Arguments) -> std::path::PathBuf {
    arguments.run_dir.join("netd.sock")
}
