//! The socket: lines in, lines and descriptors out.
//!
//! Owns who may ask, how long a line may be and how long a peer may take. Each connection is a task
//! of its own, so a slow or silent peer keeps nobody waiting; requests meet in the engine's inbox.

use crate::engine::{Answer, Inbox, News};
use crate::sys;
use netd_api::{DEFAULT_OWNER, ErrorKind, Failure, MAX_LINE, OwnerName, Request, VERSION};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};

/// Connections at a time; further ones wait to be accepted.
const CONNECTIONS: usize = 256;
/// How long a peer may take to read a reply.
const WRITE: Duration = Duration::from_secs(10);
/// Rest after an accept that failed, such as for want of descriptors.
const REST: Duration = Duration::from_millis(100);

/// Listens on a socket of mode 0600 in a directory of mode 0700, in place of one that a dead netd
/// left there.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    if let Err(e) = std::fs::remove_file(path)
        && e.kind() != io::ErrorKind::NotFound
    {
        return Err(e);
    }
    // Bound beside and renamed: nobody can connect before the mode is set.
    let beside = path.with_extension("sock.new");
    let _ = std::fs::remove_file(&beside);
    let listener = UnixListener::bind(&beside)?;
    std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&beside, path)?;
    Ok(listener)
}

/// Accepts and serves until the process ends.
pub async fn serve(listener: UnixListener, inbox: Inbox) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let inbox = inbox.clone();
                tokio::spawn(async move {
                    // An error is the peer's going away in the middle: nobody is left to tell.
                    let _ = converse(&stream, inbox).await;
                    drop(place);
                });
            }
            Err(e) => {
                crate::say::say(format_args!("accept a connection: {e}"));
                sleep(REST).await;
            }
        }
    }
}

async fn converse(stream: &UnixStream, inbox: Inbox) -> io::Result<()> {
    let denied = denied(stream)?;
    let mut lines = Lines { stream, bytes: Vec::new() };
    loop {
        match lines.next().await? {
            Line::Whole(line) => match &denied {
                Some(failure) => return reply(stream, failure.clone().into()).await,
                None => reply(stream, ask(&line, &inbox).await).await?,
            },
            Line::TooLong => {
                let message = format!("read request: the line is over {MAX_LINE} bytes");
                return reply(stream, invalid(message).into()).await;
            }
            Line::End => return Ok(()),
        }
    }
}

/// Root and netd's own user may ask.
fn denied(stream: &UnixStream) -> io::Result<Option<Failure>> {
    let uid = stream.peer_cred()?.uid();
    let allowed = uid == 0 || uid == nix::unistd::geteuid().as_raw();
    Ok((!allowed).then(|| Failure {
        kind: ErrorKind::Denied,
        message: format!("ask netd: uid {uid} may not"),
        hint: None,
    }))
}

fn invalid(message: String) -> Failure {
    Failure { kind: ErrorKind::Invalid, message, hint: None }
}

/// Parses a request and waits for the engine's answer.
async fn ask(line: &[u8], inbox: &Inbox) -> Answer {
    let request = match parse(line) {
        Ok(request) => request,
        Err(failure) => return failure.into(),
    };
    let (sender, answer) = oneshot::channel();
    let owner = match request.owner.map_or_else(|| OwnerName::new(DEFAULT_OWNER), Ok) {
        Ok(owner) => owner,
        Err(e) => return invalid(e.to_string()).into(),
    };
    let sent = inbox.send(News::Call(owner, request.call, sender));
    match (sent, answer.await) {
        (Ok(()), Ok(answer)) => answer,
        _ => Failure {
            kind: ErrorKind::System,
            message: "ask netd: it is ending".to_owned(),
            hint: None,
        }
        .into(),
    }
}

/// The version is looked at first: a newer request may have a form that we cannot know.
fn parse(line: &[u8]) -> Result<Request, Failure> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        version: u32,
    }
    let versioned: Versioned =
        serde_json::from_slice(line).map_err(|e| invalid(format!("read request: {e}")))?;
    if versioned.version != VERSION {
        let theirs = versioned.version;
        return Err(invalid(format!("read request: version {theirs}, this netd has {VERSION}")));
    }
    serde_json::from_slice(line).map_err(|e| invalid(format!("read request: {e}")))
}

enum Line {
    Whole(Vec<u8>),
    TooLong,
    End,
}

/// Reads lines of at most [`MAX_LINE`] bytes.
struct Lines<'a> {
    stream: &'a UnixStream,
    bytes: Vec<u8>,
}

impl Lines<'_> {
    async fn next(&mut self) -> io::Result<Line> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.bytes[searched..].iter().position(|b| *b == b'\n') {
                let rest = self.bytes.split_off(searched + at + 1);
                return Ok(Line::Whole(std::mem::replace(&mut self.bytes, rest)));
            }
            if self.bytes.len() > MAX_LINE {
                return Ok(Line::TooLong);
            }
            searched = self.bytes.len();
            self.stream.readable().await?;
            match self.stream.try_read_buf(&mut self.bytes) {
                Ok(0) => return Ok(Line::End),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
    }
}

/// Writes a reply; its descriptor rides on the first byte.
async fn reply(stream: &UnixStream, answer: Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(&answer.reply)?;
    line.push(b'\n');
    timeout(WRITE, async {
        let mut descriptor = answer.descriptor.as_ref();
        let mut sent = 0;
        while sent < line.len() {
            stream.writable().await?;
            let written = stream.try_io(Interest::WRITABLE, || {
                let descriptor = descriptor.map(|d| d.as_fd());
                sys::socket::send_with_descriptor(stream, &line[sent..], descriptor)
            });
            match written {
                Ok(count) => {
                    descriptor = None;
                    sent += count;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    })
    .await?
}
