//! Reads the log files that supervisors write: `logs/<unit>/<run>/log`, `log.1` and so on, `log` the
//! newest. Only reads; retention is the supervisor's (within a run) and the agent's (of runs).

mod files;
mod follow;

pub use follow::follow;

use crate::core::log::Joiner;
use fleetd_api::LogLine;
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// The last lines of a unit, over all its runs that are kept; none: all of them.
pub fn tail(unit: &Path, lines: Option<usize>) -> io::Result<Vec<LogLine>> {
    let mut found: VecDeque<LogLine> = VecDeque::new();
    for file in files::of_unit(unit)?.into_iter().rev() {
        let mut joiner = Joiner::default();
        let mut of_file = Vec::new();
        let mut reader = BufReader::new(match std::fs::File::open(&file) {
            // Removed meanwhile: too old.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        });
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes)? > 0 {
            of_file.extend(joiner.push(String::from_utf8_lossy(&bytes).trim_end_matches('\n')));
            bytes.clear();
        }
        of_file.extend(joiner.rest());
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

#[cfg(test)]
mod tests;
