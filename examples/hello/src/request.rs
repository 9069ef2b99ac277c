//! The first line of an HTTP message; the rest of the head is read and passed over.

use std::io::{self, BufRead, BufReader, Read};

/// A longer head than this is not for us.
const MAX_HEAD: u64 = 16 * 1024;

pub(crate) struct Head(String);

impl Head {
    pub(crate) fn line(&self) -> &str {
        &self.0
    }

    /// The second word: a request's path, an answer's status code.
    pub(crate) fn path(&self) -> &str {
        self.0.split(' ').nth(1).unwrap_or("")
    }
}

/// Reads a head up to its empty line.
pub(crate) fn read(stream: impl Read) -> io::Result<Head> {
    let mut lines = BufReader::new(stream.take(MAX_HEAD)).lines();
    let first = lines.next().unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))?;
    for line in lines {
        if line?.is_empty() {
            return Ok(Head(first));
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the head has no end within 16 KiB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_the_second_word() {
        let head = read(&b"GET /x HTTP/1.1\r\nHost: a\r\n\r\nbody"[..]).unwrap();
        assert_eq!((head.path(), head.line()), ("/x", "GET /x HTTP/1.1"));
    }

    #[test]
    fn a_head_without_end_is_refused() {
        assert!(read(&b"GET / HTTP/1.1\r\nHost: a\r\n"[..]).is_err());
        assert!(read(&b""[..]).is_err());
    }
}
