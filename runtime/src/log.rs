//! The one line that is said about a fault: on standard error, and where `--log` points.
//!
//! Engines read the log file: containerd shows the last line of level `error`.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use serde_json::json;

use crate::error::{Doing, Error, Result};
use crate::store::record;

#[derive(Debug, Default)]
pub struct Log {
    pub file: Option<PathBuf>,
    pub json: bool,
}

impl Log {
    /// Says why the program fails.
    pub fn error(&self, error: &Error) {
        self.say("error", &error.to_string());
    }

    /// Says what is not as asked for, and is no reason to fail.
    pub fn warning(&self, text: &str) {
        self.say("warning", text);
    }

    fn say(&self, level: &str, text: &str) {
        let line = self.line(level, text);
        match &self.file {
            None if self.json => eprintln!("{line}"),
            None => eprintln!("ocirun: {text}"),
            Some(_) => {
                eprintln!("ocirun: {text}");
                if let Err(error) = self.append(&line) {
                    eprintln!("ocirun: {error}");
                }
            }
        }
    }

    fn append(&self, line: &str) -> Result<()> {
        let Some(path) = &self.file else { return Ok(()) };
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()))
            .doing(format_args!("write the log {}", path.display()))
    }

    fn line(&self, level: &str, text: &str) -> String {
        let time = record::now();
        if self.json {
            json!({"level": level, "msg": text, "time": time}).to_string()
        } else {
            format!("time={time:?} level={level} msg={text:?}")
        }
    }
}
