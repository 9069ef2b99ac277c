//! A line of a log file: `TIME STREAM FLAG TEXT`, the CRI log format.

use fleetd_api::{LogLine, LogStream};

/// Reads one line, without its line break. The flag: whether the text ends here (`F`) or goes on in
/// the next line of the same stream (`P`). None: not a line of ours.
pub fn parse(line: &str) -> Option<(LogLine, bool)> {
    let mut fields = line.splitn(4, ' ');
    let time = fields.next()?.to_owned();
    let stream = match fields.next()? {
        "stdout" => LogStream::Stdout,
        "stderr" => LogStream::Stderr,
        "supervisor" => LogStream::Supervisor,
        _ => return None,
    };
    let full = match fields.next()? {
        "F" => true,
        "P" => false,
        _ => return None,
    };
    Some((LogLine { time, stream, line: fields.next().unwrap_or("").to_owned() }, full))
}

/// The longest line that parts are put together to; what is longer comes in pieces.
const MAX_LINE: usize = 256 * 1024;

/// Puts parts together, stream by stream.
#[derive(Debug, Default)]
pub struct Joiner {
    stdout: Option<LogLine>,
    stderr: Option<LogLine>,
}

impl Joiner {
    /// Takes in a line of the file; gives the whole line when it is complete.
    pub fn push(&mut self, line: &str) -> Option<LogLine> {
        let (part, full) = parse(line)?;
        let slot = match part.stream {
            LogStream::Stdout => &mut self.stdout,
            LogStream::Stderr => &mut self.stderr,
            LogStream::Supervisor => return Some(part),
        };
        let whole = match slot.take() {
            Some(mut begun) => {
                begun.line.push_str(&part.line);
                begun
            }
            None => part,
        };
        if full || whole.line.len() >= MAX_LINE {
            return Some(whole);
        }
        *slot = Some(whole);
        None
    }

    /// What is unfinished at the end of everything.
    pub fn rest(&mut self) -> impl Iterator<Item = LogLine> {
        self.stdout.take().into_iter().chain(self.stderr.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read() {
        let (line, full) = parse("2026-01-02T03:04:05.000000006Z stderr F two  words").unwrap();
        assert_eq!(
            (line.line.as_str(), line.stream, full),
            ("two  words", LogStream::Stderr, true)
        );
        assert!(parse("2026-01-02T03:04:05.000000006Z stdout F ").unwrap().0.line.is_empty());
    }

    #[test]
    fn a_foreign_line_is_none_of_ours() {
        for bad in ["", "x", "t stdout X y", "t other F y"] {
            assert!(parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn parts_become_one_line_stream_by_stream() {
        let mut joiner = Joiner::default();
        assert!(joiner.push("1 stdout P a").is_none());
        assert_eq!(joiner.push("2 stderr F e").unwrap().line, "e");
        assert_eq!(
            joiner.push("3 stdout F b").unwrap(),
            LogLine { time: "1".to_owned(), stream: LogStream::Stdout, line: "ab".to_owned() }
        );
        joiner.push("4 stdout P open");
        assert_eq!(joiner.rest().map(|l| l.line).collect::<Vec<_>>(), ["open"]);
    }
}
