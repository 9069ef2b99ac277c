//! Relays between our own standard input and output and the terminal of a container.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::error::{Doing, Error, Result};
use crate::sys::terminal::Mode;
use crate::sys::{file, socket, terminal};

pub(super) struct Relay {
    master: OwnedFd,
    /// Held so that there is another side also while the program has closed its own: a master
    /// without one is always ready, with nothing to read.
    _slave: OwnedFd,
    /// Typed, and not yet taken by the terminal.
    typed: Vec<u8>,
    input_open: bool,
    /// How our own terminal was before, if we have one.
    before: Option<Mode>,
}

impl Relay {
    /// Receives the master from `console` and makes our own terminal pass everything on.
    pub(super) fn begin(console: BorrowedFd<'_>) -> Result<Self> {
        let master = socket::receive_descriptor(console)
            .doing("receive the terminal")?
            .ok_or_else(|| Error::new("receive the terminal: none came"))?;
        file::set_nonblocking(master.as_fd()).doing("set up the terminal")?;
        let input = io::stdin();
        let before = terminal::mode(input.as_fd()).ok();
        let slave = terminal::peer(master.as_fd()).doing("open the terminal's other side")?;
        let relay = Self { master, _slave: slave, typed: Vec::new(), input_open: true, before };
        if let Some(mode) = &relay.before {
            relay.copy_size();
            terminal::set_mode(input.as_fd(), &mode.raw()).doing("set up the own terminal")?;
        }
        Ok(relay)
    }

    /// What to wait for.
    pub(super) fn interests(&self) -> Vec<(BorrowedFd<'_>, i16)> {
        let wish = if self.typed.is_empty() { 0 } else { libc::POLLOUT };
        let mut list = vec![(self.master.as_fd(), libc::POLLIN | wish)];
        if self.input_open && self.typed.is_empty() {
            list.push((stdin(), libc::POLLIN));
        }
        list
    }

    /// Moves what can be moved now. Standard input is only read when it has something.
    pub(super) fn move_bytes(&mut self) -> Result<()> {
        self.drain()?;
        if self.input_open && self.typed.is_empty() && has_input()? {
            let mut text = [0; 4096];
            match file::read(stdin(), &mut text) {
                Ok(0) => {
                    self.input_open = false;
                    // What a terminal says for an end: its program may wait for it.
                    self.typed.push(4);
                }
                Ok(length) => self.typed.extend_from_slice(&text[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error).doing("read standard input"),
            }
        }
        if !self.typed.is_empty() {
            match file::write(self.master.as_fd(), &self.typed) {
                Ok(written) => drop(self.typed.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The program's side is closed.
                Err(error) if error.raw_os_error() == Some(libc::EIO) => self.typed.clear(),
                Err(error) => return Err(error).doing("write to the terminal"),
            }
        }
        Ok(())
    }

    /// Prints everything that the terminal has.
    pub(super) fn drain(&mut self) -> Result<()> {
        let mut text = [0; 4096];
        loop {
            match file::read(self.master.as_fd(), &mut text) {
                Ok(0) => return Ok(()),
                Ok(length) => {
                    let mut output = io::stdout();
                    output
                        .write_all(&text[..length])
                        .and_then(|()| output.flush())
                        .doing("write to standard output")?;
                }
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock
                        || error.raw_os_error() == Some(libc::EIO) =>
                {
                    return Ok(());
                }
                Err(error) => return Err(error).doing("read from the terminal"),
            }
        }
    }

    /// Gives the container's terminal the size of ours.
    pub(super) fn copy_size(&self) {
        if let Ok((rows, columns)) = terminal::size(stdin()) {
            // A size that cannot be set is no reason to end the program.
            let _ = terminal::set_size(self.master.as_fd(), rows, columns);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(mode) = &self.before {
            let _ = terminal::set_mode(stdin(), mode);
        }
    }
}

fn stdin() -> BorrowedFd<'static> {
    file::standard_input()
}

fn has_input() -> Result<bool> {
    let events =
        crate::sys::signal::poll(&[(stdin(), libc::POLLIN)], 0).doing("look at standard input")?;
    Ok(events.iter().any(|events| *events != 0))
}
