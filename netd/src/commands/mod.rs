//! What the command line asks for.

mod diff;
mod down;
mod serve;
mod status;

use crate::cli::{Arguments, Command};
use crate::engine::StartError;
use crate::netlink::Refused;
use crate::store::StoreError;
use netd_api::{Call, Reply, Request};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

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
        Some(Command::Diff) => diff::run(arguments),
        Some(Command::Down) => down::run(arguments),
    }
}

fn socket(arguments: &Arguments) -> std::path::PathBuf {
    arguments.run_dir.join("netd.sock")
}

fn connect(arguments: &Arguments) -> Result<UnixStream, CommandError> {
    let path = socket(arguments);
    UnixStream::connect(&path)
        .map_err(system(format!("connect to {} (is netd running?)", path.display())))
}

fn ask(mut stream: &UnixStream, call: Call) -> Result<Reply, CommandError> {
    let failed = |e: serde_json::Error| CommandError::Answer(format!("read netd's answer: {e}"));
    let mut line = serde_json::to_vec(&Request::from(call)).map_err(failed)?;
    line.push(b'\n');
    stream.write_all(&line).map_err(system("ask netd"))?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).map_err(system("read netd's answer"))?;
    match serde_json::from_str(&answer).map_err(failed)? {
        Reply::Failed(failure) => Err(CommandError::Answer(failure.to_string())),
        reply => Ok(reply),
    }
}
