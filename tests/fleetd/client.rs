//! A client of fleetd's socket, and one of the example server: HTTP/1.1, a connection a request.

use fleetd_api::frame::{self, Channel, Control};
use fleetd_api::{Accepted, DesiredState, Event, Problem, Submit, Unit};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longer than anything takes, even where the kernel is emulated.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Client {
    socket: PathBuf,
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }
}

impl Client {
    pub(crate) fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    fn open(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> std::io::Result<BufReader<UnixStream>> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: fleetd\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        // A server that refuses early closes while this is being written.
        let _ = stream.write_all(body);
        Ok(BufReader::new(stream))
    }

    /// The answer, or why there is none.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &[u8]) -> std::io::Result<Response> {
        let mut reader = self.open(method, path, body)?;
        let (status, chunked) = head(&mut reader)?;
        let mut body = Vec::new();
        if chunked {
            while let Some(chunk) = chunk(&mut reader)? {
                body.extend(chunk);
            }
        } else {
            match reader.read_to_end(&mut body) {
                // What was written and never read makes the end of an early answer a reset.
                Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset && !body.is_empty() => {}
                other => drop(other?),
            }
        }
        Ok(Response { status, body })
    }

    fn send(&self, method: &str, path: &str, body: &impl Serialize) -> Response {
        self.ask(method, path, &serde_json::to_vec(body).unwrap()).unwrap()
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let response = self.ask("GET", path, b"").unwrap();
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
        response.json()
    }

    pub(crate) fn submit(&self, name: &str, submit: &Submit) -> Result<Accepted, Problem> {
        accepted(&self.send("PUT", &format!("/v1/units/{name}"), submit))
    }

    /// Submits the text in the place of what is there, and wants it launched.
    pub(crate) fn launch(&self, name: &str, text: &str) -> Result<Accepted, Problem> {
        let desired = Some(DesiredState::Launched);
        let text = text.to_owned();
        self.submit(name, &Submit { text, drop_ins: Default::default(), replace: true, desired })
    }

    pub(crate) fn desire(&self, name: &str, desired: DesiredState) -> Result<Accepted, Problem> {
        let path = format!("/v1/units/{name}/desired");
        accepted(&self.send("PUT", &path, &fleetd_api::Desire { desired }))
    }

    pub(crate) fn stop(&self, name: &str) -> Result<Accepted, Problem> {
        self.desire(name, DesiredState::Loaded)
    }

    pub(crate) fn restart(&self, name: &str) -> Result<Accepted, Problem> {
        let path = format!("/v1/units/{name}/restart");
        accepted(&self.ask("POST", &path, b"").unwrap())
    }

    pub(crate) fn destroy(&self, name: &str) -> Result<Accepted, Problem> {
        accepted(&self.ask("DELETE", &format!("/v1/units/{name}"), b"").unwrap())
    }

    pub(crate) fn units(&self) -> Vec<Unit> {
        self.get("/v1/units")
    }

    pub(crate) fn unit(&self, name: &str) -> Unit {
        self.get(&format!("/v1/units/{name}"))
    }

    /// The events after the index, up to the first that is looked for.
    pub(crate) fn events(&self, since: u64, last: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut stream = self.open("GET", &format!("/v1/events?since={since}"), b"").unwrap();
        head(&mut stream).unwrap();
        let (mut events, mut bytes) = (Vec::new(), Vec::new());
        loop {
            bytes.extend(chunk(&mut stream).unwrap().expect("the events ended"));
            while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = bytes.drain(..=end).collect();
                if line.trim_ascii().is_empty() {
                    continue;
                }
                events.push(serde_json::from_slice(&line).unwrap());
                if events.last().is_some_and(&last) {
                    return events;
                }
            }
        }
    }

    /// Follows events until the unit is as wanted.
    pub(crate) fn wait(&self, name: &str, what: &str, holds: impl Fn(&Unit) -> bool) -> Unit {
        let mut stream = self.open("GET", &format!("/v1/events?unit={name}"), b"").unwrap();
        head(&mut stream).unwrap();
        let unit = self.unit(name);
        if holds(&unit) {
            return unit;
        }
        let mut seen = Vec::new();
        loop {
            let bytes = chunk(&mut stream)
                .unwrap_or_else(|e| panic!("{name} is not {what}: {e}; {:#?}", self.unit(name)));
            let bytes = bytes.expect("the events ended");
            seen.extend(bytes);
            // Whatever happened, the unit is looked at anew.
            if seen.contains(&b'\n') {
                seen.clear();
                let unit = self.unit(name);
                if holds(&unit) {
                    return unit;
                }
            }
        }
    }

    pub(crate) fn wait_active(&self, name: &str) -> Unit {
        self.wait(name, "active", |unit| unit.state.active == fleetd_api::Active::Active)
    }

    pub(crate) fn wait_failed(&self, name: &str) -> Unit {
        self.wait(name, "failed", |unit| unit.state.active == fleetd_api::Active::Failed)
    }

    /// The lines of a unit's log so far.
    pub(crate) fn log(&self, name: &str) -> Vec<String> {
        let path = format!("/v1/units/{name}/logs");
        let body = self.ask("GET", &path, b"").unwrap().body;
        let lines = body.split(|b| *b == b'\n').filter(|line| !line.is_empty());
        lines
            .map(|line| serde_json::from_slice::<fleetd_api::LogLine>(line).unwrap().line)
            .collect()
    }

    fn follow_log(&self, name: &str) -> BufReader<UnixStream> {
        let path = format!("/v1/units/{name}/logs?follow=true");
        let mut stream = self.open("GET", &path, b"").unwrap();
        head(&mut stream).unwrap();
        stream
    }

    /// Follows the log, calls `then` at its first line, and reads on until the log ends.
    pub(crate) fn follow_log_to_its_end(&self, name: &str, then: impl FnOnce()) {
        let mut stream = self.follow_log(name);
        chunk(&mut stream).unwrap().expect("a line of the log");
        then();
        while chunk(&mut stream).expect("the log ends").is_some() {}
    }

    /// Follows the log until a line has the text in it.
    pub(crate) fn wait_log(&self, name: &str, text: &str) {
        let mut stream = self.follow_log(name);
        let mut seen = String::new();
        while !seen.contains(text) {
            let bytes = chunk(&mut stream).unwrap_or_else(|e| panic!("no {text:?}: {e}; {seen}"));
            seen.push_str(&String::from_utf8_lossy(&bytes.expect("the log ended")));
        }
    }

    /// Begins a program in the unit; its frames come by the connection.
    pub(crate) fn begin_exec(&self, name: &str, command: &[&str]) -> BufReader<UnixStream> {
        let exec = serde_json::json!({ "command": command }).to_string();
        let exec: String = exec.bytes().map(|b| format!("%{b:02x}")).collect();
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "POST /v1/units/{name}/exec?exec={exec} HTTP/1.1\r\nHost: fleetd\r\n\
             Connection: upgrade\r\nUpgrade: flotilla-exec\r\nContent-Length: 0\r\n\r\n"
        )
        .unwrap();
        let mut stream = BufReader::new(stream);
        let (status, _) = head(&mut stream).unwrap();
        if status != 101 {
            let mut body = String::new();
            stream.read_to_string(&mut body).unwrap();
            panic!("exec: {status} {body}");
        }
        stream
    }

    /// Runs a program in the unit; its code and what it wrote.
    pub(crate) fn exec(&self, name: &str, command: &[&str]) -> (i32, String, String) {
        let mut stream = self.begin_exec(name, command);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        loop {
            let (channel, payload) = next_frame(&mut stream);
            match channel {
                Channel::Stdout => out.extend(payload),
                Channel::Stderr => err.extend(payload),
                Channel::Stdin => panic!("stdin came back"),
                Channel::Control => match serde_json::from_slice(&payload).unwrap() {
                    Control::Exit { code } => {
                        let text = |bytes| String::from_utf8(bytes).unwrap();
                        return (code, text(out), text(err));
                    }
                    other => panic!("exec: {other:?}"),
                },
            }
        }
    }
}

pub(crate) fn next_frame(stream: &mut impl Read) -> (Channel, Vec<u8>) {
    let mut header = [0; frame::HEADER];
    stream.read_exact(&mut header).unwrap();
    let (channel, length) = frame::parse(header).unwrap();
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).unwrap();
    (channel, payload)
}

fn accepted(response: &Response) -> Result<Accepted, Problem> {
    if response.status < 300 { Ok(response.json()) } else { Err(response.json()) }
}

/// Reads status and headers; whether the body comes in chunks.
fn head(reader: &mut impl BufRead) -> std::io::Result<(u16, bool)> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == "\r\n" {
            break;
        }
        lines.push(line.to_lowercase());
    }
    let status = lines.first().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let chunked = lines.iter().any(|line| line.starts_with("transfer-encoding: chunked"));
    Ok((status.ok_or(std::io::ErrorKind::InvalidData)?, chunked))
}

/// The next chunk; none: the body is complete (RFC 9112, section 7.1).
fn chunk(reader: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let mut size = String::new();
    if reader.read_line(&mut size)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let size = usize::from_str_radix(size.trim(), 16).map_err(std::io::Error::other)?;
    let mut bytes = vec![0; size + 2];
    reader.read_exact(&mut bytes)?;
    bytes.truncate(size);
    Ok((size > 0).then_some(bytes))
}

/// What a web server answers to `GET /`; an error: nobody answers there.
pub(crate) fn fetch(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(b"GET / HTTP/1.0\r\nHost: test\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.contains(" 200 ") => Ok(body.to_owned()),
        _ => Err(std::io::Error::other(answer)),
    }
}
