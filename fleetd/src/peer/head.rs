//! The header of a request as it comes in, before HTTP is read: how its body is framed.
//!
//! A request that says twice where it ends is how one request is hidden in another. hyper takes
//! some of these (it follows RFC 9112, 6.3, and closes afterwards) and leaves no trace of what it
//! dropped; nobody who means well sends any, so here they are refused. So are requests that are
//! sent before the answer to the one before: no client of ours does that.

use super::limits::HEADER;

/// What was seen since the request before was answered.
#[derive(Debug, Default)]
pub(super) struct Head {
    seen: Vec<u8>,
    /// Set at the end of the header.
    verdict: Option<Result<(), &'static str>>,
}

impl Head {
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        if self.verdict.is_some() {
            return;
        }
        if self.seen.is_empty() {
            // Empty lines before a request are skipped (RFC 9112, 2.2).
            let skipped = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            bytes = bytes.get(skipped..).unwrap_or_default();
        }
        // The end may be in two pieces.
        let from = self.seen.len().saturating_sub(3);
        self.seen.extend_from_slice(bytes);
        let end = end(self.seen.get(from..).unwrap_or_default()).map(|end| from + end);
        match end {
            Some(end) if end <= HEADER => {
                self.verdict = Some(check(self.seen.get(..end).unwrap_or_default()));
            }
            None if self.seen.len() <= HEADER => return,
            _ => self.verdict = Some(Err("its header is too long")),
        }
        self.seen = Vec::new();
    }

    /// Of the request that was read, which is forgotten.
    pub(super) fn take(&mut self) -> Result<(), &'static str> {
        let verdict = std::mem::take(self).verdict;
        verdict.unwrap_or(Err("it was sent before the answer to the one before"))
    }
}

/// Behind the first empty line.
fn end(bytes: &[u8]) -> Option<usize> {
    let mut lines = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    lines.find_map(|(at, _)| match bytes.get(at + 1..) {
        Some([b'\n', ..]) => Some(at + 2),
        Some([b'\r', b'\n', ..]) => Some(at + 3),
        _ => None,
    })
}

fn check(head: &[u8]) -> Result<(), &'static str> {
    let (mut lengths, mut encodings) = (0, 0);
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii();
        lengths += usize::from(name.eq_ignore_ascii_case(b"content-length"));
        encodings += usize::from(name.eq_ignore_ascii_case(b"transfer-encoding"));
    }
    match (lengths, encodings) {
        (0 | 1, 0) | (0, 1) => Ok(()),
        _ => Err("it says more than once where its body ends"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str) -> Result<(), &'static str> {
        let mut whole = Head::default();
        whole.feed(text.as_bytes());
        let mut pieces = Head::default();
        text.as_bytes().chunks(1).for_each(|piece| pieces.feed(piece));
        let verdict = whole.take();
        assert_eq!(pieces.take(), verdict, "{text:?} in pieces");
        verdict
    }

    #[test]
    fn a_body_ends_once() {
        for good in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "PUT / HTTP/1.1\nTransfer-Encoding: chunked\n\n",
            "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(verdict(good), Ok(()), "{good:?}");
        }
        for bad in [
            "PUT / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\ncontent-length: 5\r\n\r\n",
            "PUT / HTTP/1.1\r\nCONTENT-LENGTH:5\r\nTransfer-encoding : chunked\r\n\r\n",
            "PUT / HTTP/1.1\nContent-Length: 5\nTransfer-Encoding: chunked\n\n",
            "\r\n\r\nPUT / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "PUT / HTTP/1.1\r\nTransfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n",
            "PUT / HTTP/1.1\r\nContent-Length: 5",
        ] {
            assert!(verdict(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn no_more_is_kept_than_a_header_may_have() {
        let mut head = Head::default();
        for _ in 0..100 {
            head.feed(&[b'a'; 4096]);
        }
        assert!(head.seen.capacity() <= 2 * HEADER);
        assert_eq!(head.take(), Err("its header is too long"));
    }
}
