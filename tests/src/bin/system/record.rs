//! What a batch writes down: one JSON line when a test begins, one when it has ended.
//!
//! A line is appended with one write, so a reader never takes half of one for a whole.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum Record {
    /// The place is there and begins.
    Ready,
    Started {
        test: String,
    },
    Ended(Ended),
    /// Every test of the plan has a record.
    Done,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) test: String,
    pub(crate) outcome: Outcome,
    pub(crate) millis: u64,
    /// What the test printed, if it failed.
    pub(crate) output: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Passed,
    /// With the reason in a few words.
    Failed(String),
    /// With what the place lacks.
    Skipped(String),
}

pub(crate) struct Writer(Mutex<File>);

impl Writer {
    pub(crate) fn create(path: &Path) -> Result<Self, String> {
        let file = File::options().create(true).append(true).open(path);
        Ok(Self(Mutex::new(file.map_err(|e| format!("open {}: {e}", path.display()))?)))
    }

    pub(crate) fn write(&self, record: &Record) -> Result<(), String> {
        let mut line = serde_json::to_vec(record).map_err(|e| e.to_string())?;
        line.push(b'\n');
        let mut file = self.0.lock().map_err(|e| e.to_string())?;
        file.write_all(&line).map_err(|e| format!("write a record: {e}"))
    }
}
