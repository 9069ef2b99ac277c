//! One file a command of the command line.

mod container;
mod create;
mod delete;
mod exec;
mod features;
mod foreground;
mod help;
mod kill;
mod list;
mod run;
mod spec;
mod start;
mod state;
mod supervise;
mod terminal;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use crate::cli::{self, Arguments, Flag, Kind, Order};
use crate::error::{Error, Result};
use crate::log::Log;
use crate::seal;
use crate::store;
use crate::sys::process;

/// What holds for all commands.
#[derive(Debug)]
pub struct Global {
    /// `--root`
    pub root: PathBuf,
    pub log: Log,
}

const GLOBAL: &[Flag] = &[
    ("root", "", Kind::Value),
    ("log", "", Kind::Value),
    ("log-format", "", Kind::Value),
    ("log-level", "", Kind::Value),
    ("debug", "", Kind::Switch),
    ("systemd-cgroup", "s", Kind::RefusedSwitch(SYSTEMD)),
    ("rootless", "", Kind::Value),
    ("cgroup-manager", "", Kind::Value),
    ("criu", "", Kind::Value),
    ("version", "v", Kind::Switch),
    ("help", "h", Kind::Switch),
];

const SYSTEMD: &str =
    "cgroups by way of systemd are not there yet; have the engine use its cgroupfs manager";

/// Those whose process, or a copy of it, enters a container.
const ENTER: &[&str] = &["create", "run", "exec", "supervise"];

struct Command {
    name: &'static str,
    /// What follows its flags.
    arguments: &'static str,
    what: &'static str,
    flags: &'static [Flag],
    run: fn(&Global, &[OsString]) -> Result<i32>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "create",
        arguments: "ID",
        what: "make a container that waits for its start",
        flags: container::FLAGS,
        run: create::run,
    },
    Command {
        name: "start",
        arguments: "ID",
        what: "execute the program of a created container",
        flags: start::FLAGS,
        run: start::run,
    },
    Command {
        name: "run",
        arguments: "ID",
        what: "create, start and wait",
        flags: container::FLAGS,
        run: run::run,
    },
    Command {
        name: "exec",
        arguments: "ID PROGRAM [ARGUMENT...]",
        what: "run one more program in a container",
        flags: exec::FLAGS,
        run: exec::run,
    },
    Command {
        name: "state",
        arguments: "ID",
        what: "print a container's state as JSON",
        flags: state::FLAGS,
        run: state::run,
    },
    Command {
        name: "kill",
        arguments: "ID [SIGNAL]",
        what: "send a signal to a container",
        flags: kill::FLAGS,
        run: kill::run,
    },
    Command {
        name: "delete",
        arguments: "ID",
        what: "remove a container",
        flags: delete::FLAGS,
        run: delete::run,
    },
    Command {
        name: "list",
        arguments: "",
        what: "list containers",
        flags: list::FLAGS,
        run: list::run,
    },
    Command {
        name: "supervise",
        arguments: "ID",
        what: "start a container for fleetd and stay with it",
        flags: supervise::FLAGS,
        run: supervise::run,
    },
    Command {
        name: "spec",
        arguments: "",
        what: "write a config.json to begin with",
        flags: spec::FLAGS,
        run: spec::run,
    },
    Command {
        name: "features",
        arguments: "",
        what: "print what this program can do as JSON",
        flags: features::FLAGS,
        run: features::run,
    },
];

/// Commands of other runtimes that engines may call.
const NOT_YET: &[&str] =
    &["checkpoint", "events", "mounts", "pause", "ps", "restore", "resume", "update"];

/// Runs the command line, the program's name first; answers the exit code.
pub fn main(arguments: &[OsString]) -> i32 {
    let mut log = Log::default();
    let code = match dispatch(arguments, &mut log) {
        Ok(code) => code,
        Err(error) => {
            log.error(&error);
            1
        }
    };
    // Nobody may be left to read it.
    let _ = std::io::stdout().flush();
    code
}

fn dispatch(arguments: &[OsString], log: &mut Log) -> Result<i32> {
    let words = arguments.get(1..).unwrap_or_default();
    // Nobody whom we let into a container may trace us or read our memory.
    let _ = process::set_dumpable(false);
    let flags = cli::parse(words, GLOBAL, Order::BeforeArguments)?;
    log.file = flags.path("log").filter(|path| !path.as_os_str().is_empty());
    log.json = match flags.value("log-format") {
        None | Some("" | "text") => false,
        Some("json") => true,
        Some(other) => {
            return Err(Error::new(format_args!("--log-format {other}: must be text or json")));
        }
    };
    if flags.on("version") {
        print_version();
        return Ok(0);
    }
    match flags.value("cgroup-manager") {
        None | Some("" | "cgroupfs") => {}
        Some("systemd") => return Err(Error::new(format_args!("--cgroup-manager: {SYSTEMD}"))),
        Some(other) => {
            return Err(Error::new(format_args!("--cgroup-manager {other}: not there yet")));
        }
    }
    let Some((name, _)) = flags.rest.split_first().filter(|_| !flags.on("help")) else {
        help::program();
        return Ok(i32::from(!flags.on("help")));
    };
    let words = &words[words.len() - flags.rest.len() + 1..];
    let command = COMMANDS.iter().find(|command| command.name == name);
    if let Some(command) = command.filter(|_| help::is_asked_for(words)) {
        help::command(command);
        return Ok(0);
    }
    let global = Global { root: root(&flags)?, log: std::mem::take(log) };
    if ENTER.contains(&name.as_str()) {
        // Before anything else: it begins this process anew.
        seal::executable(arguments)?;
    }
    let result = match command {
        Some(command) => (command.run)(&global, words),
        None if NOT_YET.contains(&name.as_str()) => {
            Err(Error::new(format_args!("{name}: not there yet")))
        }
        None => Err(Error::new(format_args!("{name}: unknown command; see ocirun --help"))),
    };
    *log = global.log;
    result
}

/// Absolute: an engine's `--root` may be relative to where it is now.
fn root(flags: &Arguments) -> Result<PathBuf> {
    let root = flags.value("root").filter(|root| !root.is_empty()).unwrap_or(store::DEFAULT_ROOT);
    std::path::absolute(root).map_err(|error| Error::io(format_args!("--root {root}"), &error))
}

/// Engines read these three lines.
fn print_version() {
    println!("ocirun version {}", env!("CARGO_PKG_VERSION"));
    println!("commit: {}", option_env!("FLOTILLA_COMMIT").unwrap_or("unknown"));
    println!("spec: {}", crate::spec::VERSION);
}
