//! Several netlink messages that go to the kernel in one datagram.

use super::attribute::Builder;

/// Length of `nlmsghdr`.
pub(super) const HEADER: usize = 16;

/// Messages in order. Sequence numbers are written when they are sent.
#[derive(Default)]
pub struct Messages {
    pub(super) bytes: Vec<u8>,
    /// Where each message starts, and what an error of it is about: verb and object.
    pub(super) parts: Vec<(usize, String)>,
    pub(super) overflow: bool,
}

impl Messages {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Appends one message of type `kind`; `what` names it in errors.
    pub fn push(
        &mut self,
        what: impl Into<String>,
        kind: u16,
        flags: i32,
        fill: impl FnOnce(&mut Builder<'_>),
    ) {
        let start = self.bytes.len();
        self.parts.push((start, what.into()));
        self.bytes.resize(start + HEADER, 0);
        fill(&mut Builder::new(&mut self.bytes, &mut self.overflow));
        let length = u32::try_from(self.bytes.len() - start).unwrap_or_else(|_| {
            self.overflow = true;
            0
        });
        let flags = u16::try_from(flags | libc::NLM_F_REQUEST).unwrap_or_default();
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
        self.bytes[start + 4..start + 6].copy_from_slice(&kind.to_ne_bytes());
        self.bytes[start + 6..start + 8].copy_from_slice(&flags.to_ne_bytes());
    }

    /// Numbers the messages from `first` on and gives the datagram.
    pub(super) fn number(&mut self, first: u32) -> &[u8] {
        for (i, (start, _)) in (0u32..).zip(&self.parts) {
            let sequence = first.wrapping_add(i).to_ne_bytes();
            self.bytes[start + 8..start + 12].copy_from_slice(&sequence);
        }
        &self.bytes
    }
}

/// One message that came from the kernel.
pub(super) struct Received<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) port: u32,
    pub(super) payload: &'a [u8],
}

/// Splits a datagram from the kernel into messages.
pub(super) fn split(mut bytes: &[u8]) -> impl Iterator<Item = Received<'_>> {
    std::iter::from_fn(move || {
        let word = |at: usize| {
            let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_ne_bytes(four))
        };
        let length = usize::try_from(word(0)?).ok()?;
        let types = word(4)?.to_ne_bytes();
        let (sequence, port) = (word(8)?, word(12)?);
        let payload = bytes.get(HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some(Received {
            kind: u16::from_ne_bytes([types[0], types[1]]),
            flags: u16::from_ne_bytes([types[2], types[3]]),
            sequence,
            port,
            payload,
        })
    })
}
