//! The lines of the log: how output is cut into them and how one is written.
//!
//! The format is CRI's: `TIME STREAM FLAG TEXT`. Pure: no clock, no file.

use std::io::Write;

use serde::{Deserialize, Serialize};

/// The longest text of one line; longer lines of the program are written in parts.
pub(super) const PART: usize = 16 * 1024;

/// Where a line comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stream {
    Stdout,
    Stderr,
    /// The supervisor itself has something to say.
    Supervisor,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Supervisor => "supervisor",
        }
    }
}

/// What a line of the log holds of a line of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    /// All of it, or the rest after its parts.
    Full,
    /// A part: more follows, or nothing more did before the stream ended.
    Part,
}

/// Appends one line of the log. `text` has no line feed.
pub(super) fn write(out: &mut Vec<u8>, time: &str, stream: Stream, flag: Flag, text: &[u8]) {
    let flag = if flag == Flag::Full { 'F' } else { 'P' };
    // Writing to a vector cannot fail.
    let _ = write!(out, "{time} {} {flag} ", stream.name());
    out.extend_from_slice(text);
    out.push(b'\n');
}

/// Cuts one stream of bytes into lines, holding the unfinished one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cutter {
    held: Vec<u8>,
    /// A terminal ends its lines with `\r\n`; the carriage return is not text.
    terminal: bool,
}

impl Cutter {
    pub(super) fn new(terminal: bool) -> Self {
        Self { held: Vec::new(), terminal }
    }

    /// Takes more bytes and gives what is complete, in order.
    pub(super) fn push(&mut self, bytes: &[u8], mut line: impl FnMut(Flag, &[u8])) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = PART - self.held.len();
            // One byte more than fits: a line feed may follow exactly PART bytes.
            let window = &rest[..rest.len().min(room + 1)];
            let feed = window.iter().position(|&byte| byte == b'\n');
            let (text, next, flag) = match feed {
                Some(at) => (&window[..at], at + 1, Flag::Full),
                None if window.len() > room => (&window[..room], room, Flag::Part),
                None => {
                    self.held.extend_from_slice(window);
                    return;
                }
            };
            if self.held.is_empty() {
                line(flag, self.without_return(flag, text));
            } else {
                self.held.extend_from_slice(text);
                line(flag, self.without_return(flag, &self.held));
                self.held.clear();
            }
            rest = &rest[next..];
        }
    }

    /// Gives the unfinished line as a part, at the end of the stream.
    pub(super) fn finish(&mut self, mut line: impl FnMut(Flag, &[u8])) {
        if !self.held.is_empty() {
            line(Flag::Part, &self.held);
            self.held.clear();
        }
    }

    fn without_return<'a>(&self, flag: Flag, text: &'a [u8]) -> &'a [u8] {
        match text {
            [text @ .., b'\r'] if self.terminal && flag == Flag::Full => text,
            _ => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(chunks: &[&[u8]], terminal: bool) -> Vec<(Flag, Vec<u8>)> {
        let mut cutter = Cutter::new(terminal);
        let mut lines = Vec::new();
        for chunk in chunks {
            cutter.push(chunk, |flag, text| lines.push((flag, text.to_vec())));
        }
        cutter.finish(|flag, text| lines.push((flag, text.to_vec())));
        lines
    }

    #[test]
    fn a_line_is_written_as_cri_has_it() {
        let mut out = Vec::new();
        write(&mut out, "T", Stream::Stdout, Flag::Full, b"a b");
        write(&mut out, "T", Stream::Supervisor, Flag::Part, b"");
        assert_eq!(out, b"T stdout F a b\nT supervisor P \n");
    }

    #[test]
    fn lines_are_cut_wherever_the_reads_fall() {
        use Flag::{Full, Part};
        let expected = [
            (Full, b"one".to_vec()),
            (Full, Vec::new()),
            (Full, b"two".to_vec()),
            (Part, b"end".to_vec()),
        ];
        let text = b"one\n\ntwo\nend";
        assert_eq!(cut(&[text], false), expected);
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(cut(&bytes, false), expected);
    }

    #[test]
    fn a_long_line_comes_in_parts_and_loses_nothing() {
        for length in [PART - 1, PART, PART + 1, 2 * PART, 3 * PART + 7] {
            let mut text: Vec<u8> = (0..length).map(|i| b'a' + (i % 26) as u8).collect();
            text.push(b'\n');
            for size in [1, 1000, PART, PART + 1, text.len()] {
                let chunks: Vec<&[u8]> = text.chunks(size).collect();
                let lines = cut(&chunks, false);
                assert_eq!(lines.len(), length.div_ceil(PART), "{length} in {size}");
                let (last, parts) = lines.split_last().unwrap();
                assert_eq!(last.0, Flag::Full);
                assert!(parts.iter().all(|(flag, text)| *flag == Flag::Part && text.len() == PART));
                let joined: Vec<u8> = lines.iter().flat_map(|(_, text)| text.clone()).collect();
                assert_eq!(joined, text[..length]);
            }
        }
    }

    #[test]
    fn the_carriage_return_of_a_terminal_is_not_text() {
        let text = |lines: Vec<(Flag, Vec<u8>)>| {
            lines.into_iter().map(|(_, text)| text).collect::<Vec<_>>()
        };
        assert_eq!(text(cut(&[b"a\r", b"\nb\rc\r\n"], true)), [b"a".to_vec(), b"b\rc".to_vec()]);
        assert_eq!(text(cut(&[b"a\r\n"], false)), [b"a\r".to_vec()]);
    }
}
