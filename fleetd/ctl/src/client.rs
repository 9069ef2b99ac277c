//! HTTP to fleetd, over its unix socket or over the network: a connection a request.
//!
//! Over the network any host of the fleet is asked. It answers itself, or says which host has to: that
//! one is asked through it, with TLS from end to end, so that it learns who asks from the user's own
//! certificate.

use crate::connection::Connection;
use crate::failure::Failure;
use crate::remote::{self, Elsewhere, Remote};
use crate::text;
use fleetd_api::Problem;
use fleetd_pki::{Expected, MachineId};
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
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::time::Instant;

/// An answer that takes longer is told as such: a daemon that hangs must not hang its caller.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest line of a stream: a log line of 16 KiB, escaped, fits many times.
const MAX_LINE: usize = 1024 * 1024;
/// An answer that is not a stream is no longer.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Another host is asked for so long while nobody leads the fleet, with a rest in between.
const CHOOSING: Duration = Duration::from_secs(15);
const REST: Duration = Duration::from_millis(100);

type HttpBody = BoxBody<Bytes, io::Error>;

/// What a request carries.
pub(crate) enum Body {
    /// It can be sent again.
    Whole(Bytes),
    Stream(HttpBody),
    /// A stream that was sent.
    Sent,
}

impl Body {
    fn http(&mut self) -> Option<HttpBody> {
        match self {
            Self::Whole(bytes) => {
                Some(Full::new(bytes.clone()).map_err(|never| match never {}).boxed())
            }
            Self::Stream(stream) => {
                let gone = Empty::new().map_err(|never| match never {}).boxed();
                let body = std::mem::replace(stream, gone);
                *self = Self::Sent;
                Some(body)
            }
            Self::Sent => None,
        }
    }
}

pub(crate) struct Client {
    at: At,
}

enum At {
    Socket(PathBuf),
    Fleet(Remote),
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
        Self { at: At::Socket(socket) }
    }

    pub(crate) fn remote(fleet: Remote) -> Self {
        Self { at: At::Fleet(fleet) }
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::GET, path, empty()).await
    }

    /// None: 404.
    pub(crate) async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        let response = self.quick(self.request(Method::GET, path)?, empty()).await?;
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
        let response = self.send(self.request(Method::POST, path)?, body).await?;
        let response = self.accepted(response).await?;
        self.read(response).await
    }

    /// An answer of JSON lines that comes as it happens.
    pub(crate) async fn lines(&self, path: &str) -> Result<Lines, Failure> {
        let response = self.quick(self.request(Method::GET, path)?, empty()).await?;
        let response = self.accepted(response).await?;
        Ok(Lines { body: response.into_body(), buffer: Vec::new() })
    }

    /// Leaves HTTP behind: the connection is the caller's.
    pub(crate) async fn upgrade(
        &self,
        path: &str,
        protocol: &'static str,
    ) -> Result<TokioIo<hyper::upgrade::Upgraded>, Failure> {
        let mut request = self.request(Method::POST, path)?;
        upgrade_to(&mut request, protocol);
        let response = self.quick(request, empty()).await?;
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
        let response = self.quick(self.request(method, path)?, body).await?;
        let response = self.accepted(response).await?;
        self.read(response).await
    }

    fn request(&self, method: Method, path: &str) -> Result<Request<()>, Failure> {
        let mut request = Request::new(());
        *request.method_mut() = method;
        // Names are encoded before they get here: what is left to go wrong is the length.
        *request.uri_mut() =
            path.parse().map_err(|error| self.odd(format!("write the request: {error}")))?;
        let headers = request.headers_mut();
        headers.insert(header::HOST, header::HeaderValue::from_static("fleetd"));
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        Ok(request)
    }

    async fn quick(&self, request: Request<()>, body: Body) -> Result<Response<Incoming>, Failure> {
        match tokio::time::timeout(PATIENCE, self.send(request, body)).await {
            Ok(response) => response,
            Err(_) => Err(self
                .odd(format!("no answer after {} s", PATIENCE.as_secs()))
                .hint("fleetd hangs: see its log")),
        }
    }

    async fn send(
        &self,
        request: Request<()>,
        mut body: Body,
    ) -> Result<Response<Incoming>, Failure> {
        let socket = match &self.at {
            At::Socket(socket) => socket,
            At::Fleet(fleet) => return self.send_to(fleet, request, body).await,
        };
        let stream = UnixStream::connect(socket).await.map_err(|e| unreachable(socket, &e))?;
        self.exchange(stream, &request, &mut body).await
    }

    /// To any host, and from there to the one that has to answer.
    async fn send_to(
        &self,
        fleet: &Remote,
        mut request: Request<()>,
        mut body: Body,
    ) -> Result<Response<Incoming>, Failure> {
        let begun = Instant::now();
        let mut elsewhere: Option<Elsewhere> = None;
        let mut lost = 0;
        loop {
            let answer = match &elsewhere {
                None => self.exchange(fleet.connect().await?, &request, &mut body).await,
                Some(to) => match self.relay(fleet, to.machine).await {
                    Ok(stream) => self.exchange(stream, &request, &mut body).await,
                    // It was not asked: whoever leads by now is.
                    Err(failure) if begun.elapsed() < CHOOSING => {
                        elsewhere = None;
                        drop(failure);
                        tokio::time::sleep(REST).await;
                        continue;
                    }
                    Err(failure) => return Err(failure),
                },
            };
            let response = match answer {
                Ok(response) => response,
                // A host that went away; what may have been done is not asked for again.
                Err(_) if *request.method() == Method::GET && lost < fleet.count() => {
                    (lost, elsewhere) = (lost + 1, None);
                    fleet.next();
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            if response.status() != StatusCode::TEMPORARY_REDIRECT {
                return Ok(response);
            }
            let to = leads_to(&response)
                .ok_or_else(|| self.odd("it sends us on, and says not where to".to_owned()))?;
            if begun.elapsed() > CHOOSING {
                return Err(
                    self.odd(format!("no host answers: each names another one ({})", to.machine))
                );
            }
            *request.uri_mut() =
                to.path.parse().map_err(|e| self.odd(format!("it sends us on: {e}")))?;
            if elsewhere.is_some_and(|before| before.machine == to.machine) {
                tokio::time::sleep(REST).await;
            }
            elsewhere = Some(to);
        }
    }

    /// A connection to one host, through the one that is reached.
    async fn relay(
        &self,
        fleet: &Remote,
        machine: MachineId,
    ) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>, Failure> {
        let mut request = self.request(Method::POST, &format!("/v1/relay/{machine}"))?;
        upgrade_to(&mut request, fleetd_api::RELAY);
        let near = fleet.connect().await?;
        let response = self.exchange(near, &request, &mut empty()).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let response = self.accepted(response).await?;
            return Err(self.odd(format!("status {} instead of 101", response.status())));
        }
        let way = hyper::upgrade::on(response).await.map_err(|error| self.lost(&error))?;
        let shaken = fleet.shake(TokioIo::new(way), Expected::Host(machine)).await;
        shaken.map_err(|cause| self.odd(format!("connect to host {machine}: {cause}")))
    }

    /// One request, for which the connection is.
    async fn exchange<S>(
        &self,
        stream: S,
        request: &Request<()>,
        body: &mut Body,
    ) -> Result<Response<Incoming>, Failure>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let body = body.http().ok_or_else(|| {
            self.odd("another host has to take what was sent; it cannot be sent again".to_owned())
        })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(Connection::new(stream)))
            .await
            .map_err(|error| self.lost(&error))?;
        // Its end shows in what waits for an answer.
        tokio::spawn(async move { connection.with_upgrades().await });
        let request = request.clone().map(|()| body);
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

    fn lost(&self, error: &hyper::Error) -> Failure {
        match &self.at {
            At::Socket(_) => self.odd(format!("the connection broke: {error}")),
            At::Fleet(_) => self.odd(remote::why(error)),
        }
    }

    fn odd(&self, message: String) -> Failure {
        let whom = match &self.at {
            At::Socket(socket) => socket.display().to_string(),
            At::Fleet(fleet) => fleet.name().to_owned(),
        };
        Failure::new(format!("ask {whom}: {}", text::plain(&message)))
    }
}

fn unreachable(socket: &Path, error: &io::Error) -> Failure {
    let failure = Failure::io(format!("connect {}", socket.display()), error);
    match error.kind() {
        io::ErrorKind::PermissionDenied => failure
            .hint("only root may: sudo fleetctl ...; or --fleet FILE, as a user of the fleet"),
        _ => failure.hint("is fleetd running? --socket names another one's socket"),
    }
}

/// Which host has to answer instead.
fn leads_to(response: &Response<Incoming>) -> Option<Elsewhere> {
    let text = |name: &str| response.headers().get(name)?.to_str().ok();
    Elsewhere::read(text(fleetd_api::MACHINE_HEADER)?, text(header::LOCATION.as_str())?)
}

fn upgrade_to(request: &mut Request<()>, protocol: &'static str) {
    let headers = request.headers_mut();
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, header::HeaderValue::from_static(protocol));
}

pub(crate) fn empty() -> Body {
    Body::Whole(Bytes::new())
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Body::Whole(bytes.into())
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
