//! A user of a fleet who speaks HTTP by himself: what fleetctl would never send, too.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use fleetd_pki::{Bundle, Credentials, Expected, Own, Revoked, tls};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

/// Somebody with a certificate of a fleet.
#[derive(Clone)]
pub(crate) struct User(Arc<ClientConfig>);

/// An answer: its status, and its body as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl User {
    /// By the file that `fleetctl user add` has written.
    pub(crate) fn of(file: &Path) -> Self {
        let file: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let text = |name: &str| file[name].as_str().unwrap();
        Self::new(text("certificate"), text("key"), text("authorities"))
    }

    /// A host, by what a thief finds on its disk: `identity.json`.
    pub(crate) fn of_host(identity: &Path) -> Self {
        let file: Value = serde_json::from_slice(&std::fs::read(identity).unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let bundle = text(&file["view"]["bundle"]);
        Self::new(&text(&file["certificate"]), &text(&file["key"]), &bundle)
    }

    fn new(certificate: &str, key: &str, authorities: &str) -> Self {
        let own = Own::read(certificate, key).unwrap();
        let bundle = Bundle::read(authorities).unwrap();
        let credentials = Arc::new(Credentials::new(bundle, Revoked::default(), own));
        let mut config = tls::client(&credentials, Expected::AnyHost).unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self(Arc::new(config))
    }

    /// What comes back of the bytes, until the host closes. `at`: `ADDRESS:PORT`.
    pub(crate) fn send(&self, at: &str, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        let tcp = TcpStream::connect(at)?;
        let name = tls::server_name();
        let connection = ClientConnection::new(Arc::clone(&self.0), name).unwrap();
        let mut stream = StreamOwned::new(connection, tcp);
        // A host that refuses early does not read all of it: its answer is what counts.
        let _ = stream.write_all(bytes).and_then(|()| stream.flush());
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Err(error) if answer.is_empty() => Err(error),
            _ => Ok(answer),
        }
    }

    /// The JSON lines of a stream that goes on, as they come.
    pub(crate) fn lines(&self, at: &str, path: &str) -> impl Iterator<Item = Value> + use<> {
        let tcp = TcpStream::connect(at).unwrap();
        let connection = ClientConnection::new(Arc::clone(&self.0), tls::server_name()).unwrap();
        let mut stream = StreamOwned::new(connection, tcp);
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: fleet\r\n\r\n").as_bytes()).unwrap();
        // What is between the lines is how long the pieces are.
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        lines.filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(&line).unwrap())
    }

    /// One request. `head`: the lines after the first one, each with its end.
    pub(crate) fn ask(&self, at: &str, method: &str, path: &str, head: &str, body: &str) -> Answer {
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: fleet\r\nConnection: close\r\n{head}\r\n{body}"
        );
        let bytes = self.send(at, text.as_bytes()).unwrap();
        let answer = String::from_utf8(bytes).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, body: body.to_owned() }
    }

    /// The same with a body of JSON and its length.
    pub(crate) fn json(&self, at: &str, method: &str, path: &str, body: &str) -> Answer {
        let head = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        self.ask(at, method, path, &head, body)
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The sentence of a refusal.
    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap().to_owned()
    }
}
