//! Answers to what clients ask.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use serde_json::json;

use super::attach::Watcher;
use super::connection::{Connection, Role};
use super::log::Stream;
use super::request::{self, Request};
use super::{Supervisor, Watch, notify};
use crate::error::{Doing, Error, Result};
use crate::sys::{epoll, identity, rights, socket, terminal};

/// More connections than these are refused: each costs a descriptor and some memory.
const MOST_CONNECTIONS: usize = 128;

/// What a request is answered with now, and what its connection is for from then on.
pub(super) struct Answer {
    line: Vec<u8>,
    passed: Vec<OwnedFd>,
    role: Role,
}

impl Answer {
    pub(super) fn line(line: Vec<u8>) -> Self {
        Self { line, passed: Vec::new(), role: Role::Asking }
    }

    pub(super) fn done() -> Self {
        Self::line(request::done())
    }

    pub(super) fn later(role: Role) -> Self {
        Self { role, ..Self::line(Vec::new()) }
    }

    pub(super) fn passing(mut self, passed: Vec<OwnedFd>) -> Self {
        self.passed = passed;
        self
    }

    pub(super) fn then(mut self, role: Role) -> Self {
        self.role = role;
        self
    }
}

impl Supervisor {
    /// Takes every client that has connected.
    pub(super) fn accept(&mut self) {
        while let Ok(client) = socket::accept(self.listener.as_fd()) {
            let mut connection = Connection::new(client);
            if let Err(error) = self.admit(&connection) {
                connection.send(&request::refused(&error), Vec::new());
                continue;
            }
            self.last_connection += 1;
            self.connections.insert(self.last_connection, connection);
        }
    }

    fn admit(&self, connection: &Connection) -> Result<()> {
        let user = rights::peer_user(connection.socket.as_fd()).doing("accept the connection")?;
        if user != 0 && user != identity::geteuid() {
            return Err(Error::new(format_args!("accept the connection: user {user} may not")));
        }
        if self.connections.len() >= MOST_CONNECTIONS {
            return Err(Error::new(format_args!(
                "accept the connection: {MOST_CONNECTIONS} are open already"
            )));
        }
        self.listen_to(connection.socket.as_fd(), Watch::Connection(self.last_connection + 1))
    }

    pub(super) fn on_connection(&mut self, number: u32, events: u32) {
        let Some(mut connection) = self.connections.remove(&number) else { return };
        if events & epoll::WRITABLE != 0 {
            connection.flush();
        }
        if connection.interest() == epoll::READABLE {
            connection.receive();
        } else if events & (epoll::HUNG_UP | epoll::ERROR) != 0 {
            return self.forget(number, &connection);
        }
        self.answer_all(number, &mut connection);
        self.keep(number, connection);
    }

    /// Answers what has come, as far as the client takes the answers.
    pub(super) fn answer_all(&mut self, number: u32, connection: &mut Connection) {
        while let Some((line, passed)) = connection.next_request() {
            let answer = request::parse(&line)
                .and_then(|request| self.answer(number, request, passed))
                .unwrap_or_else(|error| Answer::line(request::refused(&error)));
            connection.role = answer.role;
            connection.send(&answer.line, answer.passed);
        }
    }

    /// Puts a connection back, or lets go of it.
    pub(super) fn keep(&mut self, number: u32, connection: Connection) {
        let token = Watch::Connection(number).token();
        let change = self.epoll.change(connection.socket.as_fd(), connection.interest(), token);
        if connection.is_over() || change.is_err() {
            self.forget(number, &connection);
        } else {
            self.connections.insert(number, connection);
        }
    }

    fn forget(&mut self, number: u32, connection: &Connection) {
        // It is closed a moment later in any case.
        let _ = self.epoll.remove(connection.socket.as_fd());
        if let Role::AwaitsExec(session) = connection.role {
            self.leave_exec(session, number);
        }
    }

    /// Sends a line on a connection, if it is still there.
    pub(super) fn tell(&mut self, number: u32, line: &[u8], role: Role) {
        self.tell_passing(number, line, Vec::new(), role);
    }

    /// The same, with descriptors.
    pub(super) fn tell_passing(
        &mut self,
        number: u32,
        line: &[u8],
        passed: Vec<OwnedFd>,
        role: Role,
    ) {
        if let Some(mut connection) = self.connections.remove(&number) {
            connection.role = role;
            connection.send(line, passed);
            self.answer_all(number, &mut connection);
            self.keep(number, connection);
        }
    }

    fn answer(&mut self, number: u32, request: Request, passed: Vec<OwnedFd>) -> Result<Answer> {
        if let Some(answer) = self.answer_after_end(&request) {
            return Ok(answer);
        }
        match request {
            Request::Exec { process } => self.exec(number, *process, passed),
            Request::Attach => attach(passed),
            Request::Reexec => self.begin_reexec(number, passed),
            _ if !passed.is_empty() => Err(Error::new("read request: it takes no descriptor")),
            Request::State => Ok(Answer::line(self.state_line())),
            Request::Wait => Ok(Answer::later(Role::AwaitsEnd)),
            Request::Ready => Ok(self.ready_by_request()),
            Request::Signal { signal, all } => self.signal_by_request(signal, all),
            Request::Stop { signal, timeout_ms } => self.stop_by_request(signal, timeout_ms),
            Request::Stdin { last } => self.stdin(last),
            Request::Resize { exec, rows, columns } => self.resize(exec, rows, columns),
            Request::Lease => Err(Error::new("grant a lease: this version has no leases")),
        }
    }

    /// Clients that came when the container had ended.
    fn answer_after_end(&self, request: &Request) -> Option<Answer> {
        let exit = self.exit_line.as_ref()?;
        Some(Answer::line(match request {
            Request::Wait | Request::Stop { .. } => exit.clone(),
            Request::State => self.state_line(),
            Request::Ready => request::refused(&notify::never()),
            _ => request::refused(&"serve the request: the container has ended"),
        }))
    }

    fn state_line(&self) -> Vec<u8> {
        let identity = &self.container.identity;
        request::ok(&json!({
            "id": identity.id,
            "pid": self.container.pid,
            "status": if self.exit_line.is_some() { "stopped" } else { "running" },
            "started": identity.started,
            "ready": self.is_ready(),
            "version": env!("CARGO_PKG_VERSION"),
            "supervisor_pid": std::process::id(),
        }))
    }

    fn signal_by_request(&self, signal: i32, all: bool) -> Result<Answer> {
        let signal = request::signal_number(signal)?;
        if all { self.signal_all(signal) } else { self.signal(signal) }?;
        Ok(Answer::done())
    }

    fn stop_by_request(
        &mut self,
        signal: Option<i32>,
        timeout_ms: Option<Option<u64>>,
    ) -> Result<Answer> {
        let timeout = match timeout_ms {
            Some(given) => given.map(Duration::from_millis),
            None => self.stop.timeout,
        };
        self.stop(signal, timeout)?;
        Ok(Answer::later(Role::AwaitsEnd))
    }

    fn stdin(&mut self, last: bool) -> Result<Answer> {
        let none =
            || Error::new("pass stdin: the container has none").hint("start it with --stdin");
        let ours = self.container.stdin.as_ref().ok_or_else(none)?;
        let copy = ours.try_clone().doing("pass stdin")?;
        if last {
            self.container.stdin = None;
        }
        Ok(Answer::done().passing(vec![copy]))
    }

    fn resize(&self, exec: Option<u32>, rows: u16, columns: u16) -> Result<Answer> {
        let master = match exec {
            None => self.container.terminal.as_ref().map(|terminal| &terminal.master),
            Some(number) => {
                let session = self.sessions.get(&number);
                let session = session.ok_or_else(|| {
                    Error::new(format_args!(
                        "resize the terminal of exec {number}: no such process"
                    ))
                })?;
                session.master.as_ref()
            }
        };
        let master = master.ok_or_else(|| Error::new("resize the terminal: it has none"))?;
        terminal::set_size(master.as_fd(), rows, columns).doing("resize the terminal")?;
        Ok(Answer::done())
    }

    /// Gives output to all who watch.
    pub(super) fn copy_to_watchers(&mut self, stream: Stream, bytes: &[u8]) {
        let mut closed = Vec::new();
        for (&number, connection) in &mut self.connections {
            let Role::Watches(watcher) = &mut connection.role else { continue };
            match watcher.copy(stream, bytes) {
                // A client that does not read its connection either is not told.
                Ok(Some(lost)) if connection.output.is_empty() => {
                    connection.send(&request::lost(lost), Vec::new());
                }
                Ok(_) => {}
                Err(_) => closed.push(number),
            }
        }
        for number in closed {
            if let Some(connection) = self.connections.remove(&number) {
                self.forget(number, &connection);
            }
        }
    }
}

fn attach(passed: Vec<OwnedFd>) -> Result<Answer> {
    let count = passed.len();
    let Ok([stdout, stderr]) = <[OwnedFd; 2]>::try_from(passed) else {
        return Err(Error::new(format_args!("attach: it takes 2 descriptors, {count} came")));
    };
    let watcher = Watcher::new(stdout, stderr)?;
    Ok(Answer::done().then(Role::Watches(Box::new(watcher))))
}
