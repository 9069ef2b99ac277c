//! `ocirun run`: create, start, and unless `--detach` wait and delete.

use std::ffi::OsString;
use std::os::fd::AsFd;

use super::foreground::Foreground;
use super::{Global, container, delete};
use crate::cli::{self, Order};
use crate::error::{Doing, Error, Result};
use crate::hooks;
use crate::sys::socket;

pub(super) fn run(global: &Global, words: &[OsString]) -> Result<i32> {
    let arguments = cli::parse(words, container::FLAGS, Order::Anywhere)?;
    let request = container::Request::read(&arguments)?;
    let detach = arguments.on("detach");
    let mut console = request.connect_console()?;
    let mut own_console = None;
    if request.has_terminal() && console.is_none() {
        if detach {
            return Err(Error::new("process.terminal with --detach needs --console-socket"));
        }
        let (ours, childs) = socket::pair().doing("make a pair of sockets")?;
        (own_console, console) = (Some(ours), Some(childs));
    }
    // Before there is a process: no signal for it may be lost.
    let foreground = if detach { None } else { Some(Foreground::begin()?) };

    let (entry, mut launched) = request.make(global, false, console.as_ref().map(AsFd::as_fd))?;
    drop(console);
    if let Err(error) = launched.wait_exec() {
        return Err(request.undo(&entry, global, error));
    }
    let state =
        hooks::State::new(&request.spec, &request.id, &request.bundle).at("running", launched.pid);
    if let Err(error) = hooks::run("poststart", &request.spec.hooks.poststart, &state) {
        return Err(request.undo(&entry, global, launched.give_up(error)));
    }
    let Some(foreground) = foreground else { return Ok(0) };

    let exit = foreground.wait(launched.pidfd.as_fd(), own_console.as_ref().map(AsFd::as_fd))?;
    if !arguments.on("keep") {
        delete::remove(
            global,
            &entry,
            &request.spec,
            &request.id,
            &request.bundle,
            &launched.cgroup,
        )?;
    }
    // This process ends next, which closes its descriptors without a call for each.
    std::mem::forget((entry, launched, foreground));
    Ok(exit.number())
}
