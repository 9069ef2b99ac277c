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
        if self.sessions.len() >= MOST_SESSIONS {
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
            pidfd: self.container.pidfd.as_fd(),
            spec: &spec,
            cgroup: self.container.cgroup.path(),
        };
        let (joined, master) = start_in(&target, &process, &passed)?;
        drop(passed);
        self.admit_session(connection, joined, master)
    }

    fn admit_session(
        &mut self,
        connection: u32,
        joined: Joined,
        master: Option<OwnedFd>,
    ) -> Result<Answer> {
        self.last_session += 1;
        let number = self.last_session;
        let copies = master.as_ref().map(OwnedFd::try_clone).transpose().doing("exec")?;
        self.listen_to(joined.pidfd.as_fd(), Watch::Exec(number))?;
        let Joined { pid, pidfd, .. } = joined;
        let session = Session { pid, pidfd, master, connection: Some(connection) };
        self.sessions.insert(number, session);
        Ok(Answer::line(request::ok(&json!({ "exec": number, "pid": pid })))
            .passing(copies.into_iter().collect())
            .then(Role::AwaitsExec(number)))
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

/// Starts `process`; with a terminal its master comes back.
fn start_in(
    target: &Target<'_>,
    process: &Process,
    passed: &[OwnedFd],
) -> Result<(Joined, Option<OwnedFd>)> {
    let stdio = match passed {
        [stdin, stdout, stderr] => Some([stdin.as_fd(), stdout.as_fd(), stderr.as_fd()]),
        _ => None,
    };
    let console = if process.terminal { Some(socket::pair().doing("exec")?) } else { None };
    let options = join::Options {
        stdio,
        console: console.as_ref().map(|(_, theirs)| theirs.as_fd()),
        preserve_fds: 0,
        new_keyring: false,
        death_signal: Some(libc::SIGKILL),
    };
    let mut joined = join::join(target, process, options)?;
    joined.wait_exec()?;
    let master = match console {
        Some((ours, theirs)) => {
            drop(theirs);
            Some(plumbing::take_master(ours.as_fd())?)
        }
        None => None,
    };
    Ok((joined, master))
}
