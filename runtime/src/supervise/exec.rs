//! More programs in the container, each for one connection.

use std::os::fd::{AsFd, OwnedFd};

use serde_json::json;

use super::connection::Role;
use super::record::Ended;
use super::serve::Answer;
use super::{Supervisor, Watch, plumbing, request, start};
use crate::error::{Doing, Error, Result};
use crate::join::{self, Joined, Target};
use crate::spec::Process;
use crate::sys::{process, socket};

/// More at once are refused: each costs a descriptor or two.
const MOST_SESSIONS: usize = 256;

/// A process of `exec`.
pub(super) struct Session {
    pub(super) pid: i32,
    pub(super) pidfd: OwnedFd,
    /// Of its terminal, for `resize`. Let go with the connection, so that the terminal hangs up
    /// when the client goes.
    pub(super) master: Option<OwnedFd>,
    /// Is told how it ended; `None` when it has gone.
    pub(super) connection: Option<u32>,
}

/// A process of `exec` that has not executed its program yet. Nobody waits for it: what it does
/// until then happens inside the container, where a file system may hang.
pub(super) struct Beginning {
    joined: Joined,
    /// The terminal's master comes over it.
    console: Option<OwnedFd>,
    connection: u32,
}

impl From<process::Exit> for Ended {
    fn from(exit: process::Exit) -> Self {
        match exit {
            process::Exit::Code(code) => Self { code: Some(code), signal: None },
            process::Exit::Signal(signal) => Self { code: None, signal: Some(signal) },
        }
    }
}

impl Supervisor {
    pub(super) fn exec(
        &mut self,
        connection: u32,
        mut process: Process,
        passed: Vec<OwnedFd>,
    ) -> Result<Answer> {
        if self.sessions.len() + self.beginnings.len() >= MOST_SESSIONS {
            return Err(Error::new(format_args!("exec: {MOST_SESSIONS} processes run already")));
        }
        let (expected, count) = (if process.terminal { 0 } else { 3 }, passed.len());
        if count != expected {
            return Err(Error::new(format_args!(
                "exec: it takes {expected} descriptors, {count} came"
            )));
        }
        let spec = start::read_config(&self.container.config)?;
        let of_container = spec.process.as_ref().and_then(|process| process.oom_score_adj);
        process.oom_score_adj = process.oom_score_adj.or(of_container).or(self.container.oom_score);
        let target = Target {
            id: &self.container.identity.id,
            pid: self.container.pid,
            pidfd: self.container.pidfd.as_fd(),
            spec: &spec,
            cgroup: self.container.cgroup.path(),
        };
        let (joined, console) = begin(&target, &process, &passed)?;
        self.last_session += 1;
        let number = self.last_session;
        if let Err(error) = self.listen_to(joined.as_fd(), Watch::Beginning(number)) {
            return Err(joined.give_up(error));
        }
        self.beginnings.insert(number, Beginning { joined, console, connection });
        Ok(Answer::later(Role::AwaitsExec(number)))
    }

    /// A process has executed its program, or says why not.
    pub(super) fn on_begun(&mut self, number: u32) {
        let Some(Beginning { mut joined, console, connection }) = self.beginnings.remove(&number)
        else {
            return;
        };
        let _ = self.epoll.remove(joined.as_fd());
        let begun = joined.wait_exec().and_then(|()| {
            self.attend(number, &joined, console).map_err(|error| joined.give_up(error))
        });
        let (master, copy) = match begun {
            Ok(both) => both,
            Err(error) => return self.tell(connection, &request::refused(&error), Role::Asking),
        };
        let Joined { pid, pidfd, .. } = joined;
        let line = request::ok(&json!({ "exec": number, "pid": pid }));
        let session = if self.connections.contains_key(&connection) {
            Session { pid, pidfd, master, connection: Some(connection) }
        } else {
            // Without its client it goes on, but for a terminal, which hangs up.
            Session { pid, pidfd, master: None, connection: None }
        };
        self.sessions.insert(number, session);
        let passed = copy.into_iter().collect();
        self.tell_passing(connection, &line, passed, Role::AwaitsExec(number));
    }

    /// The master of its terminal, and a copy for the client.
    fn attend(&self, number: u32, joined: &Joined, console: Option<OwnedFd>) -> Result<Masters> {
        self.listen_to(joined.pidfd.as_fd(), Watch::Exec(number))?;
        let master = console.map(|ours| plumbing::take_master(ours.as_fd())).transpose()?;
        let copy = master.as_ref().map(OwnedFd::try_clone).transpose().doing("exec")?;
        Ok((master, copy))
    }

    /// Reaps a process of `exec` and tells its connection.
    pub(super) fn on_exec_end(&mut self, number: u32) {
        let Some(session) = self.sessions.remove(&number) else { return };
        let _ = self.epoll.remove(session.pidfd.as_fd());
        let line = match process::wait(session.pidfd.as_fd()) {
            Ok(exit) => request::exit(exit.into()),
            Err(cause) => {
                request::refused(&Error::io(format_args!("wait for exec {number}"), &cause))
            }
        };
        if let Some(connection) = session.connection {
            self.tell(connection, &line, Role::Asking);
        }
    }

    /// The client of a process has gone; the process goes on.
    pub(super) fn leave_exec(&mut self, session: u32, connection: u32) {
        if let Some(session) = self.sessions.get_mut(&session)
            && session.connection == Some(connection)
        {
            (session.master, session.connection) = (None, None);
        }
    }
}

type Masters = (Option<OwnedFd>, Option<OwnedFd>);

/// Starts `process`; with a terminal its master will come over the socket.
fn begin(
    target: &Target<'_>,
    process: &Process,
    passed: &[OwnedFd],
) -> Result<(Joined, Option<OwnedFd>)> {
    let stdio = match passed {
        [stdin, stdout, stderr] => Some([stdin.as_fd(), stdout.as_fd(), stderr.as_fd()]),
        _ => None,
    };
    let (ours, theirs) = if process.terminal {
        let (ours, theirs) = socket::pair().doing("exec")?;
        (Some(ours), Some(theirs))
    } else {
        (None, None)
    };
    let options = join::Options {
        stdio,
        console: theirs.as_ref().map(AsFd::as_fd),
        preserve_fds: 0,
        new_keyring: false,
        death_signal: Some(libc::SIGKILL),
    };
    Ok((join::join(target, process, options)?, ours))
}
