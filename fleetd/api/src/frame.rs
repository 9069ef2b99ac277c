//! The frames of an exec session after the HTTP upgrade.
//!
//! One byte of channel, four bytes of length (big-endian), the payload. A payload has at most
//! [`MAX_PAYLOAD`] bytes. An empty [`Channel::Stdin`] frame is the end of input. [`Control`] is JSON.

use serde::{Deserialize, Serialize};

pub const HEADER: usize = 5;
pub const MAX_PAYLOAD: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    Stdin = 0,
    Stdout = 1,
    Stderr = 2,
    Control = 3,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "control", rename_all = "snake_case")]
pub enum Control {
    /// Client: the terminal has a new size.
    Resize { rows: u16, columns: u16 },
    /// Server, last frame: the program ended. A signal gives 128 + its number.
    Exit { code: i32 },
    /// Server, last frame: the program did not start or its end is unknown.
    Failed { message: String },
}

/// Why a frame cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadFrame {
    Channel(u8),
    Length(u32),
}

impl std::fmt::Display for BadFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Channel(c) => write!(f, "read exec frame: channel {c} is not known"),
            Self::Length(n) => write!(f, "read exec frame: {n} bytes are over {MAX_PAYLOAD}"),
        }
    }
}

impl std::error::Error for BadFrame {}

/// The header of a frame with `length` bytes of payload.
pub fn header(channel: Channel, length: usize) -> [u8; HEADER] {
    debug_assert!(length <= MAX_PAYLOAD);
    let [a, b, c, d] = (length as u32).to_be_bytes();
    [channel as u8, a, b, c, d]
}

/// Reads a header: the channel and the payload's length.
pub fn parse(header: [u8; HEADER]) -> Result<(Channel, usize), BadFrame> {
    let [channel, length @ ..] = header;
    let channel = match channel {
        0 => Channel::Stdin,
        1 => Channel::Stdout,
        2 => Channel::Stderr,
        3 => Channel::Control,
        other => return Err(BadFrame::Channel(other)),
    };
    let length = u32::from_be_bytes(length);
    if length as usize > MAX_PAYLOAD {
        return Err(BadFrame::Length(length));
    }
    Ok((channel, length as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_as_it_went() {
        let bytes = header(Channel::Stderr, 70);
        assert_eq!(parse(bytes), Ok((Channel::Stderr, 70)));
    }

    #[test]
    fn a_foreign_header_is_refused() {
        assert_eq!(parse([9, 0, 0, 0, 0]), Err(BadFrame::Channel(9)));
        assert_eq!(parse([0, 0, 1, 0, 1]), Err(BadFrame::Length(65537)));
    }
}
