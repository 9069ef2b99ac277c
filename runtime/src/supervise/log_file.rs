//! The log on disk: `log`, and `log.1`, `log.2` ... with what is older.
//!
//! A line is in exactly one file, whole. What the disk refuses is dropped and counted, never waited
//! for, and one line tells how many are missing as soon as the disk takes it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::log::{self, Flag, Stream};
use crate::error::{Doing, Result, describe};

/// Lines are gathered up to this size before they are written.
const GATHERED: usize = 32 * 1024;

/// Where the log is and how much of it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) dir: PathBuf,
    /// In bytes; a file is closed before a line would make it longer.
    pub(super) max_size: u64,
    /// With the one being written; at least 1.
    pub(super) max_files: u32,
}

/// Lines that are missing from the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Dropped {
    lines: u64,
    /// Why the last of them was refused.
    reason: String,
}

/// The log being written.
pub(super) struct LogFile {
    place: Place,
    /// `None` while the disk refuses a new one.
    file: Option<File>,
    /// Of the file, in bytes.
    size: u64,
    /// The size at which the file is full; larger than asked for where the last rotation failed.
    full_at: u64,
    gathered: Vec<u8>,
    dropped: Dropped,
}

impl LogFile {
    /// Goes on with the log that is there, or begins it. `dropped` is what is missing already.
    pub(super) fn open(place: Place, dropped: Dropped) -> Result<Self> {
        let path = place.dir.join("log");
        let (file, size) = append(&path).doing(format_args!("open {}", path.display()))?;
        let full_at = place.max_size;
        Ok(Self { place, file: Some(file), size, full_at, gathered: Vec::new(), dropped })
    }

    /// Goes on with the log of the program before, even if it cannot be opened right now.
    pub(super) fn resume(place: Place, dropped: Dropped) -> Self {
        let full_at = place.max_size;
        let (file, size) = append(&place.dir.join("log")).ok().unzip();
        let size = size.unwrap_or(0);
        Self { place, file, size, full_at, gathered: Vec::new(), dropped }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn dropped(&self) -> &Dropped {
        &self.dropped
    }

    /// Whether lines are missing that the log does not tell of yet.
    pub(super) fn owes_a_line(&self) -> bool {
        self.dropped.lines > 0
    }

    /// Takes one line. It is on disk, or counted as dropped, after [`LogFile::flush`].
    pub(super) fn line(&mut self, time: &str, stream: Stream, flag: Flag, text: &[u8]) {
        let before = self.gathered.len();
        log::write(&mut self.gathered, time, stream, flag, text);
        let full = self.size + self.gathered.len() as u64 > self.full_at;
        if full && self.size + before as u64 > 0 {
            let line = self.gathered.split_off(before);
            self.flush(time);
            self.rotate();
            self.gathered.extend_from_slice(&line);
        }
        if self.gathered.len() >= GATHERED {
            self.flush(time);
        }
    }

    /// Writes a line of the supervisor's own.
    pub(super) fn say(&mut self, time: &str, text: &str) {
        let text = text.replace('\n', " ");
        self.line(time, Stream::Supervisor, Flag::Full, text.as_bytes());
        self.flush(time);
    }

    /// Writes what has been gathered; before it, if the disk takes that now, how much is missing.
    pub(super) fn flush(&mut self, time: &str) {
        let told = self.dropped.lines;
        if told > 0 {
            let text = format!("dropped {told} lines: {}", self.dropped.reason);
            let mut lines = Vec::with_capacity(self.gathered.len() + 128);
            log::write(&mut lines, time, Stream::Supervisor, Flag::Full, text.as_bytes());
            lines.append(&mut self.gathered);
            self.gathered = lines;
        }
        if self.gathered.is_empty() {
            return;
        }
        let (kept, refused) = self.write_gathered();
        let mut missing = count_lines(&self.gathered[kept..]);
        if told > 0 && kept == 0 {
            // The line that tells of the others is not one of the program's.
            missing -= 1;
        } else {
            self.dropped.lines = 0;
        }
        if let Some(cause) = refused {
            self.dropped.lines += missing;
            self.dropped.reason = describe(&cause);
        }
        self.gathered.clear();
    }

    /// Writes as many whole lines as the disk takes. Their size, and why the others were refused.
    fn write_gathered(&mut self) -> (usize, Option<io::Error>) {
        if self.file.is_none() {
            match append(&self.place.dir.join("log")) {
                Ok((file, size)) => (self.file, self.size) = (Some(file), size),
                Err(cause) => return (0, Some(cause)),
            }
        }
        let Some(file) = &mut self.file else { return (0, None) };
        let mut written = 0;
        let refused = loop {
            match file.write(&self.gathered[written..]) {
                Ok(0) => break Some(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => break Some(cause),
            }
            if written == self.gathered.len() {
                break None;
            }
        };
        let kept =
            self.gathered[..written].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        // A torn line is taken back. Where even that is refused the next one is glued to it.
        let torn = kept < written && file.set_len(self.size + kept as u64).is_err();
        self.size += if torn { written } else { kept } as u64;
        (kept, refused)
    }

    /// Closes the file as `log.1` and begins a new one. Where that is refused the file goes on, and
    /// the next attempt is made a file's length later.
    fn rotate(&mut self) {
        match self.shift() {
            Ok(()) => {
                (self.file, self.size) = (None, 0);
                self.full_at = self.place.max_size;
            }
            Err(_) => self.full_at = self.size + self.place.max_size,
        }
    }

    fn shift(&self) -> io::Result<()> {
        let name = |number| match number {
            0 => self.place.dir.join("log"),
            _ => self.place.dir.join(format!("log.{number}")),
        };
        let last = self.place.max_files.saturating_sub(1);
        // More than one, if fewer are to be kept than by the supervisor before.
        for number in last.. {
            if !existed(std::fs::remove_file(name(number)))? && number > last {
                break;
            }
        }
        for number in (0..last).rev() {
            existed(std::fs::rename(name(number), name(number + 1)))?;
        }
        Ok(())
    }

    /// Removes the log if nothing was ever written to it, after a failed start.
    pub(super) fn discard(self) {
        if self.size == 0 {
            let _ = std::fs::remove_file(self.place.dir.join("log"));
        }
    }
}

/// Opens the log for appending and says how long it is. A line that a power cut left unfinished is
/// ended, so that the next one is not glued to it.
fn append(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new()
        .append(true)
        .read(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    let size = file.metadata()?.len();
    let mut last = [b'\n'];
    if size > 0 {
        file.read_exact_at(&mut last, size - 1)?;
    }
    if last == *b"\n" {
        return Ok((file, size));
    }
    (&file).write_all(b"\n")?;
    Ok((file, size + 1))
}

/// Whether there was something to remove or rename.
fn existed(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(cause),
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

#[cfg(test)]
#[path = "log_file_tests.rs"]
mod tests;
