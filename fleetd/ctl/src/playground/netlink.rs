//! The little netlink that a switch needs: messages out, errors back (netlink(7)).
//!
//! The kernel handles a message, and has queued what it says of it, before the send returns.

use super::process::Process;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

const HEADER: usize = 16;
/// `NLM_F_REQUEST` of linux/netlink.h. Without `NLM_F_ACK` only errors are answered.
const REQUEST: u16 = 1;
const NESTED: u16 = 1 << 15;
/// `NLMSG_ERROR` of linux/netlink.h.
const ERROR: u16 = 2;

/// Messages in order, of one datagram.
#[derive(Default)]
pub(super) struct Messages {
    bytes: Vec<u8>,
    /// What each message does: verb and object.
    what: Vec<String>,
}

impl Messages {
    /// Appends a message of a type, its fixed header and its attributes.
    pub(super) fn push(
        &mut self,
        what: impl Into<String>,
        kind: u16,
        flags: u16,
        header: &[u8],
        fill: impl FnOnce(&mut Attributes<'_>),
    ) {
        let start = self.bytes.len();
        let sequence = u32::try_from(self.what.len()).unwrap_or(u32::MAX);
        self.what.push(what.into());
        self.bytes.extend([0; 4]);
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((flags | REQUEST).to_ne_bytes());
        self.bytes.extend(sequence.to_ne_bytes());
        self.bytes.extend([0; 4]);
        self.bytes.extend(header);
        fill(&mut Attributes(&mut self.bytes));
        let length = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }
}

/// Appends attributes: length, type, value, padded to four bytes.
pub(super) struct Attributes<'a>(&'a mut Vec<u8>);

impl Attributes<'_> {
    pub(super) fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        self.attribute(kind, |inner| inner.0.extend(value))
    }

    /// With a NUL at its end.
    pub(super) fn text(&mut self, kind: u16, value: &str) -> &mut Self {
        self.attribute(kind, |inner| {
            inner.0.extend(value.as_bytes());
            inner.0.push(0);
        })
    }

    /// In the host's order, as rtnetlink has numbers.
    pub(super) fn u32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// In the network's order, as nftables has numbers.
    pub(super) fn be32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// The fixed header of a message within an attribute.
    pub(super) fn raw(&mut self, value: &[u8]) -> &mut Self {
        self.0.extend(value);
        self
    }

    pub(super) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Attributes<'_>)) -> &mut Self {
        self.attribute(kind | NESTED, fill)
    }

    /// What is written here has names of links and numbers, far below the 64 KiB of an attribute,
    /// but for lists of rules, which go as messages of their own.
    fn attribute(&mut self, kind: u16, fill: impl FnOnce(&mut Attributes<'_>)) -> &mut Self {
        let start = self.0.len();
        self.0.extend([0; 2]);
        self.0.extend(kind.to_ne_bytes());
        fill(&mut Attributes(self.0));
        let length = u16::try_from(self.0.len() - start).unwrap_or(u16::MAX);
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }
}

/// The network namespace of a process, by a descriptor.
pub(super) fn namespace_of(process: &Process) -> io::Result<OwnedFd> {
    let _held = process.open()?;
    let file = File::open(format!("/proc/{}/ns/net", process.pid))?;
    // The pid meant our process all the while if it is still there.
    if process.runs() { Ok(file.into()) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// A socket in another network namespace, where it stays. The thread that goes there ends.
pub(super) fn open_in(namespace: &OwnedFd, protocol: Option<Protocol>) -> io::Result<OwnedFd> {
    let open = || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        let flags = SocketFlags::CLOEXEC;
        socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)
    };
    let opened = std::thread::scope(|scope| scope.spawn(open).join());
    Ok(opened.map_err(|_| io::Error::other("the thread panicked"))??)
}

/// Sends the messages; the first error with what it is about.
pub(super) fn exchange(socket: &OwnedFd, messages: &Messages) -> Result<(), (String, io::Error)> {
    let all = || messages.what.first().cloned().unwrap_or_default();
    send(socket, &messages.bytes, SendFlags::empty()).map_err(|e| (all(), e.into()))?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = match recv(socket, &mut buffer[..], RecvFlags::DONTWAIT) {
            Err(rustix::io::Errno::AGAIN) => return Ok(()),
            other => other.map_err(|e| (all(), e.into()))?.0,
        };
        if let Some((sequence, error)) = refusal(buffer.get(..length).unwrap_or_default()) {
            let what = messages.what.get(sequence as usize).cloned();
            return Err((what.unwrap_or_else(all), error));
        }
    }
}

/// The first error in a datagram, with the number of its message.
fn refusal(mut bytes: &[u8]) -> Option<(u32, io::Error)> {
    loop {
        let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
        if length < HEADER {
            return None;
        }
        let message = bytes.get(..length)?;
        let kind = u16::from_ne_bytes(message.get(4..6)?.try_into().ok()?);
        let sequence = u32::from_ne_bytes(message.get(8..12)?.try_into().ok()?);
        if kind == ERROR {
            let code = message.get(HEADER..HEADER + 4)?.try_into().ok()?;
            let code = i32::from_ne_bytes(code);
            if code != 0 {
                return Some((sequence, io::Error::from_raw_os_error(-code)));
            }
        }
        bytes = bytes.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_header_and_padded_attributes() {
        let mut messages = Messages::default();
        messages.push("a", 16, 0, &[9; 4], |a| {
            a.text(3, "h1").nest(18, |a| {
                a.u32(1, 7);
            });
        });
        let mut expected = vec![40, 0, 0, 0, 16, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9];
        expected.extend([7, 0, 3, 0, b'h', b'1', 0, 0]);
        expected.extend([12, 0, 18, 0x80, 8, 0, 1, 0, 7, 0, 0, 0]);
        assert_eq!(messages.bytes, expected);
    }

    #[test]
    fn an_error_is_found_behind_an_acknowledgement() {
        let answer = |sequence: u8, code: i32| {
            let mut bytes = vec![20, 0, 0, 0, 2, 0, 0, 0, sequence, 0, 0, 0, 0, 0, 0, 0];
            bytes.extend(code.to_ne_bytes());
            bytes
        };
        let (sequence, error) = refusal(&[answer(0, 0), answer(1, -17)].concat()).unwrap();
        assert_eq!((sequence, error.raw_os_error()), (1, Some(17)));
        assert!(refusal(&answer(0, 0)).is_none());
        // What is cut short or lies about its length is no error and no loop.
        assert!(refusal(&[0, 0, 0, 0, 2]).is_none() && refusal(&[255, 0, 0, 0, 2, 0]).is_none());
    }
}
