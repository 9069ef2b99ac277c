//! A supervisor as a [`State`], and one out of it: the two halves of a take-over, field by field.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use super::attach::Watcher;
use super::connection::{Connection, Role};
use super::exec::Session;
use super::framing::Framing;
use super::log_file::LogFile;
use super::notify::Notify;
use super::pump::Output;
use super::record::ExitFile;
use super::state::{self, State};
use super::{Container, Supervisor, Terminal, own};
use crate::cgroup::Cgroup;
use crate::error::{Doing, Result};
use crate::sys::descriptor;
use crate::sys::epoll::Epoll;

/// The descriptors that a state names, so that none of them can be forgotten.
#[derive(Default)]
pub(super) struct Kept<'a>(pub(super) Vec<BorrowedFd<'a>>);

impl<'a> Kept<'a> {
    fn keep(&mut self, file: &'a impl AsFd) -> RawFd {
        let file = file.as_fd();
        self.0.push(file);
        file.as_raw_fd()
    }

    fn keep_all(&mut self, files: &'a [OwnedFd]) -> Vec<RawFd> {
        files.iter().map(|file| self.keep(file)).collect()
    }
}

impl Supervisor {
    /// All that another program needs to go on.
    pub(super) fn state<'a>(&'a self, asked_by: u32, kept: &mut Kept<'a>) -> State {
        let outputs = self.outputs.iter().map(|output| {
            output.as_ref().map(|output| state::Output {
                source: kept.keep(&output.source),
                stream: output.stream,
                cutter: output.cutter.clone(),
            })
        });
        State {
            version: state::VERSION,
            outputs: outputs.collect(),
            container: self.container.state(kept),
            stop: self.stop.clone(),
            listener: kept.keep(&self.listener),
            exit_file: kept.keep(self.exit_file.file()),
            log: self.log.place().clone(),
            dropped: self.log.dropped().clone(),
            connections: self
                .connections
                .iter()
                .map(|(&number, connection)| connection.state(number, kept))
                .collect(),
            sessions: self
                .sessions
                .iter()
                .map(|(&number, session)| state::Session {
                    number,
                    pid: session.pid,
                    pidfd: kept.keep(&session.pidfd),
                    master: session.master.as_ref().map(|master| kept.keep(master)),
                    connection: session.connection,
                })
                .collect(),
            last_connection: self.last_connection,
            last_session: self.last_session,
            asked_by,
        }
    }
}

impl Container {
    fn state<'a>(&'a self, kept: &mut Kept<'a>) -> state::Container {
        state::Container {
            identity: self.identity.clone(),
            pid: self.pid,
            pidfd: kept.keep(&self.pidfd),
            cgroup: self.cgroup.path().to_owned(),
            cgroup_parents: self.cgroup.made_parents().to_vec(),
            config: kept.keep(&self.config),
            stdin: self.stdin.as_ref().map(|stdin| kept.keep(stdin)),
            terminal: self
                .terminal
                .as_ref()
                .map(|terminal| (kept.keep(&terminal.master), kept.keep(&terminal.other_side))),
            notify: self.notify.as_ref().map(|notify| (kept.keep(&notify.socket), notify.ready)),
            poststop: self.poststop.clone(),
            oom_score: self.oom_score,
        }
    }
}

impl Connection {
    fn state<'a>(&'a self, number: u32, kept: &mut Kept<'a>) -> state::Connection {
        let (unread, riders) = self.framing.rest();
        state::Connection {
            number,
            socket: kept.keep(&self.socket),
            role: match &self.role {
                Role::Asking => state::Role::Asking,
                Role::AwaitsEnd => state::Role::AwaitsEnd,
                Role::AwaitsReady => state::Role::AwaitsReady,
                Role::AwaitsExec(session) => state::Role::AwaitsExec(*session),
                Role::Watches(watcher) => {
                    let [stdout, stderr] = watcher.descriptors();
                    state::Role::Watches { stdout: kept.keep(stdout), stderr: kept.keep(stderr) }
                }
                Role::AwaitsReexec => state::Role::AwaitsReexec,
            },
            unread: unread.to_vec(),
            riders: riders.iter().map(|(at, rider)| (*at, kept.keep(rider))).collect(),
            unsent: self.output.clone(),
            passed: kept.keep_all(&self.passed),
        }
    }
}

/// Takes over what [`Supervisor::state`] of another program has left.
pub(super) fn rebuild(state: State) -> Result<Supervisor> {
    let outputs = state.outputs.into_iter().map(|output| {
        output
            .map(|state::Output { source, stream, cutter }| {
                Ok(Output { source: take(source)?, stream, cutter })
            })
            .transpose()
    });
    Ok(Supervisor {
        outputs: outputs.collect::<Result<_>>()?,
        container: container(state.container)?,
        stop: state.stop,
        epoll: Epoll::new().doing("make an epoll descriptor")?,
        listener: take(state.listener)?,
        signals: own::take_signals()?,
        log: LogFile::resume(state.log, state.dropped),
        log_retry: None,
        exit_file: ExitFile::resume(File::from(take(state.exit_file)?)),
        connections: state
            .connections
            .into_iter()
            .map(|one| Ok((one.number, connection(one)?)))
            .collect::<Result<_>>()?,
        beginnings: BTreeMap::new(),
        sessions: state
            .sessions
            .into_iter()
            .map(|one| Ok((one.number, session(one)?)))
            .collect::<Result<_>>()?,
        last_connection: state.last_connection,
        last_session: state.last_session,
        successor: None,
        exit_line: None,
    })
}

fn container(state: state::Container) -> Result<Container> {
    let terminal = state.terminal.map(|(master, other_side)| {
        Ok(Terminal { master: take(master)?, other_side: take(other_side)? })
    });
    let notify = state.notify.map(|(socket, ready)| Ok(Notify { socket: take(socket)?, ready }));
    Ok(Container {
        identity: state.identity,
        pid: state.pid,
        pidfd: take(state.pidfd)?,
        cgroup: Cgroup::made(state.cgroup, state.cgroup_parents),
        config: File::from(take(state.config)?),
        stdin: state.stdin.map(take).transpose()?,
        terminal: terminal.transpose()?,
        notify: notify.transpose()?,
        poststop: state.poststop,
        oom_score: state.oom_score,
    })
}

fn connection(state: state::Connection) -> Result<Connection> {
    let role = match state.role {
        state::Role::Asking => Role::Asking,
        state::Role::AwaitsEnd => Role::AwaitsEnd,
        state::Role::AwaitsReady => Role::AwaitsReady,
        state::Role::AwaitsExec(session) => Role::AwaitsExec(session),
        state::Role::AwaitsReexec => Role::AwaitsReexec,
        state::Role::Watches { stdout, stderr } => {
            match Watcher::new(take(stdout)?, take(stderr)?) {
                Ok(watcher) => Role::Watches(Box::new(watcher)),
                // Its reader has gone meanwhile; the connection may ask for another.
                Err(_) => Role::Asking,
            }
        }
    };
    let riders = state.riders.into_iter().map(|(at, rider)| Ok((at, take(rider)?)));
    let framing = Framing::resume(state.unread, riders.collect::<Result<_>>()?);
    let passed = state.passed.into_iter().map(take).collect::<Result<_>>()?;
    Ok(Connection::resume(take(state.socket)?, role, framing, state.unsent, passed))
}

fn session(state: state::Session) -> Result<Session> {
    Ok(Session {
        pid: state.pid,
        pidfd: take(state.pidfd)?,
        master: state.master.map(take).transpose()?,
        connection: state.connection,
    })
}

/// Takes a descriptor of the program before; the next exec closes it again.
fn take(number: RawFd) -> Result<OwnedFd> {
    let doing = format!("take over descriptor {number}");
    let taken = descriptor::adopt(number).doing(&doing)?;
    descriptor::set_close_on_exec(taken.as_fd(), true).doing(&doing)?;
    Ok(taken)
}
