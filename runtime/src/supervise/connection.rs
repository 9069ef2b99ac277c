//! One client of the socket: what it sent, what it is still to be sent, what it waits for.
//!
//! Nothing here blocks, and nothing grows: a client that does not read its answers is not read from.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::attach::Watcher;
use super::framing::{Excess, Framing, LONGEST_LINE, Line, MOST_RIDERS};
use super::request;
use crate::sys::{epoll, rights};

/// What a connection is there for.
pub(super) enum Role {
    /// It may ask the next thing.
    Asking,
    /// It is told when the container has ended (`wait`, `stop`).
    AwaitsEnd,
    /// It is told when the program is ready.
    AwaitsReady,
    /// It is told when this process of `exec` has ended.
    AwaitsExec(u32),
    Watches(Box<Watcher>),
    /// It is told by the program that takes over.
    AwaitsReexec,
}

pub(super) struct Connection {
    pub(super) socket: OwnedFd,
    pub(super) role: Role,
    pub(super) framing: Framing<OwnedFd>,
    /// Not sent yet.
    pub(super) output: Vec<u8>,
    /// Go with the first byte of `output`.
    pub(super) passed: Vec<OwnedFd>,
    /// The client sends no more.
    input_ended: bool,
    /// Beyond use: closed by the client, or it sent what no request can be.
    broken: bool,
}

impl Connection {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self::resume(socket, Role::Asking, Framing::new(), Vec::new(), Vec::new())
    }

    /// Goes on with a connection of the program before.
    pub(super) fn resume(
        socket: OwnedFd,
        role: Role,
        framing: Framing<OwnedFd>,
        output: Vec<u8>,
        passed: Vec<OwnedFd>,
    ) -> Self {
        Self { socket, role, framing, output, passed, input_ended: false, broken: false }
    }

    /// The events to wait for, beside a hang-up.
    pub(super) fn interest(&self) -> u32 {
        let asking = matches!(self.role, Role::Asking) && !self.input_ended;
        match (self.output.is_empty(), asking) {
            (false, _) => epoll::WRITABLE,
            (true, true) => epoll::READABLE,
            (true, false) => 0,
        }
    }

    /// Nothing more can come of it.
    pub(super) fn is_over(&self) -> bool {
        let answered = self.input_ended && self.output.is_empty();
        self.broken || (answered && matches!(self.role, Role::Asking))
    }

    /// Reads what is there. Lines that are complete wait in the framing.
    pub(super) fn receive(&mut self) {
        let mut buffer = [0; 16 * 1024];
        match rights::receive(self.socket.as_fd(), &mut buffer) {
            Ok(received) if received.truncated => {
                self.reject(&format!("read request: more than {} descriptors came", rights::MOST));
            }
            Ok(received) if received.length == 0 => self.input_ended = true,
            Ok(received) => self.framing.push(&buffer[..received.length], received.passed),
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.broken = true,
        }
    }

    /// The next request, if it may be answered now.
    pub(super) fn next_request(&mut self) -> Option<Line<OwnedFd>> {
        if self.broken || !self.output.is_empty() || !matches!(self.role, Role::Asking) {
            return None;
        }
        match self.framing.next() {
            Ok(request) => request,
            Err(Excess::Line) => {
                self.reject(&format!("read request: longer than {LONGEST_LINE} bytes"));
                None
            }
            Err(Excess::Riders) => {
                self.reject(&format!("read request: more than {MOST_RIDERS} descriptors came"));
                None
            }
        }
    }

    /// Says why and is over.
    fn reject(&mut self, why: &str) {
        self.send(&request::refused(&why), Vec::new());
        self.broken = true;
    }

    /// Queues one line with its descriptors and sends what fits now.
    pub(super) fn send(&mut self, line: &[u8], passed: Vec<OwnedFd>) {
        self.output.extend_from_slice(line);
        if !passed.is_empty() {
            self.passed = passed;
        }
        self.flush();
    }

    /// Sends what fits now.
    pub(super) fn flush(&mut self) {
        while !self.output.is_empty() && !self.broken {
            let passed: Vec<_> = self.passed.iter().map(AsFd::as_fd).collect();
            match rights::send(self.socket.as_fd(), &self.output, &passed) {
                Ok(sent) => {
                    self.output.drain(..sent);
                    self.passed.clear();
                }
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.broken = true,
            }
        }
        self.output.shrink_to(1024);
    }
}
