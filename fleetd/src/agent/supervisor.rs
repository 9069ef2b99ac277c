//! The client's side of a supervisor's socket (docs/design.md, "The socket").

use super::context::Context;
use super::line::Lines;
use crate::core::run::RunId;
use crate::sentence::cause;
use crate::sys::process;
use fleetd_api::ExitReason;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub const SOCKET: &str = "supervise.sock";

#[derive(Debug, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Request<'a> {
    State,
    Wait,
    Ready,
    Stop {
        #[serde(skip_serializing_if = "Option::is_none")]
        signal: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        timeout_ms: Option<Option<u64>>,
    },
    Exec {
        process: &'a Value,
    },
    Resize {
        exec: Option<u64>,
        rows: u16,
        columns: u16,
    },
}

/// What every answer looks like before its content is known.
#[derive(Debug, Deserialize)]
struct Answer {
    ok: Option<Value>,
    error: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct State {
    pub pid: i32,
    pub status: String,
    /// Microseconds since the epoch.
    pub started: u64,
    /// Whether it has said so, where it is to (`--notify-fd`).
    pub ready: bool,
}

/// `exit.json`, and the answer to `wait` and `stop`.
#[derive(Debug, Clone, Deserialize)]
pub struct ExitRecord {
    pub boot_id: String,
    /// Microseconds since the epoch.
    pub finished: u64,
    pub code: Option<i32>,
    pub signal: Option<i32>,
    #[serde(default)]
    pub oom: bool,
    #[serde(default)]
    pub error: Option<String>,
}

impl ExitRecord {
    pub fn reason(&self) -> ExitReason {
        ExitReason {
            code: self.code,
            signal: self.signal.map(crate::core::status::signal_name),
            oom: self.oom,
            error: self.error.clone(),
        }
    }
}

/// One connection to a supervisor.
pub struct Supervisor {
    lines: Lines,
}

impl Supervisor {
    /// Connects to the supervisor of the run in this directory.
    pub async fn connect(run_dir: &Path) -> Result<Self, String> {
        let path = run_dir.join(SOCKET);
        match Lines::connect(&path).await {
            Ok(lines) => Ok(Self { lines }),
            Err(e) => Err(format!("connect {}: {}", path.display(), cause(&e))),
        }
    }

    async fn call(
        &mut self,
        request: &Request<'_>,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(Value, Vec<OwnedFd>), String> {
        let lost = |e: std::io::Error| format!("ask supervisor: {}", cause(&e));
        self.lines.send(request, descriptors).await.map_err(lost)?;
        let answer = self.lines.receive::<Answer>().await.map_err(lost)?;
        match answer {
            None => Err("ask supervisor: it closed the connection".to_owned()),
            Some((Answer { error: Some(error), .. }, _)) => Err(error),
            Some((Answer { ok: Some(value), .. }, descriptors)) => Ok((value, descriptors)),
            Some(_) => Err("ask supervisor: its answer is neither ok nor an error".to_owned()),
        }
    }

    pub async fn state(&mut self) -> Result<State, String> {
        parsed(self.call(&Request::State, &[]).await?.0)
    }

    /// Waits for the end of the program. This connection is for nothing else then.
    pub async fn wait(&mut self) -> Result<ExitRecord, String> {
        parsed(self.call(&Request::Wait, &[]).await?.0)
    }

    /// Waits until the program is ready. An error if it ends before.
    pub async fn ready(&mut self) -> Result<(), String> {
        self.call(&Request::Ready, &[]).await.map(|_| ())
    }

    /// Sends the signal; after the time in milliseconds the supervisor kills what is left (none: never).
    /// Without words it does as it was told at its start. Returns at the end.
    pub async fn stop(&mut self, words: Option<(i32, Option<u64>)>) -> Result<(), String> {
        let (signal, timeout_ms) = words.unzip();
        self.call(&Request::Stop { signal, timeout_ms }, &[]).await.map(|_| ())
    }

    /// Starts a program in the container. The three descriptors are its stdin, stdout and stderr,
    /// or none where `process.terminal` asks for a terminal, whose master comes back.
    pub async fn exec(
        mut self,
        process: &Value,
        stdio: &[BorrowedFd<'_>],
    ) -> Result<Program, String> {
        let (value, descriptors) = self.call(&Request::Exec { process }, stdio).await?;
        let Started { exec: number, pid } = parsed(value)?;
        let terminal = descriptors.into_iter().next();
        let living = process::pidfd_open(pid).ok().map(|pidfd| (pidfd, pid));
        Ok(Program { supervisor: self, number, terminal, living })
    }

    /// Gives the terminal of a session its size.
    pub async fn resize(&mut self, exec: u64, rows: u16, columns: u16) -> Result<(), String> {
        self.call(&Request::Resize { exec: Some(exec), rows, columns }, &[]).await.map(|_| ())
    }
}

/// Between two attempts to ask a supervisor that cannot be reached.
const RETRY: Duration = Duration::from_millis(100);

/// Asks the run's program to end until a supervisor has heard it, for as long as the run lives: one
/// that has all its connections in use refuses another, and fleetd may be out of descriptors.
pub async fn stop_until_it_ends(
    context: Arc<Context>,
    run: RunId,
    words: Option<(i32, Option<u64>)>,
) {
    let directory = context.place.run(&run);
    loop {
        let asked = match Supervisor::connect(&directory).await {
            Ok(mut supervisor) => supervisor.stop(words).await,
            Err(error) => Err(error),
        };
        match asked {
            Ok(()) => return,
            // Mostly because it has ended meanwhile, which its watcher tells.
            Err(error) => tracing::debug!("stop {run}: {error}"),
        }
        if !context.cgroups.populated(run.as_str()) {
            return;
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// A program that was started by [`Supervisor::exec`]. One that is dropped before its end is killed,
/// with what it has started: nobody is left who wants it.
pub struct Program {
    supervisor: Supervisor,
    pub number: u64,
    /// The terminal's master.
    pub terminal: Option<OwnedFd>,
    /// Until its end is known. It leads a session, and so a process group, of its own.
    living: Option<(OwnedFd, i32)>,
}

impl Program {
    /// Waits for its end: its code, or 128 + its signal.
    pub async fn exited(&mut self) -> Result<i32, String> {
        let exited = match self.supervisor.lines.receive::<Exited>().await {
            Ok(Some((Exited { exit }, _))) => {
                Ok(exit.code.or(exit.signal.map(|signal| 128 + signal)).unwrap_or(255))
            }
            Ok(None) => Err("wait for the program: its container has ended".to_owned()),
            Err(e) => Err(format!("wait for the program: {}", cause(&e))),
        };
        self.living = None;
        exited
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some((pidfd, pid)) = self.living.take() {
            // It may have ended by itself.
            let _ = process::kill_group(&pidfd, pid);
        }
    }
}

#[derive(Deserialize)]
struct Started {
    exec: u64,
    pid: i32,
}

#[derive(Deserialize)]
struct Exited {
    exit: Exit,
}

#[derive(Deserialize)]
struct Exit {
    code: Option<i32>,
    signal: Option<i32>,
}

fn parsed<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value)
        .map_err(|e| format!("read the supervisor's answer: {}", cause(&e)))
}
