//! `hooks`: runs the administrator's programs and waits for them (config.md, "POSIX-platform Hooks").

use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command};

use serde_json::{Value, json};

use crate::error::{Doing, Error, Result};
use crate::spec::{Hook, Spec, VERSION};
use crate::sys::{descriptor, process, signal};

/// What a hook reads from its standard input: the container's state (runtime.md, "State").
pub struct State(Value);

impl State {
    pub fn new(spec: &Spec, id: &str, bundle: &Path) -> Self {
        Self(json!({
            "ociVersion": VERSION,
            "id": id,
            "bundle": bundle,
            "annotations": spec.annotations,
        }))
    }

    /// The text for the end: there is no process any more.
    pub fn stopped(&self) -> String {
        let mut state = self.0.clone();
        state["status"] = "stopped".into();
        state["pid"] = 0.into();
        state.to_string()
    }

    /// The text for one moment of the container's life; `pid` 0 is the caller's own.
    pub fn at(&self, status: &str, pid: i32) -> String {
        let mut state = self.0.clone();
        let pid = if pid == 0 { i64::from(std::process::id()) } else { pid.into() };
        state["status"] = status.into();
        state["pid"] = pid.into();
        state.to_string()
    }
}

/// Runs hooks one after the other; the first that fails ends the list.
pub fn run(list: &str, hooks: &[Hook], state: &str) -> Result<()> {
    for (index, hook) in hooks.iter().enumerate() {
        one(hook, state).map_err(|error| {
            error.within(format_args!("run hooks.{list}[{index}] {}", hook.path.display()))
        })?;
    }
    Ok(())
}

/// Runs all hooks and answers what failed.
pub fn run_all(list: &str, hooks: &[Hook], state: &str) -> Vec<Error> {
    hooks.iter().filter_map(|hook| run(list, std::slice::from_ref(hook), state).err()).collect()
}

fn one(hook: &Hook, state: &str) -> Result<()> {
    let mut command = Command::new(&hook.path);
    if let Some((name, rest)) = hook.args.split_first() {
        command.arg0(name).args(rest);
    }
    // A file and no pipe: a hook need not read it, and must not hold us up then, however long it is.
    let mut input = File::from(descriptor::memory_file(c"state").doing("make its input")?);
    input.write_all(state.as_bytes()).and_then(|()| input.rewind()).doing("write its input")?;
    command.env_clear().stdin(input);
    command.envs(hook.env.iter().filter_map(|entry| entry.split_once('=')));
    let mut child = command.spawn().doing("start it")?;
    if let Some(seconds) = hook.timeout {
        end_in_time(&mut child, seconds)?;
    }
    let status = child.wait().doing("wait for it")?;
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(Error::new(format_args!("it failed with exit code {code}"))),
        (_, signal) => {
            Err(Error::new(format_args!("it was ended by signal {}", signal.unwrap_or_default())))
        }
    }
}

fn end_in_time(child: &mut Child, seconds: i64) -> Result<()> {
    let pid = i32::try_from(child.id()).map_err(Error::new)?;
    let pidfd = process::pidfd_open(pid).doing("watch it")?;
    let time = i32::try_from(seconds.saturating_mul(1000)).unwrap_or(i32::MAX);
    let events = signal::poll(&[(pidfd.as_fd(), libc::POLLIN)], time).doing("wait for it")?;
    if events.iter().all(|events| *events == 0) {
        child.kill().doing("end it")?;
        child.wait().doing("wait for it")?;
        return Err(Error::new(format_args!("it took longer than {seconds} s")));
    }
    Ok(())
}
