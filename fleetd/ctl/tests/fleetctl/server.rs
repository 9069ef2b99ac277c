//! A fleetd that says what it was told to say, over a unix socket, and the built fleetctl.

use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

pub(crate) enum Reply {
    Json(u16, Value),
    /// The same, and the connection closes before the body is read.
    Early(u16, Value),
    /// JSON lines; then the connection closes.
    Lines(Vec<Value>),
    /// JSON lines; then the stream stays open until the client leaves.
    Open(Vec<Value>),
    /// One after the other; the last one stays.
    Turns(Mutex<VecDeque<Reply>>),
    /// The connection closes without an answer.
    Close,
    /// 101, then the connection is the function's.
    Upgrade(fn(UnixStream)),
}

/// What came in: `PUT /v1/units/x` and its body.
pub(crate) type Request = (String, Vec<u8>);

impl Reply {
    pub(crate) fn turns(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::Turns(Mutex::new(replies.into_iter().collect()))
    }
}

pub(crate) struct Server {
    dir: TempDir,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers by `METHOD PATH`, the query left out; 404 to all else.
    pub(crate) fn new(replies: Vec<(&str, Reply)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("fleetd.sock")).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let replies: HashMap<String, Reply> =
            replies.into_iter().map(|(route, reply)| (route.to_owned(), reply)).collect();
        let (replies, seen) = (Arc::new(replies), requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (replies, seen) = (replies.clone(), seen.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &replies, &seen));
            }
        });
        Self { dir, requests }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// fleetctl in the server's directory.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fleetctl"));
        command.args(arguments).current_dir(self.dir()).stdin(Stdio::null());
        command.env("FLEETCTL_SOCKET", self.dir().join("fleetd.sock"));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    /// The same with something on its standard input.
    pub(crate) fn fed(&self, arguments: &[&str], input: impl AsRef<[u8]>) -> Ran {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // One that does not read its input is gone before this is written.
        let _ = child.stdin.take().unwrap().write_all(input.as_ref());
        Ran::from(child.wait_with_output().unwrap())
    }

    /// The requests that change something, and their bodies as JSON.
    pub(crate) fn changes(&self) -> Vec<(String, Value)> {
        let requests = self.requests.lock().unwrap();
        let changes = requests.iter().filter(|(route, _)| !route.starts_with("GET"));
        changes
            .map(|(route, body)| {
                (route.clone(), serde_json::from_slice(body).unwrap_or(Value::Null))
            })
            .collect()
    }

    pub(crate) fn bodies(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// A terminal: the end of who sits there, and fleetctl's.
pub(crate) fn terminal() -> (File, File) {
    let master = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR).unwrap();
    rustix::pty::grantpt(&master).unwrap();
    rustix::pty::unlockpt(&master).unwrap();
    let path = rustix::pty::ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    // A test that leads its session must not get the terminal as its own.
    let own = rustix::fs::OFlags::NOCTTY.bits().cast_signed();
    let terminal = File::options().read(true).write(true).custom_flags(own).open(path).unwrap();
    (master.into(), terminal)
}

/// What a run of fleetctl left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn serve(stream: UnixStream, replies: &HashMap<String, Reply>, seen: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let route = line.rsplit_once(' ').unwrap().0.to_owned();
    let mut length = 0;
    let mut chunked = false;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let header = header.trim_end().to_ascii_lowercase();
        match header.split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(("transfer-encoding", "chunked")) => chunked = true,
            _ if header.is_empty() => break,
            _ => {}
        }
    }
    let path = route.split('?').next().unwrap().to_owned();
    let reply = replies.get(&path);
    if let Some(Reply::Early(..)) = reply {
        return answer(stream, reply);
    }
    let body = if chunked { chunks(&mut reader) } else { exactly(&mut reader, length) };
    seen.lock().unwrap().push((route, body));
    answer(stream, reply);
}

fn exactly(reader: &mut impl Read, length: usize) -> Vec<u8> {
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    body
}

/// A chunked body; what came of one that was cut.
fn chunks(reader: &mut impl BufRead) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        reader.read_line(&mut size).unwrap();
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else { return b"cut".to_vec() };
        body.extend(exactly(reader, size));
        exactly(reader, 2);
        if size == 0 {
            return body;
        }
    }
}

fn answer(mut stream: UnixStream, reply: Option<&Reply>) {
    let lines = |values: &[Value]| values.iter().map(|v| format!("{v}\n")).collect::<String>();
    let head = |status: u16| format!("HTTP/1.1 {status} x\r\nconnection: close\r\n");
    // A client that has left is no fault of the test.
    let _ = match reply {
        None => {
            let problem = json!({"kind": "not_found", "message": "find it: there is none"});
            write!(stream, "{}\r\n{problem}", head(404))
        }
        Some(Reply::Json(status, value) | Reply::Early(status, value)) => {
            write!(stream, "{}\r\n{value}", head(*status))
        }
        Some(Reply::Close) => Ok(()),
        Some(Reply::Turns(replies)) => {
            let mut replies = replies.lock().unwrap();
            let first = if replies.len() > 1 { replies.pop_front() } else { None };
            return answer(stream, first.as_ref().or(replies.front()));
        }
        Some(Reply::Lines(values)) => write!(stream, "{}\r\n{}", head(200), lines(values)),
        Some(Reply::Open(values)) => {
            let _ = write!(stream, "{}\r\n{}", head(200), lines(values));
            // Ends when the client does.
            stream.read(&mut [0]).map(drop)
        }
        Some(Reply::Upgrade(serve)) => {
            let _ = write!(
                stream,
                "HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: flotilla-exec\r\n\r\n"
            );
            serve(stream);
            Ok(())
        }
    };
}

pub(crate) const MACHINE: &str = "113f16a7aaaabbbbccccddddeeeeffff";

pub(crate) fn machines() -> Reply {
    Reply::Json(
        200,
        json!([{
            "id": MACHINE, "ip": "192.0.2.7", "metadata": {"disk": "ssd", "rack": "a"},
            "version": "0.1.0",
        }]),
    )
}

/// A unit's state: running, with what `change` says otherwise.
pub(crate) fn state(change: Value) -> Value {
    let mut state = json!({
        "current": "launched", "load": "loaded", "active": "active", "sub": "running",
        "machine": MACHINE, "pid": 42, "address": "10.98.0.2", "ports": ["8080:80/tcp"],
        "since": 1_763_666_526_000_000_u64, "health": "healthy", "restarts": 0,
        "last_exit": null, "message": null,
    });
    for (key, value) in change.as_object().unwrap() {
        state[key] = value.clone();
    }
    state
}

pub(crate) fn unit(name: &str, state: Value) -> Value {
    let desired = state["current"].clone();
    json!({
        "name": name, "description": "The web server",
        "hash": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "text": "[Container]\nImage=web\n", "desired": desired, "state": state,
    })
}

pub(crate) fn event(index: u64, unit: &str, kind: Value) -> Value {
    let mut event = json!({"index": index, "time": 0, "unit": unit});
    for (key, value) in kind.as_object().unwrap() {
        event[key] = value.clone();
    }
    event
}
