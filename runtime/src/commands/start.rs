//! `ocirun start`: has a created container execute its program, and hears whether it did.

use std::ffi::OsString;
use std::os::fd::AsFd;

use super::Global;
use crate::cli::{self, Flag, Order};
use crate::error::{Doing, Error, Result};
use crate::hooks;
use crate::launch::channel;
use crate::store::{Entry, Status};
use crate::sys::{process, signal, socket};

pub(super) const FLAGS: &[Flag] = &[];

/// In milliseconds, more than a process that says why it ends needs to end.
const END: i32 = 10_000;

pub(super) fn run(global: &Global, words: &[OsString]) -> Result<i32> {
    let arguments = cli::parse(words, FLAGS, Order::Anywhere)?;
    let id = arguments.id()?;
    let entry = Entry::open(&global.root, id)?;
    let record = entry
        .load()?
        .ok_or_else(|| Error::new(format_args!("start {id}: its creation is not done")))?;
    let (Status::Created, Some(pidfd)) = entry.status(&record)? else {
        let status = entry.status(&record)?.0.name();
        return Err(Error::new(format_args!(
            "start {id}: cannot start a container that is {status}, not created"
        )));
    };
    let spec = entry.config()?;
    let socket = entry.connect_to_start()?;
    if let Some(error) = hear(&socket, id)? {
        // It is ending by itself: who asks for its state next finds it stopped.
        signal::poll(&[(pidfd.as_fd(), libc::POLLIN)], END)
            .doing(format_args!("wait for the end of {id}"))?;
        return Err(error);
    }
    entry.forget_start()?;
    let state = hooks::State::new(&spec, id, &record.bundle).at("running", record.pid);
    if let Err(error) = hooks::run("poststart", &spec.hooks.poststart, &state) {
        // The specification: the container ends with the failure.
        let _ = process::pidfd_send_signal(pidfd.as_fd(), libc::SIGKILL);
        return Err(error);
    }
    Ok(0)
}

/// The container answers with one byte when it has heard us; what follows is an error's text, and the
/// end alone means that the program has been exec'd.
fn hear(socket: &std::os::fd::OwnedFd, id: &str) -> Result<Option<Error>> {
    let mut text = Vec::new();
    let mut part = [0; 4096];
    loop {
        match socket::receive(socket.as_fd(), &mut part) {
            Ok(0) => break,
            Ok(length) => text.extend_from_slice(&part[..length]),
            // Somebody else's start was first.
            Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => break,
            Err(error) => return Err(error).doing(format_args!("start {id}")),
        }
    }
    match text.strip_prefix(channel::ACCEPTED) {
        Some([]) => Ok(None),
        Some(error) => Ok(Some(Error::new(String::from_utf8_lossy(error)))),
        None => Err(Error::new(format_args!("start {id}: it is being started by somebody else"))),
    }
}
