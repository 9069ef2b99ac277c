//! HTTP to one fleetd over its unix socket: a connection a request.

use crate::connection::Connection;
use crate::failure::Failure;
use crate::text;
use fleetd_api::Problem;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::UnixStream;

/// An answer that takes longer is told as such: a daemon that hangs must not hang its caller.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest line of a stream: a log line of 16 KiB, escaped, fits many times.
const MAX_LINE: usize = 1024 * 1024;
/// An answer that is not a stream is no longer.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

pub(crate) type Body = BoxBody<Bytes, io::Error>;

pub(crate) struct Client {
    socket: PathBuf,
}

/// What stays as it is in a part of a path or a query (RFC 3986, section 2.3).
const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// A text as a part of a path or a query.
pub(crate) fn encode(part: &str) -> String {
    utf8_percent_encode(part, RESERVED).to_string()
}

impl Client {
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::GET, path, empty()).await
    }

    /// None: 404.
    pub(crate) async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        let response = self.quick(self.request(Method::GET, path, empty())?).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let response = self.accepted(response).await?;
        self.read(response).await.map(Some)
    }

    pub(crate) async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.call(Method::PUT, path, json(body)?).await
    }

    pub(crate) async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.call(Method::PATCH, path, json(body)?).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Body,
    ) -> Result<T, Failure> {
        self.call(Method::POST, path, body).await
    }

    pub(crate) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::DELETE, path, empty()).await
    }

    /// A request that may take as long as its work does.
    pub(crate) async fn slow<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Body,
    ) -> Result<T, Failure> {
        let response = self.send(self.request(Method::POST, path, body)?).await?;
        let response = self.accepted(response).await?;
        self.read(response).await
    }

    /// An answer of JSON lines that comes as it happens.
    pub(crate) async fn lines(&self, path: &str) -> Result<Lines, Failure> {
        let response = self.quick(self.request(Method::GET, path, empty())?).await?;
        let response = self.accepted(response).await?;
        Ok(Lines { body: response.into_body(), buffer: Vec::new() })
    }

    /// Leaves HTTP behind: the connection is the caller's.
    pub(crate) async fn upgrade(
        &self,
        path: &str,
        protocol: &'static str,
    ) -> Result<TokioIo<hyper::upgrade::Upgraded>, Failure> {
        let mut request = self.request(Method::POST, path, empty())?;
        let headers = request.headers_mut();
        headers.insert(header::CONNECTION, header::HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, header::HeaderValue::from_static(protocol));
        let response = self.quick(request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let response = self.accepted(response).await?;
            return Err(self.odd(format!("status {} instead of 101", response.status())));
        }
        let upgraded = hyper::upgrade::on(response).await.map_err(|error| self.lost(&error))?;
        Ok(TokioIo::new(upgraded))
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<T, Failure> {
        let response = self.quick(self.request(method, path, body)?).await?;
        let response = self.accepted(response).await?;
        self.read(response).await
    }

    fn request(&self, method: Method, path: &str, body: Body) -> Result<Request<Body>, Failure> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        // Names are encoded before they get here: what is left to go wrong is the length.
        *request.uri_mut() =
            path.parse().map_err(|error| self.odd(format!("write the request: {error}")))?;
        let headers = request.headers_mut();
        headers.insert(header::HOST, header::HeaderValue::from_static("fleetd"));
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        Ok(request)
    }

    async fn quick(&self, request: Request<Body>) -> Result<Response<Incoming>, Failure> {
        match tokio::time::timeout(PATIENCE, self.send(request)).await {
            Ok(response) => response,
            Err(_) => Err(self
                .odd(format!("no answer after {} s", PATIENCE.as_secs()))
                .hint("fleetd hangs: see its log")),
        }
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, Failure> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|e| self.unreachable(&e))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(Connection::new(stream)))
            .await
            .map_err(|error| self.lost(&error))?;
        // Its end shows in what waits for an answer.
        tokio::spawn(async move { connection.with_upgrades().await });
        sender.send_request(request).await.map_err(|error| self.lost(&error).unsure())
    }

    /// The answer if it is none of an error.
    async fn accepted(&self, response: Response<Incoming>) -> Result<Response<Incoming>, Failure> {
        let status = response.status();
        if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
        let body = self.body(response).await?;
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Err(problem.into()),
            Err(_) => Err(self.odd(format!("status {status}"))),
        }
    }

    async fn read<T: DeserializeOwned>(&self, response: Response<Incoming>) -> Result<T, Failure> {
        let body = self.body(response).await?;
        let body: &[u8] = if body.is_empty() { b"null" } else { &body };
        serde_json::from_slice(body).map_err(|error| {
            self.odd(format!("an answer that is not understood: {error}"))
                .hint("fleetctl and fleetd are of different versions? fleetctl version")
        })
    }

    async fn body(&self, response: Response<Incoming>) -> Result<Bytes, Failure> {
        let body = http_body_util::Limited::new(response.into_body(), MAX_ANSWER);
        let whole = body.collect().await.map_err(|error| self.odd(error.to_string()).unsure())?;
        Ok(whole.to_bytes())
    }

    fn unreachable(&self, error: &io::Error) -> Failure {
        let failure = Failure::io(format!("connect {}", self.socket.display()), error);
        match error.kind() {
            io::ErrorKind::PermissionDenied => failure.hint("only root may: sudo fleetctl ..."),
            _ => failure.hint("is fleetd running? --socket names another one's socket"),
        }
    }

    fn lost(&self, error: &hyper::Error) -> Failure {
        self.odd(format!("the connection broke: {error}"))
    }

    fn odd(&self, message: String) -> Failure {
        Failure::new(format!("ask {}: {}", self.socket.display(), text::plain(&message)))
    }
}

pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

pub(crate) fn json(value: &impl Serialize) -> Result<Body, Failure> {
    let text = serde_json::to_vec(value)
        .map_err(|error| Failure::new(format!("write a request: {error}")))?;
    Ok(full(text))
}

/// JSON lines as they arrive.
pub(crate) struct Lines {
    body: Incoming,
    buffer: Vec<u8>,
}

impl Lines {
    /// The next one; none at the end of the stream. Safe to drop while it waits.
    pub(crate) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Failure> {
        let bad = |what: String| Failure::new(format!("read fleetd's stream: {what}"));
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                if line.trim_ascii().is_empty() {
                    continue;
                }
                let item = serde_json::from_slice(&line).map_err(|e| bad(e.to_string()))?;
                return Ok(Some(item));
            }
            if self.buffer.len() > MAX_LINE {
                return Err(bad(format!("a line is over {MAX_LINE} bytes")));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(bad(error.to_string())),
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.buffer.extend_from_slice(data);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_part_of_a_path() {
        assert_eq!(encode("web@a\\x2db.container"), "web@a%5Cx2db.container");
        assert_eq!(encode("docker.io/x:1"), "docker.io%2Fx%3A1");
    }
}
