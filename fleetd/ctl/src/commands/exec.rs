//! `exec`: a program inside a running unit, with the caller's terminal or pipes.
//!
//! After the upgrade three tasks share the connection: one reads frames, one writes them, one
//! reads standard input; so that no direction waits for another.

use super::{Context, unit_path};
use crate::cli::Exec as Flags;
use crate::client;
use crate::failure::{Failure, exit};
use crate::terminal::{self, Raw};
use crate::{names, text};
use fleetd_api::Exec;
use fleetd_api::frame::{self, Channel, Control, HEADER, MAX_PAYLOAD};
use std::io::{self, Write};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

type Frame = (Channel, Vec<u8>);

pub(super) async fn run(context: &Context, flags: &Flags) -> Result<u8, Failure> {
    session(context, flags).await.map_err(|failure| failure.code(exit::NOT_RUN))
}

async fn session(context: &Context, flags: &Flags) -> Result<u8, Failure> {
    let listed = context.units().await?;
    let units = names::select(std::slice::from_ref(&flags.unit), &listed)?;
    let [unit] = units[..] else {
        return Err(Failure::new(format!("run in {}: it means several units", flags.unit)));
    };
    // Before the size is looked at: no change after that is missed.
    let resized = signal(SignalKind::window_change())
        .map_err(|error| Failure::io("watch the terminal's size", &error))?;
    let request = serde_json::to_string(&request(flags))
        .map_err(|error| Failure::new(format!("write a request: {error}")))?;
    let path = format!("{}/exec?exec={}", unit_path(&unit.name), client::encode(&request));
    // Before anything runs: a terminal that cannot be had is no reason to start and kill it.
    let raw = if flags.tty && flags.interactive { Some(Raw::enter()?) } else { None };
    let stream = context.client.upgrade(&path, "flotilla-exec").await?;
    let (reader, writer) = tokio::io::split(stream);
    let (to_server, frames) = mpsc::channel::<Frame>(8);
    tokio::spawn(write_frames(writer, frames));
    if flags.interactive {
        tokio::spawn(read_input(to_server.clone()));
    } else {
        // Nothing comes: the program is not to wait for it.
        let _ = to_server.send((Channel::Stdin, Vec::new())).await;
    }
    if flags.tty {
        tokio::spawn(report_sizes(resized, to_server.clone()));
    }
    let result = read_output(reader).await;
    // The terminal is itself again before anything is printed.
    drop(raw);
    result
}

fn request(flags: &Flags) -> Exec {
    let mut env = flags.env.clone();
    if flags.tty
        && !env.iter().any(|pair| pair.starts_with("TERM="))
        && let Ok(term) = std::env::var("TERM")
    {
        env.push(format!("TERM={term}"));
    }
    Exec {
        command: flags.command.clone(),
        tty: flags.tty,
        size: if flags.tty { terminal::size() } else { None },
        env,
        user: flags.user.clone(),
        cwd: flags.workdir.clone(),
    }
}

/// Copies output until the program's end; its exit code.
async fn read_output(mut reader: impl AsyncRead + Unpin) -> Result<u8, Failure> {
    loop {
        let mut header = [0; HEADER];
        reader.read_exact(&mut header).await.map_err(|error| broken(&error))?;
        let (channel, length) =
            frame::parse(header).map_err(|error| Failure::new(error.to_string()))?;
        let mut payload = vec![0; length];
        reader.read_exact(&mut payload).await.map_err(|error| broken(&error))?;
        match channel {
            Channel::Stdout => copy(&mut io::stdout().lock(), &payload)?,
            Channel::Stderr => copy(&mut io::stderr().lock(), &payload)?,
            Channel::Stdin => {}
            Channel::Control => match serde_json::from_slice(&payload) {
                // The lower byte is what every program's exit code is.
                Ok(Control::Exit { code }) => return Ok(code.to_le_bytes()[0]),
                Ok(Control::Failed { message }) => return Err(Failure::new(message)),
                Ok(Control::Resize { .. }) => {}
                Err(error) => {
                    return Err(Failure::new(format!("read fleetd's exec stream: {error}")));
                }
            },
        }
    }
}

fn broken(error: &io::Error) -> Failure {
    let cause = match error.kind() {
        io::ErrorKind::UnexpectedEof => "fleetd went away".to_owned(),
        _ => text::cause(error),
    };
    Failure::new(format!("run the program: {cause}; its exit code is not known"))
}

fn copy(out: &mut impl Write, bytes: &[u8]) -> Result<(), Failure> {
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|error| Failure::io("write the program's output", &error))
}

/// Ends with the connection; that shows where frames are read.
async fn write_frames(mut writer: impl AsyncWrite + Unpin, mut frames: mpsc::Receiver<Frame>) {
    while let Some((channel, payload)) = frames.recv().await {
        let mut bytes = frame::header(channel, payload.len()).to_vec();
        bytes.extend(payload);
        if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
}

async fn read_input(to_server: mpsc::Sender<Frame>) {
    let mut input = tokio::io::stdin();
    let mut buffer = vec![0; MAX_PAYLOAD];
    loop {
        // An input that cannot be read is at its end.
        let count = input.read(&mut buffer).await.unwrap_or(0);
        let sent = to_server.send((Channel::Stdin, buffer[..count].to_vec())).await;
        if sent.is_err() || count == 0 {
            return;
        }
    }
}

async fn report_sizes(mut resized: Signal, to_server: mpsc::Sender<Frame>) {
    while resized.recv().await.is_some() {
        let Some((rows, columns)) = terminal::size() else { continue };
        let Ok(payload) = serde_json::to_vec(&Control::Resize { rows, columns }) else { return };
        if to_server.send((Channel::Control, payload)).await.is_err() {
            return;
        }
    }
}
