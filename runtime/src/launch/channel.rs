//! What parent and child say to each other while a container starts: a pair of sockets, one message
//! a step. The end of the child's side means that the program has been exec'd: it is close-on-exec.

use std::cell::OnceCell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::error::{Doing, Error, Result};
use crate::sys::{signal, socket};

/// From the child.
#[derive(Debug, PartialEq, Eq)]
pub enum Report {
    /// The mounts are done: run the hooks of the runtime namespace, then say [`GO`].
    Hooks,
    /// Everything is done but the program, which waits for `start`.
    Created,
    /// Set-up failed; the child has ended.
    Failed(Error),
    /// The program has been exec'd, or the child was killed.
    Closed,
}

/// The first byte to whoever asks for the program. Then comes the end, once the program has been
/// exec'd, or the error's text.
pub const ACCEPTED: &[u8] = b"A";

/// From the parent: go on.
pub const GO: &[u8] = b"G";

const HOOKS: u8 = b'H';
const CREATED: u8 = b'C';
const FAILED: u8 = b'F';

/// An error's text is cut here.
const LONGEST: usize = 4096;

/// The parent's end, and the child's.
pub fn pair() -> Result<(Parent, Child)> {
    let (parent, child) = socket::pair().doing("make a pair of sockets")?;
    Ok((Parent(parent), Child { parent: child, starter: OnceCell::new() }))
}

#[derive(Debug)]
pub struct Parent(OwnedFd);

impl Parent {
    /// Tells the child to go on. One that has ended instead has said why.
    pub fn go(&self) -> Result<()> {
        let doing = "tell the container's first process to go on";
        match socket::send(self.0.as_fd(), GO) {
            Err(error) if error.raw_os_error() == Some(libc::EPIPE) => match self.receive()? {
                Report::Failed(error) => Err(error),
                _ => Err(Error::io(doing, &error)),
            },
            sent => sent.doing(doing),
        }
    }

    /// Blocks for the next report.
    pub fn receive(&self) -> Result<Report> {
        let mut text = [0; LONGEST];
        let length = match socket::receive(self.0.as_fd(), &mut text) {
            // The child has ended without reading our GO; what it said before comes next.
            Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => {
                socket::receive(self.0.as_fd(), &mut text)
            }
            received => received,
        }
        .doing("hear from the first process")?;
        Ok(match text[..length].first() {
            None => Report::Closed,
            Some(&HOOKS) => Report::Hooks,
            Some(&CREATED) => Report::Created,
            Some(_) => Report::Failed(Error::new(String::from_utf8_lossy(&text[1..length]))),
        })
    }
}

impl AsFd for Parent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[derive(Debug)]
pub struct Child {
    parent: OwnedFd,
    /// Whoever asked for the program, after [`Child::wait_for_start`].
    starter: OnceCell<OwnedFd>,
}

impl Child {
    /// Blocks until the parent says [`GO`]; an error if it ended instead.
    pub fn wait_for_go(&self) -> Result<()> {
        let mut text = [0; 1];
        match socket::receive(self.parent.as_fd(), &mut text).doing("hear from the runtime")? {
            0 => Err(Error::new("hear from the runtime: it has ended")),
            _ => Ok(()),
        }
    }

    pub fn ask_for_hooks(&self) -> Result<()> {
        socket::send(self.parent.as_fd(), &[HOOKS]).doing("ask for the hooks")
    }

    pub fn created(&self) -> Result<()> {
        socket::send(self.parent.as_fd(), &[CREATED]).doing("say that the container is created")
    }

    /// Blocks until somebody connects; see [`super::Start::OnConnect`].
    pub fn wait_for_start(&self, listener: BorrowedFd<'_>) -> Result<()> {
        let connection = socket::accept(listener).doing("wait for start")?;
        socket::send(connection.as_fd(), ACCEPTED).doing("answer start")?;
        let _ = self.starter.set(connection);
        Ok(())
    }

    /// An error if the parent has ended.
    pub fn check_parent(&self) -> Result<()> {
        let events = signal::poll(&[(self.parent.as_fd(), 0)], 0).doing("look for the parent")?;
        if events.iter().any(|events| events & libc::POLLHUP != 0) {
            return Err(Error::new("look for the parent: it has ended"));
        }
        Ok(())
    }

    /// Nobody may be left to hear it; there is nothing more to do then.
    pub fn failed(&self, error: &Error) {
        let error = error.to_string();
        let text = &error.as_bytes()[..error.len().min(LONGEST - 1)];
        let _ = socket::send(self.parent.as_fd(), &[&[FAILED], text].concat());
        if let Some(starter) = self.starter.get() {
            let _ = socket::send(starter.as_fd(), text);
        }
    }
}
