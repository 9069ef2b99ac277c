//! `exec`: a program on a host, in the place of this one.

use super::cli::Exec;
use super::host::Ground;
use super::namespace;
use super::state::Playground;
use crate::failure::{Failure, exit};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Returns only if the program did not start.
pub(super) fn run(ground: &Ground, flags: &Exec) -> Result<u8, Failure> {
    start(ground, flags).map_err(|failure| failure.code(exit::NOT_RUN))
}

fn start(ground: &Ground, flags: &Exec) -> Result<u8, Failure> {
    let holder = Playground::load(&ground.name)?.holder("exec on", &ground.name, flags.host)?;
    ground.goes_on("exec on", flags.host)?;
    let Some((program, arguments)) = flags.command.split_first() else { return Ok(0) };
    let mut command = Command::new(program);
    command.args(arguments);
    namespace::enter(&mut command, &holder, &ground.cgroup(flags.host), false)?;
    let error = command.exec();
    Err(Failure::io(format!("run {program} on {}", flags.host), &error))
}
