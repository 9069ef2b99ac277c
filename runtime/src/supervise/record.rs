//! `started.json` and `exit.json`: what fleetd reads when the supervisor cannot be asked.
//!
//! Both appear whole or not at all (written beside, then renamed). They are not synced to the disk:
//! they speak of processes of this boot, and after a power cut there are none; the boot id in them
//! says so where `/run` is a disk. The space of `exit.json` is taken at the start, so that a disk
//! that fills up later cannot swallow how the container ended.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::error::{Doing, Error, Result};

const VERSION: u32 = 1;

/// Both files are written under this name first, `exit.json` from the start on.
const EXIT_BESIDE: &str = ".exit.json";
const EXIT: &str = "exit.json";
const STARTED: &str = "started.json";

/// Holds every record but one with a very long error.
const RESERVED: usize = 4096;

/// Which container it was, and when: the same in both records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) boot_id: String,
    pub(super) id: String,
    /// `None` if there never was a process.
    pub(super) pid: Option<i32>,
    /// Microseconds since the epoch.
    pub(super) started: Option<u64>,
}

/// How a process ended: exactly one is set, or neither where there was none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) signal: Option<i32>,
}

/// The content of `exit.json`, also the answer to those who wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Exit {
    version: u32,
    #[serde(flatten)]
    identity: Identity,
    finished: u64,
    #[serde(flatten)]
    ended: Ended,
    oom: bool,
    /// Why the container did not start.
    error: Option<String>,
}

impl Exit {
    pub(super) fn of(identity: Identity, ended: Ended, oom: bool) -> Self {
        Self { version: VERSION, identity, finished: micros(now()), ended, oom, error: None }
    }

    pub(super) fn of_failed_start(identity: Identity, error: &Error) -> Self {
        let error = Some(error.to_string());
        Self { error, ..Self::of(identity, Ended::default(), false) }
    }
}

#[derive(Serialize)]
struct Started<'a> {
    version: u32,
    #[serde(flatten)]
    identity: &'a Identity,
    /// Field 22 of `/proc/PID/stat`: clock ticks from boot to the start of the process.
    pid_start: u64,
}

/// The current directory's `exit.json`, with its space taken.
pub(super) struct ExitFile(File);

impl ExitFile {
    /// Takes the space. A second supervisor in the same directory is refused.
    pub(super) fn reserve() -> Result<Self> {
        if Path::new(EXIT).exists() {
            return Err(Error::new(format_args!(
                "create {EXIT}: the run directory was used by an earlier run"
            ))
            .hint("give every run a new one"));
        }
        let mut file = create(EXIT_BESIDE).doing(format_args!("create {EXIT_BESIDE}"))?;
        file.write_all(&[b' '; RESERVED]).doing(format_args!("write {EXIT_BESIDE}"))?;
        Ok(Self(file))
    }

    /// Goes on with a file that was reserved by the program before.
    pub(super) fn resume(file: File) -> Self {
        Self(file)
    }

    pub(super) fn file(&self) -> &File {
        &self.0
    }

    pub(super) fn write(&self, exit: &Exit) -> Result<()> {
        let text = text(exit);
        self.0
            .write_all_at(&text, 0)
            .and_then(|()| self.0.set_len(text.len() as u64))
            .and_then(|()| std::fs::rename(EXIT_BESIDE, EXIT))
            .doing(format_args!("write {EXIT}"))
    }
}

/// Writes `started.json` into the current directory.
pub(super) fn write_started(identity: &Identity, pid_start: u64) -> Result<()> {
    let beside = format!(".{STARTED}");
    create(&beside)
        .and_then(|mut file| {
            file.write_all(&text(&Started { version: VERSION, identity, pid_start }))
        })
        .and_then(|()| std::fs::rename(&beside, STARTED))
        .doing(format_args!("write {STARTED}"))
}

/// Removes `started.json` after a failed start.
pub(super) fn remove_started() {
    let _ = std::fs::remove_file(format!(".{STARTED}"));
    let _ = std::fs::remove_file(STARTED);
}

fn create(name: &str) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(name)
}

fn text(record: &impl Serialize) -> Vec<u8> {
    // Strings and numbers only: it cannot fail.
    let mut text = serde_json::to_vec(record).unwrap_or_default();
    text.push(b'\n');
    text
}

/// The boot that this is, as `/proc` has it.
pub(super) fn boot_id() -> Result<String> {
    const FILE: &str = "/proc/sys/kernel/random/boot_id";
    let text = std::fs::read_to_string(FILE).doing(format_args!("read {FILE}"))?;
    Ok(text.trim().to_owned())
}

/// Time since the epoch.
pub(super) fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Whether `memory.events` of a cgroup says that the kernel killed a process of it for memory.
pub(super) fn was_out_of_memory(events: &str) -> bool {
    events
        .lines()
        .filter_map(|line| line.strip_prefix("oom_kill "))
        .any(|count| count.trim() != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_the_fields_of_the_contract() {
        let identity =
            Identity { boot_id: "b".into(), id: "i".into(), pid: Some(12), started: Some(34) };
        let started = text(&Started { version: VERSION, identity: &identity, pid_start: 56 });
        let started = String::from_utf8(started).unwrap();
        assert_eq!(
            started,
            "{\"version\":1,\"boot_id\":\"b\",\"id\":\"i\",\"pid\":12,\"started\":34,\"pid_start\":56}\n"
        );
        let mut exit = Exit::of(identity, Ended { code: None, signal: Some(9) }, true);
        exit.finished = 78;
        let exit: serde_json::Value = serde_json::to_value(&exit).unwrap();
        let expected = serde_json::json!({"version":1,"boot_id":"b","id":"i","pid":12,"started":34,
            "finished":78,"code":null,"signal":9,"oom":true,"error":null});
        assert_eq!(exit, expected);
    }

    #[test]
    fn only_a_kill_counts_as_out_of_memory() {
        let events =
            |kills| format!("low 0\nhigh 5\nmax 9\noom 3\noom_kill {kills}\noom_group_kill 0\n");
        assert!(was_out_of_memory(&events(1)));
        assert!(!was_out_of_memory(&events(0)));
        assert!(!was_out_of_memory(""));
    }
}
