//! The container's output: from a pipe or a terminal into the log, and to those who watch.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::log::{Cutter, Stream};
use super::log_file::LogFile;
use crate::sys::file;

/// What is read at once. The supervisor's stack holds one, and counts in its memory.
pub(super) const CHUNK: usize = 16 * 1024;

/// The largest pipe that a user other than root may make (pipe(7)).
pub(super) const LARGEST_PIPE: usize = 1024 * 1024;

/// One output of the container.
pub(super) struct Output {
    /// The reading end, or the terminal's master; does not block.
    pub(super) source: OwnedFd,
    pub(super) stream: Stream,
    pub(super) cutter: Cutter,
}

/// What one read gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// So many bytes.
    Some(usize),
    /// Nothing is there now.
    Nothing,
    /// Nobody can write any more.
    End,
}

impl Output {
    pub(super) fn new(source: OwnedFd, stream: Stream, terminal: bool) -> Self {
        Self { source, stream, cutter: Cutter::new(terminal) }
    }

    /// Reads once.
    pub(super) fn read(&self, buffer: &mut [u8]) -> Read {
        match file::read(self.source.as_fd(), buffer) {
            Ok(0) => Read::End,
            Ok(length) => Read::Some(length),
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => Read::Nothing,
            // A terminal whose other side nobody holds answers EIO.
            Err(_) => Read::End,
        }
    }

    /// Writes the lines that end in `bytes` to the log.
    pub(super) fn log(&mut self, bytes: &[u8], time: &str, log: &mut LogFile) {
        let stream = self.stream;
        self.cutter.push(bytes, |flag, text| log.line(time, stream, flag, text));
        log.flush(time);
    }

    /// Writes what is left of an unfinished line.
    pub(super) fn finish(&mut self, time: &str, log: &mut LogFile) {
        let stream = self.stream;
        self.cutter.finish(|flag, text| log.line(time, stream, flag, text));
        log.flush(time);
    }
}
