//! A file a command, or a few that differ by a word.

mod backup;
mod cat;
mod change;
mod completion;
mod confirm;
mod drain;
mod events;
mod exec;
mod fleet;
mod follow;
mod image;
mod list_machines;
mod list_unit_files;
mod list_units;
mod logs;
mod machine;
mod plan;
mod poll;
mod rebalance;
mod recover;
mod remove_machine;
mod report;
mod rotate_keys;
mod scale;
mod secret;
mod status;
mod stop;
mod submit;
mod token;
mod user;
mod verify;
mod version;
mod why;

use crate::cli::{Arguments, Command, Common};
use crate::client::{self, Client};
use crate::failure::Failure;
use crate::remote::Remote;
use crate::user_file::{self, UserFile};
use crate::wait::Goal;
use confirm::confirm;
pub(crate) use events::Id as EventId;
use fleetd_api::{DesiredState, Fleet, Machine, Unit};
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;

/// What every command has: the daemon, and how to print.
pub(crate) struct Context {
    pub client: Client,
    /// The user's file that is used, and where it is.
    pub user: Option<(PathBuf, UserFile)>,
    pub json: bool,
}

/// Runs the command; the exit code, or why it failed.
pub(crate) async fn run(arguments: Arguments) -> Result<u8, Failure> {
    let Arguments { common, command } = arguments;
    match command {
        // What asks nobody needs no file of a user either.
        Command::Playground(flags) => crate::playground::run(&flags, common.json),
        Command::Completion { shell } => completion::run(shell),
        Command::Verify(flags) => verify::run(&flags, common.json),
        command => ask(&context(&common)?, command).await,
    }
}

async fn ask(context: &Context, command: Command) -> Result<u8, Failure> {
    match command {
        Command::Submit(flags) => submit::run(context, &flags).await,
        Command::Load(flags) => change::run(context, &flags, DesiredState::Loaded).await,
        Command::Start(flags) => change::run(context, &flags, DesiredState::Launched).await,
        Command::Plan(flags) => plan::run(context, &flags).await,
        Command::Stop(flags) => stop::run(context, &flags, Goal::Stopped).await,
        Command::Unload(flags) => stop::run(context, &flags, Goal::Unloaded).await,
        Command::Destroy(flags) => stop::run(context, &flags, Goal::Destroyed).await,
        Command::Restart(flags) => {
            stop::run(context, &flags, Goal::Restarted { old_pid: None }).await
        }
        Command::Status(flags) => status::run(context, &flags).await,
        Command::Cat(flags) => cat::run(context, &flags).await,
        Command::ListUnits(flags) => list_units::run(context, &flags).await,
        Command::ListUnitFiles(flags) => list_unit_files::run(context, &flags).await,
        Command::ListMachines(flags) => list_machines::run(context, &flags).await,
        Command::Scale(flags) => scale::run(context, &flags).await,
        Command::Why(flags) => why::run(context, &flags).await,
        Command::Rebalance(flags) => rebalance::run(context, &flags).await,
        Command::Events(flags) => events::run(context, &flags).await,
        Command::Cordon(flags) => machine::cordon(context, &flags, true).await,
        Command::Uncordon(flags) => machine::cordon(context, &flags, false).await,
        Command::Drain(flags) => drain::run(context, &flags).await,
        Command::Undrain(flags) => machine::undrain(context, &flags).await,
        Command::RemoveMachine(flags) => remove_machine::run(context, &flags).await,
        Command::SetMetadata(flags) => machine::set_metadata(context, &flags).await,
        Command::Logs(flags) => logs::run(context, &flags).await,
        Command::Exec(flags) => exec::run(context, &flags).await,
        Command::Image(command) => image::run(context, &command).await,
        Command::Init(flags) => fleet::init(context, &flags).await,
        Command::Join(flags) => fleet::join(context, &flags).await,
        Command::Fleet(flags) => fleet::show(context, &flags).await,
        Command::Recover(flags) => recover::run(context, &flags).await,
        Command::Backup(flags) => backup::backup(context, &flags).await,
        Command::Restore(flags) => backup::restore(context, &flags).await,
        Command::Token(command) => token::run(context, &command).await,
        Command::Secret(command) => secret::run(context, &command).await,
        Command::User(command) => user::run(context, &command).await,
        Command::Version => version::run(context).await,
        Command::Playground(_) | Command::Completion { .. } | Command::Verify(_) => Ok(0),
    }
}

/// Whom to ask: a fleetd by its socket, or a fleet by a user's file. Where neither is named, the
/// host's own fleetd if there is one, else the fleet of the file in its usual place.
fn context(common: &Common) -> Result<Context, Failure> {
    let json = common.json;
    let socket = PathBuf::from(fleetd_api::DEFAULT_SOCKET);
    let named = common.fleet.clone().or_else(|| {
        let usual = || user_file::usual_place().filter(|path| path.exists());
        let wanted = common.host.is_some() || (common.socket.is_none() && !socket.exists());
        usual().filter(|_| wanted)
    });
    match (named, &common.socket) {
        (Some(path), _) => {
            let file = UserFile::read(&path)?;
            let remote = Remote::new(&file, &path, common.host.as_deref())?;
            user_file::warn_of_end(&file);
            let client = Client::remote(remote);
            Ok(Context { client, user: Some((path, file)), json })
        }
        (None, _) if common.host.is_some() => {
            Err(Failure::new("ask another host: no user's file is there")
                .hint("--fleet FILE; fleetctl user add, on a host of the fleet, makes one"))
        }
        (None, None) => Ok(Context { client: Client::new(socket), user: None, json }),
        (None, Some(named)) => Ok(Context { client: Client::new(path(named)?), user: None, json }),
    }
}

fn path(named: &str) -> Result<PathBuf, Failure> {
    match named.strip_prefix("unix://") {
        Some(path) => Ok(path.into()),
        None if named.contains("://") => {
            let message = format!("connect {named}: it is neither a path nor unix:///PATH");
            Err(Failure::new(message).hint("--fleet FILE asks over the network"))
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
