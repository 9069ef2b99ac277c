//! What a supervisor hands to the program that takes over in its place: numbers of descriptors that
//! stay open over execve(2), and plain data. Pure.
//!
//! A field is only ever added, with a default. Where that is not enough [`VERSION`] grows, and a
//! program refuses the versions that it does not know while the one before it is still there.

use std::os::fd::RawFd;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::log::{Cutter, Stream};
use super::log_file::{Dropped, Place};
use super::record::Identity;
use super::stop::Stop;
use crate::error::{Error, Result};

/// Of the format; not of the program.
pub(super) const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) version: u32,
    pub(super) container: Container,
    pub(super) stop: Stop,
    pub(super) listener: RawFd,
    pub(super) exit_file: RawFd,
    pub(super) outputs: Vec<Option<Output>>,
    pub(super) log: Place,
    pub(super) dropped: Dropped,
    pub(super) connections: Vec<Connection>,
    pub(super) sessions: Vec<Session>,
    pub(super) last_connection: u32,
    pub(super) last_session: u32,
    /// The connection that asked, by number.
    pub(super) asked_by: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Container {
    pub(super) identity: Identity,
    pub(super) pid: i32,
    pub(super) pidfd: RawFd,
    pub(super) cgroup: PathBuf,
    /// Those of its parents that go with it.
    pub(super) cgroup_parents: Vec<PathBuf>,
    pub(super) config: RawFd,
    pub(super) stdin: Option<RawFd>,
    /// Master and other side.
    pub(super) terminal: Option<(RawFd, RawFd)>,
    /// The socket, and whether READY=1 has come.
    #[serde(default)]
    pub(super) notify: Option<(RawFd, bool)>,
    pub(super) poststop: Option<PathBuf>,
    pub(super) oom_score: Option<i32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Output {
    pub(super) source: RawFd,
    pub(super) stream: Stream,
    pub(super) cutter: Cutter,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Connection {
    pub(super) number: u32,
    pub(super) socket: RawFd,
    pub(super) role: Role,
    pub(super) unread: Vec<u8>,
    /// Each with the place in `unread` where its line begins.
    pub(super) riders: Vec<(usize, RawFd)>,
    pub(super) unsent: Vec<u8>,
    pub(super) passed: Vec<RawFd>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    Asking,
    AwaitsEnd,
    AwaitsReady,
    AwaitsExec(u32),
    Watches { stdout: RawFd, stderr: RawFd },
    AwaitsReexec,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) number: u32,
    pub(super) pid: i32,
    pub(super) pidfd: RawFd,
    pub(super) master: Option<RawFd>,
    pub(super) connection: Option<u32>,
}

/// Reads a state of a version that this program knows.
pub(super) fn parse(text: &[u8]) -> Result<State> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let fault = |error: serde_json::Error| Error::new(format_args!("read the state: {error}"));
    let Versioned { version } = serde_json::from_slice(text).map_err(fault)?;
    if version != VERSION {
        return Err(Error::new(format_args!(
            "read the state: version {version} is not known, only {VERSION}"
        )));
    }
    serde_json::from_slice(text).map_err(fault)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn state() -> State {
        State {
            version: VERSION,
            container: Container {
                identity: Identity {
                    boot_id: "b".into(),
                    id: "i".into(),
                    pid: Some(1),
                    started: None,
                },
                pid: 1,
                pidfd: 3,
                cgroup: "/p/c".into(),
                cgroup_parents: vec!["/p".into()],
                config: 4,
                stdin: None,
                terminal: Some((5, 6)),
                notify: Some((15, true)),
                poststop: None,
                oom_score: Some(-5),
            },
            stop: Stop { signal: 15, timeout: None, kill_at: Some(Duration::new(1, 2)) },
            listener: 7,
            exit_file: 8,
            outputs: vec![
                None,
                Some(Output { source: 9, stream: Stream::Stderr, cutter: Cutter::new(true) }),
            ],
            log: Place { dir: "/l".into(), max_size: 1, max_files: 2 },
            dropped: Dropped::default(),
            connections: vec![Connection {
                number: 1,
                socket: 10,
                role: Role::Watches { stdout: 11, stderr: 12 },
                unread: vec![0, 255],
                riders: vec![(0, 13)],
                unsent: Vec::new(),
                passed: Vec::new(),
            }],
            sessions: vec![Session {
                number: 1,
                pid: 2,
                pidfd: 14,
                master: None,
                connection: Some(1),
            }],
            last_connection: 1,
            last_session: 1,
            asked_by: 1,
        }
    }

    #[test]
    fn a_state_is_read_as_it_was_written() {
        assert_eq!(parse(&serde_json::to_vec(&state()).unwrap()).unwrap(), state());
    }

    #[test]
    fn an_unknown_version_is_refused_whatever_else_it_has() {
        for (text, expected) in [
            (r#"{"version":2,"new":true}"#, "version 2 is not known"),
            (r#"{"version":1}"#, "missing field"),
            ("", "EOF"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("read the state: ") && error.contains(expected), "{error}");
        }
    }
}
