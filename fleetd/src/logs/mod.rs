//! Reads the log files that supervisors write: `logs/<unit>/<run>/log`, `log.1` and so on, `log` the
//! newest. Only reads; retention is the supervisor's (within a run) and the agent's (of runs).

mod files;
mod follow;

pub use follow::follow;

use crate::core::log::Joiner;
use fleetd_api::LogLine;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The last lines of a unit, over all its runs that are kept; none: all of them.
pub fn tail(unit: &Path, lines: Option<usize>) -> io::Result<Vec<LogLine>> {
    tail_until(unit, lines, None)
}

/// A place in a log file.
#[derive(Debug, Clone, Copy)]
struct End {
    inode: u64,
    length: u64,
}

/// The same up to a place in a file, without a line that is unfinished there.
fn tail_until(unit: &Path, lines: Option<usize>, end: Option<End>) -> io::Result<Vec<LogLine>> {
    let mut found: VecDeque<LogLine> = VecDeque::new();
    let mut files = files::of_unit(unit)?;
    if let Some(end) = end {
        // Newer ones have come meanwhile.
        let last = files.iter().position(|file| file.inode == end.inode);
        files.truncate(last.map_or(0, |at| at + 1));
    }
    for file in files.into_iter().rev() {
        let limit = end.filter(|end| end.inode == file.inode).map(|end| end.length);
        // Removed meanwhile: too old.
        let Some(open) = file.open(unit)? else { continue };
        let of_file = read_file(open, limit)?;
        for line in of_file.into_iter().rev() {
            found.push_front(line);
            if lines.is_some_and(|lines| found.len() > lines) {
                found.pop_front();
                return Ok(found.into());
            }
        }
    }
    Ok(found.into())
}

/// The lines of one file.
fn read_file(file: File, limit: Option<u64>) -> io::Result<Vec<LogLine>> {
    let mut joiner = Joiner::default();
    let mut lines = Vec::new();
    let mut reader = BufReader::new(file.take(limit.unwrap_or(u64::MAX)));
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes)? > 0 {
        if limit.is_none() || bytes.ends_with(b"\n") {
            let text = String::from_utf8_lossy(&bytes);
            lines.extend(joiner.push(text.trim_end_matches('\n')));
        }
        bytes.clear();
    }
    lines.extend(joiner.rest());
    Ok(lines)
}

#[cfg(test)]
mod tests;
