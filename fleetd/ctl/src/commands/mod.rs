//! A file a command, or a few that differ by a word.

mod backup;
mod cat;
mod change;
mod completion;
mod confirm;
mod drain;
mod exec;
mod fleet;
mod follow;
mod image;
mod list_machines;
mod list_unit_files;
mod list_units;
mod logs;
mod machine;
mod poll;
mod recover;
mod remove_machine;
mod report;
mod scale;
mod status;
mod stop;
mod submit;
mod token;
mod version;
mod why;

use crate::cli::{Arguments, Command, Common};
use crate::client::{self, Client};
use crate::failure::Failure;
use crate::wait::Goal;
use confirm::confirm;
use fleetd_api::{DesiredState, Fleet, Machine, Unit};
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;

/// What every command has: the daemon, and how to print.
pub(crate) struct Context {
    pub client: Client,
    pub json: bool,
}

/// Runs the command; the exit code, or why it failed.
pub(crate) async fn run(arguments: Arguments) -> Result<u8, Failure> {
    let socket = socket(&arguments.common)?;
    let context = Context { client: Client::new(socket), json: arguments.common.json };
    match arguments.command {
        Command::Submit(flags) => submit::run(&context, &flags).await,
        Command::Load(flags) => change::run(&context, &flags, DesiredState::Loaded).await,
        Command::Start(flags) => change::run(&context, &flags, DesiredState::Launched).await,
        Command::Stop(flags) => stop::run(&context, &flags, Goal::Stopped).await,
        Command::Unload(flags) => stop::run(&context, &flags, Goal::Unloaded).await,
        Command::Destroy(flags) => stop::run(&context, &flags, Goal::Destroyed).await,
        Command::Restart(flags) => {
            stop::run(&context, &flags, Goal::Restarted { old_pid: None }).await
        }
        Command::Status(flags) => status::run(&context, &flags).await,
        Command::Cat(flags) => cat::run(&context, &flags).await,
        Command::ListUnits(flags) => list_units::run(&context, &flags).await,
        Command::ListUnitFiles(flags) => list_unit_files::run(&context, &flags).await,
        Command::ListMachines(flags) => list_machines::run(&context, &flags).await,
        Command::Scale(flags) => scale::run(&context, &flags).await,
        Command::Why(flags) => why::run(&context, &flags).await,
        Command::Cordon(flags) => machine::cordon(&context, &flags, true).await,
        Command::Uncordon(flags) => machine::cordon(&context, &flags, false).await,
        Command::Drain(flags) => drain::run(&context, &flags).await,
        Command::Undrain(flags) => machine::undrain(&context, &flags).await,
        Command::RemoveMachine(flags) => remove_machine::run(&context, &flags).await,
        Command::SetMetadata(flags) => machine::set_metadata(&context, &flags).await,
        Command::Logs(flags) => logs::run(&context, &flags).await,
        Command::Exec(flags) => exec::run(&context, &flags).await,
        Command::Image(command) => image::run(&context, &command).await,
        Command::Init(flags) => fleet::init(&context, &flags).await,
        Command::Join(flags) => fleet::join(&context, &flags).await,
        Command::Fleet(flags) => fleet::show(&context, &flags).await,
        Command::Recover(flags) => recover::run(&context, &flags).await,
        Command::Backup(flags) => backup::backup(&context, &flags).await,
        Command::Restore(flags) => backup::restore(&context, &flags).await,
        Command::Token(command) => token::run(&context, &command).await,
        Command::Playground(flags) => crate::playground::run(&flags, context.json),
        Command::Version => version::run(&context).await,
        Command::Completion { shell } => completion::run(shell),
    }
}

fn socket(common: &Common) -> Result<PathBuf, Failure> {
    let named = common.socket.as_str();
    match named.strip_prefix("unix://") {
        Some(path) => Ok(path.into()),
        None if named.contains("://") => {
            Err(Failure::new(format!("connect {named}: only unix:///PATH is there yet")))
        }
        None => Ok(named.into()),
    }
}

impl Context {
    /// Every submitted unit, without its text.
    pub(crate) async fn units(&self) -> Result<Vec<Unit>, Failure> {
        self.client.get("/v1/units").await
    }

    /// One unit with its text.
    pub(crate) async fn unit(&self, name: &str) -> Result<Option<Unit>, Failure> {
        self.client.find(&unit_path(name)).await
    }

    /// How the host that answers is in its fleet.
    pub(crate) async fn fleet(&self) -> Result<Fleet, Failure> {
        self.client.get("/v1/fleet").await
    }

    pub(crate) async fn machines(&self) -> Result<Vec<Machine>, Failure> {
        self.client.get("/v1/machines").await
    }
}

pub(crate) fn unit_path(name: &str) -> String {
    format!("/v1/units/{}", client::encode(name))
}

/// Writes to standard output. A reader that has gone, such as `head`, has seen enough.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::told(0)),
        Err(error) => Err(Failure::io("write standard output", &error)),
        Ok(()) => Ok(()),
    }
}

pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::new(format!("write JSON: {error}")))?;
    print(&(text + "\n"))
}
