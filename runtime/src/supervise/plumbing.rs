//! What the container's 0, 1 and 2 are: pipes to the supervisor, or a terminal.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::log::Stream;
use super::pump::Output;
use super::{Terminal, own};
use crate::error::{Doing, Error, Result};
use crate::spec::Spec;
use crate::spec::linux::IdMapping;
use crate::sys::{descriptor, file, socket, terminal};

/// Both sides, before the container is cloned.
pub(super) enum Plumbing {
    Pipes {
        stdin: OwnedFd,
        /// Of a pipe; `None` where there is nothing to read.
        stdin_writer: Option<PipeWriter>,
        stdout: (PipeReader, PipeWriter),
        stderr: (PipeReader, PipeWriter),
    },
    /// The terminal's master comes over it: our end, the container's.
    Terminal(OwnedFd, OwnedFd),
}

/// The supervisor's side, once the container runs.
pub(super) struct Ours {
    pub(super) stdin: Option<OwnedFd>,
    pub(super) terminal: Option<Terminal>,
    pub(super) outputs: Vec<Option<Output>>,
}

impl Plumbing {
    pub(super) fn new(spec: &Spec, with_stdin: bool) -> Result<Self> {
        let doing = "make pipes for the container";
        if spec.process.as_ref().is_some_and(|process| process.terminal) {
            let (ours, theirs) = socket::pair().doing(doing)?;
            return Ok(Self::Terminal(ours, theirs));
        }
        let (stdin, stdin_writer) = if with_stdin {
            let (reader, writer) = io::pipe().doing(doing)?;
            (reader.into(), Some(writer))
        } else {
            (own::no_input().doing("open /dev/null")?, None)
        };
        let (stdout, stderr) = (io::pipe().doing(doing)?, io::pipe().doing(doing)?);
        if let Some((uid, gid)) = owner(spec) {
            // The program may open them anew, as /dev/stdout.
            let read = stdin_writer.as_ref().map(|_| stdin.as_fd());
            for pipe in [Some(stdout.1.as_fd()), Some(stderr.1.as_fd()), read] {
                pipe.map_or(Ok(()), |pipe| file::fchown(pipe, uid, gid))
                    .doing("give the pipes to the container's user")?;
            }
        }
        Ok(Self::Pipes { stdin, stdin_writer, stdout, stderr })
    }

    pub(super) fn stdio(&self) -> Option<[BorrowedFd<'_>; 3]> {
        match self {
            Self::Pipes { stdin, stdout, stderr, .. } => {
                Some([stdin.as_fd(), stdout.1.as_fd(), stderr.1.as_fd()])
            }
            Self::Terminal(..) => None,
        }
    }

    pub(super) fn console(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Pipes { .. } => None,
            Self::Terminal(_, theirs) => Some(theirs.as_fd()),
        }
    }

    /// Lets go of the container's side.
    pub(super) fn ours(self, with_stdin: bool) -> Result<Ours> {
        match self {
            Self::Pipes { stdin_writer, stdout: (stdout, _), stderr: (stderr, _), .. } => {
                let output = |source: PipeReader, stream| {
                    descriptor::set_nonblocking(source.as_fd()).doing("set up a pipe")?;
                    Ok(Some(Output::new(source.into(), stream, false)))
                };
                Ok(Ours {
                    stdin: stdin_writer.map(OwnedFd::from),
                    terminal: None,
                    outputs: vec![output(stdout, Stream::Stdout)?, output(stderr, Stream::Stderr)?],
                })
            }
            Self::Terminal(ours, theirs) => {
                drop(theirs);
                let master = take_master(ours.as_fd())?;
                let doing = "set up the terminal";
                descriptor::set_nonblocking(master.as_fd()).doing(doing)?;
                let other_side = terminal::peer(master.as_fd()).doing(doing)?;
                let source = master.try_clone().doing(doing)?;
                let stdin = with_stdin.then(|| master.try_clone()).transpose().doing(doing)?;
                Ok(Ours {
                    stdin,
                    terminal: Some(Terminal { master, other_side }),
                    outputs: vec![Some(Output::new(source, Stream::Stdout, true))],
                })
            }
        }
    }
}

/// The program's user and group as the host sees them, unless it is root or mapped to nobody.
fn owner(spec: &Spec) -> Option<(u32, u32)> {
    let user = &spec.process.as_ref()?.user;
    let linux = spec.linux();
    let host = |id: u32, map: &[IdMapping]| {
        if map.is_empty() {
            return Some(id);
        }
        map.iter().find_map(|entry| {
            let offset =
                id.checked_sub(entry.container_id).filter(|&offset| offset < entry.size)?;
            entry.host_id.checked_add(offset)
        })
    };
    let owner = (host(user.uid, &linux.uid_mappings)?, host(user.gid, &linux.gid_mappings)?);
    (owner != (0, 0)).then_some(owner)
}

/// Receives the master of a terminal that was made in the container.
pub(super) fn take_master(socket: BorrowedFd<'_>) -> Result<OwnedFd> {
    let doing = "receive the terminal";
    socket::receive_descriptor(socket)
        .doing(doing)?
        .ok_or_else(|| Error::new(format_args!("{doing}: none came")))
}
