//! `ocirun create`: makes a container whose program waits for `start`.

use std::ffi::OsString;
use std::os::fd::AsFd;

use super::{Global, container};
use crate::cli::{self, Order};
use crate::error::{Error, Result};

pub(super) fn run(global: &Global, words: &[OsString]) -> Result<i32> {
    let arguments = cli::parse(words, container::FLAGS, Order::Anywhere)?;
    let request = container::Request::read(&arguments)?;
    let console = request.connect_console()?;
    if console.is_some() && !request.has_terminal() {
        return Err(Error::new("--console-socket: process.terminal is not set"));
    }
    let (entry, mut launched) = request.make(global, true, console.as_ref().map(AsFd::as_fd))?;
    match launched.wait_created() {
        Ok(()) => Ok(0),
        Err(error) => Err(request.undo(&entry, global, error)),
    }
}
