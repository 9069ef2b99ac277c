//! `ocirun supervise`: monitor and runtime of one container, in one process.
//!
//! ```text
//! start.rs  plumbing.rs  own.rs         from options to a running container
//! mod.rs  watch.rs                      the loop: one epoll over everything, no thread
//! pump.rs  log.rs  log_file.rs          the output, into the log
//! attach.rs                             and to those who watch
//! notify.rs                             what the program says about itself
//! connection.rs  framing.rs  request.rs the socket: bytes, lines, requests
//! serve.rs  exec.rs  stop.rs            what is asked over it
//! reexec.rs  handover.rs  state.rs      another program takes over, in the same process
//! end.rs  record.rs                     how it ended
//! ```
//!
//! The contract with fleetd is in `docs/design.md`, for operators in `docs/supervise.md`. Nothing in
//! the loop waits for a client, a disk that is full, or a program: the container's output is taken
//! whatever the others do.

mod attach;
mod connection;
mod end;
mod exec;
mod framing;
mod handover;
mod log;
mod log_file;
mod notify;
mod own;
mod plumbing;
mod pump;
mod record;
mod reexec;
mod request;
mod serve;
mod start;
mod state;
mod stop;
mod time;
mod watch;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

pub use reexec::{judge, resume};
pub use start::{Options, run};

use crate::cgroup::Cgroup;
use crate::error::{Doing, Result};
use crate::sys::epoll::{self, Epoll, Event};
use crate::sys::{clock, signal};
use connection::Connection;
use exec::{Beginning, Session};
use log_file::LogFile;
use notify::Notify;
use pump::{Output, Read};
use record::{ExitFile, Identity};
use reexec::Successor;
use stop::Stop;
use watch::Watch;

/// How often a full disk is tried again while the program says nothing.
const LOG_RETRY: Duration = Duration::from_secs(5);

/// The supervisor of a running container.
struct Supervisor {
    container: Container,
    stop: Stop,
    epoll: Epoll,
    listener: OwnedFd,
    signals: OwnedFd,
    /// `None` once it has ended.
    outputs: Vec<Option<Output>>,
    log: LogFile,
    log_retry: Option<Duration>,
    exit_file: ExitFile,
    connections: BTreeMap<u32, Connection>,
    /// Processes of `exec` that have not executed their program yet, and those that have.
    beginnings: BTreeMap<u32, Beginning>,
    sessions: BTreeMap<u32, Session>,
    /// The last numbers given to a connection and to a session of `exec`.
    last_connection: u32,
    last_session: u32,
    successor: Option<Successor>,
    /// The answer to those who wait, once the container has ended.
    exit_line: Option<Vec<u8>>,
}

/// The container and what belongs to it alone.
struct Container {
    identity: Identity,
    pid: i32,
    pidfd: OwnedFd,
    cgroup: Cgroup,
    /// `config.json`, read again for `exec`: keeping it in memory would cost more than the rest of
    /// the supervisor.
    config: File,
    /// The writing end of its stdin, if it has one.
    stdin: Option<OwnedFd>,
    terminal: Option<Terminal>,
    notify: Option<Notify>,
    /// The bundle, if there are hooks to run after the end (`poststop`).
    poststop: Option<PathBuf>,
    /// What programs get as their oom score where the document sets none: the supervisor's own
    /// before it changed it.
    oom_score: Option<i32>,
}

/// A container's own terminal.
struct Terminal {
    master: OwnedFd,
    /// Held so that the terminal outlives the moments when nobody in the container has it open.
    other_side: OwnedFd,
}

impl Supervisor {
    /// Until the container has ended.
    fn watch(&mut self) -> Result<()> {
        loop {
            let events = self.epoll.wait(self.timeout()).doing("wait for events")?;
            for event in events {
                match Watch::of(event.token) {
                    Some(Watch::Container) => return Ok(()),
                    Some(watch) => self.on_event(watch, event),
                    None => {}
                }
            }
            self.on_time();
        }
    }

    fn on_event(&mut self, watch: Watch, event: Event) {
        match watch {
            Watch::Container => {}
            Watch::Listener => self.accept(),
            Watch::Signals => self.on_signal(),
            Watch::Notify => self.on_notify(),
            Watch::Output(number) => self.on_output(number as usize),
            Watch::Successor => self.on_verdict(),
            Watch::Beginning(number) => self.on_begun(number),
            Watch::Exec(number) => self.on_exec_end(number),
            Watch::Connection(number) => self.on_connection(number, event.events),
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let successor = self.successor.as_ref().map(|successor| successor.deadline);
        let next = [self.stop.kill_at, self.log_retry, successor].into_iter().flatten().min()?;
        Some(next.saturating_sub(clock::since_boot()))
    }

    /// Does what is due.
    fn on_time(&mut self) {
        let now = clock::since_boot();
        let is_due = |time: Option<Duration>| time.is_some_and(|time| time <= now);
        if is_due(self.stop.kill_at) {
            self.kill();
        }
        if is_due(self.log_retry) {
            self.log.flush(&stamp());
        }
        if is_due(self.successor.as_ref().map(|successor| successor.deadline)) {
            self.give_up_successor();
        }
        if !self.log.owes_a_line() {
            self.log_retry = None;
        } else if self.log_retry.is_none() || is_due(self.log_retry) {
            self.log_retry = Some(now + LOG_RETRY);
        }
    }

    /// Takes one chunk, so that a program that never stops talking does not keep the others out.
    fn on_output(&mut self, number: usize) {
        let Some(Some(output)) = self.outputs.get_mut(number) else { return };
        let mut buffer = [0; pump::CHUNK];
        match output.read(&mut buffer) {
            Read::Some(length) => {
                let stream = output.stream;
                output.log(&buffer[..length], &stamp(), &mut self.log);
                self.copy_to_watchers(stream, &buffer[..length]);
            }
            Read::Nothing => {}
            Read::End => {
                output.finish(&stamp(), &mut self.log);
                // It is closed with the rest of the descriptor, a moment later.
                let _ = self.epoll.remove(output.source.as_fd());
                self.outputs[number] = None;
            }
        }
    }

    fn on_signal(&mut self) {
        while let Ok(number) = signal::take_signal(self.signals.as_fd()) {
            if number != libc::SIGHUP {
                self.say(&format!("stop: the supervisor got signal {number}"));
                self.stop_by_default();
            }
        }
    }

    /// Writes a line of its own into the log.
    fn say(&mut self, text: &str) {
        self.log.say(&stamp(), text);
    }

    /// Waits for input from `file` from now on.
    fn listen_to(&self, file: BorrowedFd<'_>, watch: Watch) -> Result<()> {
        self.epoll.add(file, epoll::READABLE, watch.token()).doing("wait for events")
    }
}

/// The time for a line of the log.
fn stamp() -> String {
    time::rfc3339(record::now())
}
