//! `POST /v1/units/NAME/exec`: a program inside a running unit.
//!
//! The connection leaves HTTP and carries frames (`fleetd_api::frame`). The program is a child of the
//! unit's supervisor; here are only its pipes, or the master of its terminal.

use super::problem::{Answer, Result};
use super::stdio::{Output, Terminal};
use super::units::{checked, known, unknown};
use super::{Api, Shared};
use crate::agent::adopt::RECORD;
use crate::agent::prepare;
use crate::agent::supervisor::{Program, Supervisor};
use crate::core::run::RunRecord;
use crate::sentence::cause;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fleetd_api::frame::{self, Channel, Control, HEADER, MAX_PAYLOAD};
use fleetd_api::{Exec, Problem, ProblemKind, UnitName};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// What the upgrade is called.
const PROTOCOL: &str = "flotilla-exec";

#[derive(Deserialize)]
pub(super) struct Wanted {
    exec: String,
}

pub(super) async fn upgrade(
    State(api): Shared,
    Path(name): Path<String>,
    query: std::result::Result<Query<Wanted>, QueryRejection>,
    request: Request,
) -> Result<Response> {
    let name = checked(&name)?;
    let Query(wanted) = query?;
    let exec: Exec = serde_json::from_str(&wanted.exec).map_err(|e| {
        Problem::new(ProblemKind::Invalid, format!("read query exec=: {}", cause(&e)))
    })?;
    let asked = request.headers().get(header::UPGRADE).is_some_and(|value| value == PROTOCOL);
    if !asked {
        let text = format!("run a program: the request has no Upgrade: {PROTOCOL}");
        return Err(Problem::new(ProblemKind::Invalid, text).into());
    }
    // What cannot run is said before HTTP is left. In a task of its own: a client that goes while
    // the program is being started would leave it to nobody.
    let starting = {
        let (api, name) = (api.clone(), name.clone());
        tokio::spawn(async move { start(&api, &name, &exec).await })
    };
    let started = starting.await.map_err(super::problem::internal)??;
    let upgraded = hyper::upgrade::on(request);
    tokio::spawn(async move {
        match upgraded.await {
            Ok(stream) => started.carry(TokioIo::new(stream)).await,
            Err(error) => tracing::debug!("run in {name}: {error}"),
        }
    });
    let headers = [
        (header::CONNECTION, HeaderValue::from_static("upgrade")),
        (header::UPGRADE, HeaderValue::from_static(PROTOCOL)),
    ];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers).into_response())
}

/// A program that runs, and the ends of what it is connected to.
struct Started {
    program: Program,
    input: Option<Writer>,
    outputs: Vec<(Channel, Output)>,
    /// For requests beside the one that waits for the end.
    run_dir: std::path::PathBuf,
}

type Writer = Box<dyn AsyncWrite + Send + Unpin>;

async fn start(api: &Api, name: &UnitName, exec: &Exec) -> Result<Started> {
    let invalid = |text: String| Answer(Problem::new(ProblemKind::Invalid, text));
    if exec.command.first().is_none_or(String::is_empty) {
        return Err(invalid(format!("run in {name}: no program is named")));
    }
    if !known(api, name) {
        return Err(unknown(name));
    }
    let (run_dir, pid) = running(api, name)?;
    let bytes = std::fs::read(run_dir.join(RECORD)).map_err(super::problem::internal)?;
    let record: RunRecord = serde_json::from_slice(&bytes).map_err(super::problem::internal)?;
    let process = process(&record, exec, pid).map_err(invalid)?;
    let failed = |text: String| Answer(Problem::new(ProblemKind::Unavailable, text));
    let supervisor = Supervisor::connect(&run_dir).await.map_err(failed)?;
    let broken = |e: io::Error| super::problem::internal(format!("make pipe: {}", cause(&e)));
    if exec.tty {
        let mut program = supervisor.exec(&process, &[]).await.map_err(invalid)?;
        let Some(master) = program.terminal.take() else {
            return Err(super::problem::internal("run a program: the supervisor sent no terminal"));
        };
        let terminal = Terminal::new(master).map_err(broken)?;
        let outputs = vec![(Channel::Stdout, Output::Terminal(terminal.clone()))];
        let input: Option<Writer> = Some(Box::new(terminal));
        return Ok(Started { program, input, outputs, run_dir });
    }
    let (stdin, input) = pipe_to_program().map_err(broken)?;
    let (stdout, output) = pipe_from_program().map_err(broken)?;
    let (stderr, errors) = pipe_from_program().map_err(broken)?;
    let stdio = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
    let program = supervisor.exec(&process, &stdio).await.map_err(invalid)?;
    let outputs = vec![(Channel::Stdout, output), (Channel::Stderr, errors)];
    Ok(Started { program, input: Some(input), outputs, run_dir })
}

/// The directory and the pid of the unit's run.
fn running(api: &Api, name: &UnitName) -> Result<(std::path::PathBuf, i32)> {
    let run = api.agent.board.run(name.as_str());
    match run {
        Some((run, pid)) => Ok((api.context.place.run(&run), pid)),
        None => {
            let text = format!("run in {name}: it does not run");
            Err(Problem::new(ProblemKind::Conflict, text).hint("fleetctl start").into())
        }
    }
}

/// The unit's own process, changed as asked.
fn process(record: &RunRecord, exec: &Exec, pid: i32) -> std::result::Result<Value, String> {
    let mut process = record.process.clone().ok_or("run a program: the run has no process")?;
    process["args"] = json!(exec.command);
    process["terminal"] = json!(exec.tty);
    if let (true, Some((rows, columns))) = (exec.tty, exec.size) {
        process["consoleSize"] = json!({ "height": rows, "width": columns });
    }
    if let Some(env) = process.get_mut("env").and_then(Value::as_array_mut) {
        for pair in &exec.env {
            let Some((name, _)) = pair.split_once('=').filter(|(name, _)| !name.is_empty()) else {
                return Err(format!("read environment {pair:?}: it is not NAME=VALUE"));
            };
            let before = format!("{name}=");
            env.retain(|old| !old.as_str().is_some_and(|old| old.starts_with(&before)));
            env.push(json!(pair));
        }
    }
    if let Some(directory) = &exec.cwd {
        if !directory.starts_with('/') {
            return Err(format!("change directory to {directory:?}: it is not absolute"));
        }
        process["cwd"] = json!(directory);
    }
    if let Some(user) = &exec.user {
        let path = format!("/proc/{pid}/root");
        let root = File::open(&path).map_err(|e| format!("open {path}: {}", cause(&e)))?;
        let user = prepare::look_up(&OwnedFd::from(root), Some(user))?;
        process["user"] =
            json!({ "uid": user.uid, "gid": user.gid, "additionalGids": user.groups });
        if user.uid != 0 {
            process["capabilities"]["effective"] = json!([]);
            process["capabilities"]["permitted"] = json!([]);
        } else {
            let all = process["capabilities"]["bounding"].clone();
            process["capabilities"]["effective"] = all.clone();
            process["capabilities"]["permitted"] = all;
        }
    }
    Ok(process)
}

fn pipe_to_program() -> io::Result<(OwnedFd, Writer)> {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    Ok((read, Box::new(pipe::Sender::from_owned_fd(write)?)))
}

fn pipe_from_program() -> io::Result<(OwnedFd, Output)> {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    Ok((write, Output::Pipe(pipe::Receiver::from_owned_fd(read)?)))
}

type Frame = (Channel, Vec<u8>);

impl Started {
    /// Carries frames until the program has ended and its output is delivered, or the client has
    /// gone: then what it ran goes, too.
    async fn carry(self, stream: impl AsyncRead + AsyncWrite + Send + 'static) {
        let Self { mut program, input, outputs, run_dir } = self;
        let (reader, writer) = tokio::io::split(stream);
        let (frames, queue) = mpsc::channel::<Frame>(8);
        let mut work = JoinSet::new();
        let written = work.spawn(write_frames(writer, queue)).id();
        let input = work.spawn(copy_input(reader, input, (run_dir, program.number))).id();
        let ended = watch::Sender::new(false);
        let mut copies = JoinSet::new();
        for (channel, output) in outputs {
            copies.spawn(copy_output(channel, output, frames.clone(), ended.subscribe()));
        }
        let delivered = async {
            let last = match program.exited().await {
                Ok(code) => Control::Exit { code },
                Err(message) => Control::Failed { message },
            };
            // A child of the program may hold its output open for ever.
            let drained = async { while copies.join_next().await.is_some() {} };
            if tokio::time::timeout(DRAIN, drained).await.is_err() {
                // What is there now is sent, however slowly it is read.
                ended.send_replace(true);
                while copies.join_next().await.is_some() {}
            }
            let payload = serde_json::to_vec(&last).unwrap_or_default();
            let _ = frames.send((Channel::Control, payload)).await;
            drop(frames);
            // Until everything is written.
            std::future::pending::<()>().await;
        };
        let client_gone = async {
            while let Some(Ok((id, ()))) = work.join_next_with_id().await {
                if id == written || id == input {
                    return;
                }
            }
        };
        tokio::select! {
            () = delivered => {}
            () = client_gone => {}
        }
    }
}

/// How long output that is still open after the program's end may go on.
const DRAIN: std::time::Duration = std::time::Duration::from_secs(2);

async fn write_frames(mut writer: impl AsyncWrite + Unpin, mut queue: mpsc::Receiver<Frame>) {
    while let Some((channel, payload)) = queue.recv().await {
        let mut bytes = frame::header(channel, payload.len()).to_vec();
        bytes.extend(payload);
        if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
    let _ = writer.shutdown().await;
}

/// Copies what comes until its end; once `ended` is true only what is there already.
async fn copy_output(
    channel: Channel,
    mut output: Output,
    frames: mpsc::Sender<Frame>,
    mut ended: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; MAX_PAYLOAD];
    loop {
        let read = tokio::select! {
            read = output.read(&mut buffer) => read,
            _ = ended.wait_for(|ended| *ended) => output.read_at_once(&mut buffer),
        };
        // A terminal's master gives an error when the other side is closed: the end, too.
        let Ok(count @ 1..) = read else { return };
        let payload = buffer.get(..count).unwrap_or_default().to_vec();
        if frames.send((channel, payload)).await.is_err() {
            return;
        }
    }
}

/// Ends when the client has gone or makes no sense.
async fn copy_input(
    mut reader: impl AsyncRead + Unpin,
    mut input: Option<Writer>,
    (run_dir, session): (std::path::PathBuf, u64),
) {
    loop {
        let mut bytes = [0; HEADER];
        if reader.read_exact(&mut bytes).await.is_err() {
            return;
        }
        let Ok((channel, length)) = frame::parse(bytes) else { return };
        let mut payload = vec![0; length];
        if reader.read_exact(&mut payload).await.is_err() {
            return;
        }
        match channel {
            Channel::Stdin if payload.is_empty() => input = None,
            Channel::Stdin => {
                let Some(writer) = &mut input else { continue };
                // The program has closed its input.
                if writer.write_all(&payload).await.is_err() || writer.flush().await.is_err() {
                    input = None;
                }
            }
            Channel::Control => {
                if let Ok(Control::Resize { rows, columns }) = serde_json::from_slice(&payload)
                    && let Ok(mut supervisor) = Supervisor::connect(&run_dir).await
                    && let Err(error) = supervisor.resize(session, rows, columns).await
                {
                    tracing::debug!("{error}");
                }
            }
            Channel::Stdout | Channel::Stderr => return,
        }
    }
}
