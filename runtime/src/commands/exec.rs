//! `ocirun exec`: one more program in a running container.

use std::ffi::OsString;
use std::os::fd::AsFd;

use super::foreground::Foreground;
use super::{Global, container};
use crate::cli::{self, Arguments, Flag, Kind, Order};
use crate::error::{Doing, Error, Result};
use crate::join::{self, Target};
use crate::plan::{capabilities, user};
use crate::spec::process::Capabilities;
use crate::spec::{self, Process, Spec};
use crate::store::{Entry, Status};
use crate::sys::socket;

pub(super) const FLAGS: &[Flag] = &[
    ("process", "p", Kind::Value),
    ("detach", "d", Kind::Switch),
    ("tty", "t", Kind::Switch),
    ("console-socket", "", Kind::Value),
    ("pidfd-socket", "", Kind::Value),
    ("pid-file", "", Kind::Value),
    ("preserve-fds", "", Kind::Value),
    ("cwd", "", Kind::Value),
    ("env", "e", Kind::Value),
    ("user", "u", Kind::Value),
    ("additional-gids", "g", Kind::Value),
    ("cap", "c", Kind::Value),
    ("no-new-privs", "", Kind::Switch),
    ("apparmor", "", Kind::Value),
    ("ignore-paused", "", Kind::Switch),
    ("no-subreaper", "", Kind::Switch),
    ("process-label", "", Kind::RefusedValue("SELinux labels are not there yet")),
    ("cgroup", "", Kind::RefusedValue("a cgroup inside the container's is not there yet")),
];

pub(super) fn run(global: &Global, words: &[OsString]) -> Result<i32> {
    let arguments = cli::parse(words, FLAGS, Order::BeforeArguments)?;
    let Some((id, program)) = arguments.rest.split_first() else {
        return Err(Error::new("the container's id is missing"));
    };
    let preserve_fds = arguments.number("preserve-fds")?;
    container::check_preserved(preserve_fds)?;
    let entry = Entry::open(&global.root, id)?;
    let record = entry
        .load()?
        .ok_or_else(|| Error::new(format_args!("exec in {id}: its creation is not done")))?;
    let (Status::Created | Status::Running, Some(container)) = entry.status(&record)? else {
        return Err(Error::new(format_args!("exec in {id}: container not running")));
    };
    let spec = entry.config()?;
    let process = process(&arguments, program, &spec)?;

    let detach = arguments.on("detach");
    let mut console = container::connect_console(arguments.path("console-socket").as_deref())?;
    let mut own_console = None;
    if process.terminal && console.is_none() {
        if detach {
            return Err(Error::new("a terminal with --detach needs --console-socket"));
        }
        let (ours, childs) = socket::pair().doing("make a pair of sockets")?;
        (own_console, console) = (Some(ours), Some(childs));
    }
    let foreground = if detach { None } else { Some(Foreground::begin()?) };
    let target = Target {
        id,
        pid: record.pid,
        pidfd: container.as_fd(),
        spec: &spec,
        cgroup: &record.cgroup,
    };
    let options = join::Options {
        stdio: None,
        console: console.as_ref().map(AsFd::as_fd),
        preserve_fds,
        new_keyring: true,
        death_signal: None,
    };
    let mut joined = join::join(&target, &process, options)?;
    drop(console);
    for warning in &joined.warnings {
        global.log.warning(warning);
    }
    joined.wait_exec()?;
    if let Some(path) = arguments.path("pid-file") {
        container::write_pid_file(&path, joined.pid)?;
    }
    container::send_pidfd(arguments.path("pidfd-socket").as_deref(), joined.pidfd.as_fd())?;
    match foreground {
        Some(foreground) => {
            let console = own_console.as_ref().map(AsFd::as_fd);
            Ok(foreground.wait(joined.pidfd.as_fd(), console)?.number())
        }
        None => Ok(0),
    }
}

/// From `--process`, or from the container's own with what the flags change.
fn process(arguments: &Arguments, program: &[String], spec: &Spec) -> Result<Process> {
    let mut process = match arguments.path("process") {
        Some(path) => {
            if !program.is_empty() {
                return Err(Error::new("a program and --process: give one of them"));
            }
            spec::load::process(&path)?
        }
        None => {
            let Some(process) = spec.process.clone() else {
                return Err(Error::new("process: is missing"));
            };
            Process { args: program.to_vec(), terminal: false, ..process }
        }
    };
    if arguments.on("tty") {
        process.terminal = true;
    }
    if let Some(cwd) = arguments.path("cwd") {
        process.cwd = cwd;
    }
    process.env.extend(arguments.values("env").map(str::to_owned));
    if let Some(text) = arguments.value("user") {
        let (uid, gid) = user::parse(text)?;
        process.user.uid = uid;
        process.user.gid = gid.unwrap_or(process.user.gid);
    }
    for text in arguments.values("additional-gids") {
        process.user.additional_gids.push(user::id(text)?);
    }
    if let Some(profile) = arguments.value("apparmor") {
        process.apparmor_profile = Some(profile.to_owned());
    }
    if arguments.on("no-new-privs") {
        process.no_new_privileges = true;
    }
    for name in arguments.values("cap") {
        grant(&mut process, name)?;
    }
    Ok(process)
}

/// Into the sets that let the program use it; inheritable stays as configured (CVE-2022-29162).
fn grant(process: &mut Process, name: &str) -> Result<()> {
    if capabilities::number(name).is_none() {
        return Err(Error::new(format_args!("--cap {name}: unknown capability")));
    }
    let Capabilities { bounding, effective, permitted, .. } =
        process.capabilities.get_or_insert_default();
    for set in [bounding, effective, permitted] {
        if set.iter().all(|known| known != name) {
            set.push(name.to_owned());
        }
    }
    Ok(())
}
