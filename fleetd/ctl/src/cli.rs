//! Commands and flags. Every flag is also an environment variable: `--no-block` is
//! `FLEETCTL_NO_BLOCK`.

use crate::join_token;
use clap::builder::FalseyValueParser;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::path::PathBuf;

mod fleet;
mod image;
mod secret;
mod shown;
mod units;
mod user;

pub(crate) use fleet::{
    Backup, Drain, Fleet, FleetCommand, Init, Join, Machines, Rebalance, Recover, RemoveMachine,
    Restore, RotateKeys, SetMetadata, Setting, Token,
};
pub(crate) use image::Image;
pub(crate) use secret::Secret;
pub(crate) use shown::{Events, Lines, Logs, Output, Status, TableFlags};
pub(crate) use units::{Blocking, Change, Exec, Plan, Scale, Submit, Units, Verb, Verify, Wait};
pub(crate) use user::User;

#[derive(Debug, Parser)]
#[command(
    name = "fleetctl",
    version,
    about = "Starts and watches the units of a fleet",
    infer_subcommands = true,
    disable_help_subcommand = false,
    after_help = "\
A unit without a suffix means its .container (a .service if only that is there). Verbs take globs \
such as 'web@*'. A unique beginning of a command is enough. Every flag is also an environment \
variable: --no-block is FLEETCTL_NO_BLOCK.

Examples:
  fleetctl start web.container     submit the file, start it, show each step
  fleetctl list-units              what runs where
  fleetctl logs -f web             its output as it comes
  fleetctl exec -it web -- sh      a shell inside"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Socket of the fleetd to ask, a path or unix:///PATH
    /// [default: /run/flotilla/fleetd.sock]
    #[arg(long, visible_alias = "endpoint", global = true, value_name = "PATH")]
    pub socket: Option<String>,
    /// Ask the fleet of this user's file, over the network [default, where there is no socket:
    /// ~/.config/flotilla/fleet]
    #[arg(id = "user_file", long = "fleet", global = true, value_name = "FILE")]
    pub fleet: Option<PathBuf>,
    /// With a user's file: ask this host of the fleet, and no other
    #[arg(id = "asked_host", long = "host", global = true, value_name = "ADDRESS[:PORT]")]
    pub host: Option<String>,
    /// Print JSON instead of words
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Hand unit files to the fleet without starting them
    Submit(Submit),
    /// Submit if missing, and prepare on a host without starting
    Load(Change),
    /// Submit if missing, start, and wait until active
    #[command(after_help = "\
Examples:
  fleetctl start web.container           the file here, with web.container.d/*.conf
  fleetctl start web@1 web@2             from the template web@.container
  fleetctl start --replace web.container the file changed: take it
Ctrl-C ends the waiting, not the start.")]
    Start(Change),
    /// What is wrong with unit files; no fleetd is asked
    #[command(after_help = "\
Examples:
  fleetctl verify web.container            the file here, with web.container.d/*.conf
  fleetctl verify --strict units/          all unit files of a directory")]
    Verify(Verify),
    /// What would come of a start, and nothing else
    #[command(after_help = "\
Examples:
  fleetctl plan web.container                the file here beside the submitted one
  fleetctl plan --verb submit units/*.container
  fleetctl plan --exit-code web@             0: nothing would change, 2: something would
What has no place there is an error (1). The index that it says goes into
fleetctl start --if-index INDEX, which does just this or nothing.")]
    Plan(Plan),
    /// Stop units; they stay loaded
    Stop(Wait),
    /// Stop units and take them off their hosts
    Unload(Wait),
    /// Stop and start units, one by one
    Restart(Wait),
    /// Stop units and forget their files
    Destroy(Wait),
    /// State of units in detail, with their last lines of output
    Status(Status),
    /// Print the submitted files of units
    Cat(Units),
    /// Units and how they are
    ListUnits(TableFlags),
    /// Submitted files and what is wanted of them
    ListUnitFiles(TableFlags),
    /// Hosts of the fleet
    ListMachines(TableFlags),
    /// Say how many instances of a template there are
    #[command(after_help = "Example: fleetctl scale web@ 5")]
    Scale(Scale),
    /// Why a unit is on its host, or on none
    Why(Units),
    /// Give hosts no new units
    Cordon(Machines),
    /// Give hosts new units again
    Uncordon(Machines),
    /// Give hosts no new units, move those that they have, and wait until none is left
    #[command(after_help = "\
Examples:
  fleetctl drain 3f2a              before its kernel is updated
  fleetctl undrain 3f2a            after that
Ctrl-C ends the waiting, not the drain.")]
    Drain(Drain),
    /// Take a drain back: give hosts new units again
    Undrain(Machines),
    /// Move units to hosts where they are better off, one by one
    #[command(after_help = "\
It says first what it would move and how full hosts are before and after, and asks. A move is a
restart: the unit ends on its host and begins on the other one. The next one goes when it runs.
Examples:
  fleetctl rebalance --plan
  fleetctl rebalance --yes --max-moves 10")]
    Rebalance(Rebalance),
    /// What has happened to units, and what happens
    #[command(after_help = "\
Examples:
  fleetctl events                      all that is kept, by the host that leads
  fleetctl events -f web               of one unit, from now on
  fleetctl events -f --json --since 7@ORIGIN     on from an event that was seen")]
    Events(Events),
    /// Say what a host is: units choose by it (MachineMetadata=)
    #[command(after_help = "\
Examples:
  fleetctl set-metadata 3f2a zone=a disk=ssd
  fleetctl set-metadata 3f2a zone=           takes the key away")]
    SetMetadata(SetMetadata),
    /// Output of units
    #[command(visible_alias = "journal")]
    Logs(Logs),
    /// Run a program inside a running unit
    #[command(after_help = "\
Examples:
  fleetctl exec web -- cat /etc/hosts
  fleetctl exec -it web -- sh
  tar c . | fleetctl exec -i web -- tar x -C /srv
The exit code is the program's; 125 says that it was not run.")]
    Exec(Exec),
    /// Images of this host
    #[command(subcommand)]
    Image(Image),
    /// Found a fleet, of this host alone, that others can join
    #[command(after_help = "\
Example: fleetctl init --advertise 10.0.0.1
Then `fleetctl token create` makes what another host needs to join.")]
    Init(Init),
    /// Make this host one of a fleet
    #[command(after_help = "\
Examples:
  fleetctl join 10.0.0.1 --token - < token-file
  ssh 10.0.0.1 fleetctl token create --uses 1 | fleetctl join 10.0.0.1 --token -
With `-` the token is in no list of processes and in no history.")]
    Join(Join),
    /// How this host is in its fleet, and who leads; what the fleet's rules are
    #[command(args_conflicts_with_subcommands = true)]
    Fleet(Fleet),
    /// Tokens, with which hosts join
    #[command(subcommand)]
    Token(Token),
    /// Secrets, which programs get to read
    #[command(subcommand)]
    Secret(Secret),
    /// Users, who use the fleet from elsewhere than its hosts
    #[command(subcommand)]
    User(User),
    /// Go on with this host when most voters are lost for good
    #[command(after_help = "\
It says first what is lost and asks. Do it on one host only, the one that knows most: it says so.")]
    Recover(Recover),
    /// Write everything that is decided into a file
    #[command(after_help = "\
Examples:
  fleetctl backup fleet.backup           readable for its owner only: it has the fleet's keys
  fleetctl backup - | age -r ... > fleet.age")]
    Backup(Backup),
    /// Bring the fleet back to what a backup has
    #[command(after_help = "\
A fleet that decides gets the units of the backup back; units that are as they were go on. Of a fleet
that is lost this host becomes the first one again.
Examples:
  fleetctl restore --plan fleet.backup
  fleetctl restore fleet.backup --advertise 10.0.0.9       on a new host; all voters are lost")]
    Restore(Restore),
    /// Put hosts out of the fleet for good
    #[command(after_help = "\
A removed host never comes back under its id, and its certificate is worth nothing from then on.
Examples:
  fleetctl drain 3f2a && fleetctl remove-machine 3f2a
  fleetctl remove-machine --force 3f2a            its units stop being the fleet's")]
    RemoveMachine(RemoveMachine),
    /// Several hosts on this machine, to try a fleet and to hurt it
    Playground(crate::playground::cli::Playground),
    /// Versions of fleetctl and of the fleetd it asks
    Version,
    /// Print the completion script for a shell
    #[command(after_help = "Example: fleetctl completion bash > /etc/bash_completion.d/fleetctl")]
    Completion { shell: clap_complete::Shell },
}

/// The command line of this process. Ends it, with code 2, if it is wrong.
pub(crate) fn parse() -> Arguments {
    let matches = command().try_get_matches().unwrap_or_else(|error| leave(&error));
    read(&matches).unwrap_or_else(|error| leave(&error))
}

/// Of a socket and a user's file the one counts that stands on the command line.
fn read(matches: &ArgMatches) -> Result<Arguments, clap::Error> {
    let mut arguments = Arguments::from_arg_matches(matches)?;
    let said = |id| matches.value_source(id) == Some(ValueSource::CommandLine);
    match (said("socket"), said("user_file") || said("asked_host")) {
        (true, true) => {
            let text = "--socket is a host's own fleetd, --fleet and --host ask over the network";
            return Err(command().error(ErrorKind::ArgumentConflict, text));
        }
        (true, false) => (arguments.common.fleet, arguments.common.host) = (None, None),
        (false, true) => arguments.common.socket = None,
        (false, false) => {}
    }
    Ok(arguments)
}

/// Ends the process with the error, but not with a token that stood in the wrong place.
fn leave(error: &clap::Error) -> ! {
    let text = error.render().to_string();
    let hidden = join_token::hide_tokens(&text);
    if hidden == text {
        error.exit();
    }
    eprint!("{hidden}");
    std::process::exit(error.exit_code())
}

/// The commands, with an environment variable behind every flag.
pub(crate) fn command() -> clap::Command {
    with_variables(Arguments::command())
}

fn with_variables(command: clap::Command) -> clap::Command {
    command.mut_args(with_variable).mut_subcommands(with_variables)
}

fn with_variable(arg: Arg) -> Arg {
    let Some(long) = arg.get_long().filter(|long| !["help", "version"].contains(long)) else {
        return arg;
    };
    let name = format!("FLEETCTL_{}", long.to_ascii_uppercase().replace('-', "_"));
    let arg = arg.env(name).hide_env(true);
    match arg.get_action() {
        ArgAction::SetTrue => arg.value_parser(FalseyValueParser::new()),
        _ => arg,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments, clap::Error> {
        read(&command().try_get_matches_from(line.split(' '))?)
    }

    #[test]
    fn the_commands_are_consistent() {
        command().debug_assert();
    }

    #[test]
    fn unique_beginnings_of_a_command_work() {
        assert!(matches!(parsed("fleetctl dest a").unwrap().command, Command::Destroy(_)));
        assert!(matches!(parsed("fleetctl list-m").unwrap().command, Command::ListMachines(_)));
        assert!(matches!(parsed("fleetctl jour a").unwrap().command, Command::Logs(_)));
        assert!(parsed("fleetctl list-u").is_err());
        assert!(parsed("fleetctl st a").is_err());
    }

    #[test]
    fn a_socket_and_the_network_are_two_ways() {
        let network = parsed("fleetctl --fleet a --host b list-units").unwrap().common;
        assert_eq!((network.fleet, network.host), (Some("a".into()), Some("b".to_owned())));
        // Also behind the command.
        let socket = parsed("fleetctl list-units --socket s").unwrap().common;
        assert_eq!((socket.socket.as_deref(), socket.fleet), (Some("s"), None));
        assert!(parsed("fleetctl --socket s list-units --fleet a").is_err());
        assert!(parsed("fleetctl --socket s --host b list-units").is_err());
        let shown = parsed("fleetctl --fleet a fleet").unwrap();
        assert!(matches!(shown.command, Command::Fleet(Fleet { command: None, .. })));
        let set = parsed("fleetctl fleet set hosts-may=view").unwrap();
        assert!(matches!(set.command, Command::Fleet(Fleet { command: Some(_), .. })));
        assert!(parsed("fleetctl fleet set hosts-may=root").is_err());
    }

    #[test]
    fn every_flag_has_its_variable() {
        let start = command().find_subcommand("start").cloned().unwrap();
        let arg = start.get_arguments().find(|arg| arg.get_id() == "no_block").unwrap();
        assert_eq!(arg.get_env().unwrap(), "FLEETCTL_NO_BLOCK");
    }

    #[test]
    fn a_programs_own_flags_are_not_fleetctls() {
        let Command::Exec(exec) = parsed("fleetctl exec -it web -- ls -l --json").unwrap().command
        else {
            panic!("no exec");
        };
        assert!(exec.interactive && exec.tty);
        assert_eq!(exec.command, ["ls", "-l", "--json"]);
    }
}
