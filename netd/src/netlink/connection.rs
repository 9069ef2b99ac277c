//! A conversation with the kernel on one netlink socket.

use super::message::{Messages, split};
use netlink_sys::{Socket, SocketAddr};
use std::io;
use std::os::fd::AsRawFd;

/// Which part of the kernel a socket speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Route,
    Netfilter,
}

/// The kernel refused a message.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct Refused {
    /// Verb and object of the message.
    pub what: String,
    pub source: io::Error,
}

impl Refused {
    pub fn new(what: impl Into<String>, source: io::Error) -> Self {
        Self { what: what.into(), source }
    }

    pub fn is(&self, errno: i32) -> bool {
        self.source.raw_os_error() == Some(errno)
    }
}

/// How the kernel's answers to several messages end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// Each message is acknowledged.
    WithAcks,
    /// Only errors are told, all of them before `send` returned.
    WhenDrained,
}

pub struct Connection {
    socket: Socket,
    sequence: u32,
    port: u32,
    buffer: Vec<u8>,
}

impl Connection {
    /// Opens a socket in the network namespace of the calling thread, where it stays.
    pub fn open(family: Family) -> io::Result<Self> {
        let mut socket = Socket::new(match family {
            Family::Route => libc::NETLINK_ROUTE as isize,
            Family::Netfilter => libc::NETLINK_NETFILTER as isize,
        })?;
        let address = socket.bind_auto()?;
        Ok(Self {
            socket,
            sequence: 1,
            port: address.port_number(),
            buffer: Vec::with_capacity(64 * 1024),
        })
    }

    /// Opens a socket that receives the notifications of these groups.
    pub fn subscribe(family: Family, groups: &[u32]) -> io::Result<Self> {
        let connection = Self::open(family)?;
        for group in groups {
            connection.socket.add_membership(*group)?;
        }
        Ok(connection)
    }

    /// The socket's netlink port, which notifications of its own changes carry.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// Sends messages that carry `NLM_F_ACK` and waits for every answer. The kernel handles each
    /// one also after an earlier one failed; the first failure is returned.
    pub fn acknowledged(&mut self, messages: Messages) -> Result<(), Refused> {
        self.exchange(messages, Ends::WithAcks, |_| {})
    }

    /// As [`Self::acknowledged`]; the payload of what the kernel answers besides goes to `each`.
    pub fn answered(&mut self, messages: Messages, each: impl FnMut(&[u8])) -> Result<(), Refused> {
        self.exchange(messages, Ends::WithAcks, each)
    }

    /// Sends an nftables batch: it takes effect as a whole or not at all, and only errors are told.
    pub fn transaction(&mut self, messages: Messages) -> Result<(), Refused> {
        self.exchange(messages, Ends::WhenDrained, |_| {})
    }

    fn exchange(
        &mut self,
        mut messages: Messages,
        ends: Ends,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), Refused> {
        if messages.is_empty() {
            return Ok(());
        }
        let first = self.send(&mut messages)?;
        let mut left = messages.parts.len();
        let mut refused = None;
        while left > 0 {
            if !self
                .receive(ends == Ends::WhenDrained)
                .map_err(|e| Refused::new("read netlink", e))?
            {
                break;
            }
            for received in split(&self.buffer) {
                let index = usize::try_from(received.sequence.wrapping_sub(first)).ok();
                let Some((_, what)) = index.and_then(|i| messages.parts.get(i)) else { continue };
                if i32::from(received.kind) != libc::NLMSG_ERROR {
                    each(received.payload);
                    continue;
                }
                left = left.saturating_sub(1);
                if let Some(error) = error_of(received.payload) {
                    refused.get_or_insert_with(|| Refused::new(what.clone(), error));
                }
            }
        }
        refused.map_or(Ok(()), Err)
    }

    fn send(&mut self, messages: &mut Messages) -> Result<u32, Refused> {
        if messages.overflow {
            let cause = io::Error::new(io::ErrorKind::InvalidInput, "an attribute is over 64 KiB");
            return Err(Refused::new("write netlink message", cause));
        }
        let first = self.sequence;
        let count = u32::try_from(messages.parts.len()).unwrap_or(u32::MAX);
        self.sequence = self.sequence.wrapping_add(count);
        let datagram = messages.number(first);
        let failed = |e| Refused::new("send to netlink", e);
        crate::sys::socket::reserve_send_buffer(self.socket.as_raw_fd(), datagram.len())
            .map_err(failed)?;
        let kernel = SocketAddr::new(0, 0);
        self.socket.send_to(datagram, &kernel, 0).map_err(failed)?;
        Ok(first)
    }

    /// Asks for a dump and gives each object's type and payload to `each`. A dump that the kernel
    /// says was torn by a change is asked for again, so `each` may see an object twice.
    pub fn dump(
        &mut self,
        what: &str,
        kind: u16,
        header: &[u8],
        mut each: impl FnMut(u16, &[u8]),
    ) -> Result<(), Refused> {
        const TRIES: usize = 5;
        for _ in 0..TRIES {
            let mut messages = Messages::new();
            messages.push(what, kind, libc::NLM_F_DUMP, |b| {
                b.raw(header);
            });
            let sequence = self.send(&mut messages)?;
            if self.dump_once(sequence, &mut each).map_err(|e| Refused::new(what, e))? {
                return Ok(());
            }
        }
        Err(Refused::new(what, io::ErrorKind::Interrupted.into()))
    }

    /// Whether the dump is consistent.
    fn dump_once(&mut self, sequence: u32, each: &mut impl FnMut(u16, &[u8])) -> io::Result<bool> {
        let mut whole = true;
        loop {
            self.receive(false)?;
            for received in split(&self.buffer).filter(|r| r.sequence == sequence) {
                whole &= received.flags & (libc::NLM_F_DUMP_INTR as u16) == 0;
                match i32::from(received.kind) {
                    libc::NLMSG_DONE => return Ok(whole),
                    libc::NLMSG_ERROR => return error_of(received.payload).map_or(Ok(whole), Err),
                    _ => each(received.kind, received.payload),
                }
            }
        }
    }

    /// Waits for notifications and gives each one's type, the port of who caused it, and payload.
    /// `ENOBUFS` says that some were lost.
    pub fn notifications(&mut self, mut each: impl FnMut(u16, u32, &[u8])) -> io::Result<()> {
        self.receive(false)?;
        for received in split(&self.buffer) {
            each(received.kind, received.port, received.payload);
        }
        Ok(())
    }

    /// Reads one datagram; false if there is none and `drained` says not to wait.
    fn receive(&mut self, drained: bool) -> io::Result<bool> {
        let flags = if drained { libc::MSG_DONTWAIT } else { 0 };
        loop {
            self.buffer.clear();
            match self.socket.recv(&mut self.buffer, flags) {
                Ok(_) => return Ok(true),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && drained => return Ok(false),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

/// The error in an `nlmsgerr`; none is an acknowledgement.
fn error_of(payload: &[u8]) -> Option<io::Error> {
    let code = payload.get(..4).and_then(|b| b.try_into().ok()).map(i32::from_ne_bytes)?;
    (code != 0).then(|| io::Error::from_raw_os_error(-code))
}
