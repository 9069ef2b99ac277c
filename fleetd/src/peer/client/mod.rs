//! Asks other hosts, over connections that are kept.
//!
//! | File | Owns |
//! |---|---|
//! | [`pool`] | which connections there are to a host |
//! | [`connection`] | one of them, from the handshake to its end |
//! | [`answer`] | bodies of answers, after which a connection is free |
//!
//! One client has one set of connections. What must not wait for others has a client of its own:
//! a host's streams for people do not hold up Raft.

mod answer;
mod connection;
mod pool;

use super::error::{Error, To};
use crate::pki::{Credentials, MachineId};
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use fleetd_api::{Problem, ProblemKind};
use futures_util::TryStreamExt;
use hyper::body::Body as HttpBody;
use hyper_util::rt::TokioIo;
use pool::Pool;
use std::sync::Arc;
use std::time::Duration;

/// A connection that has left HTTP: bytes in both directions.
pub type Upgraded = TokioIo<hyper::upgrade::Upgraded>;

/// Of a client.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections to one host at once, kept ones included.
    pub connections: usize,
    /// Until one of them is free.
    pub free: Duration,
    /// Until a new one has its handshake behind it.
    pub connect: Duration,
    /// A kept one is not used after this: shorter than the other side keeps it.
    pub idle: Duration,
    /// What is under way with a host that is refused may take so long.
    pub closing: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16,
            free: Duration::from_secs(10),
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(60),
            closing: Duration::from_secs(10),
        }
    }
}

/// Clones share their connections.
#[derive(Clone)]
pub struct Client {
    pool: Arc<Pool>,
}

impl Client {
    pub fn new(credentials: &Arc<Credentials>, limits: Limits) -> Self {
        Self { pool: Arc::new(Pool::new(Arc::clone(credentials), limits)) }
    }

    /// Sends a request to this host, and to no other at the address (`ADDRESS:PORT`). Returns with
    /// the header of the answer, however late; its body may be a stream without end.
    ///
    /// A request that a kept connection did not take is sent once more over a new one; so is one
    /// without a body that changes nothing, if nothing of an answer came.
    pub async fn request(
        &self,
        machine: MachineId,
        address: &str,
        request: Request<Body>,
    ) -> Result<Response<Body>, Error> {
        let to = To { machine, address: address.to_owned() };
        self.send(&to, addressed(&to, request)).await
    }

    async fn send(&self, to: &To, mut request: Request<Body>) -> Result<Response<Body>, Error> {
        let ask = |cause| Error::Ask { to: to.clone(), cause };
        let host = self.pool.host(to);
        let permit = host.permit(to, &self.pool.limits).await?;
        let permit = match host.kept(permit).await {
            Ok(lease) => {
                let again = repeatable(&request);
                let failed = match lease.send(request).await {
                    Ok(response) => return Ok(response),
                    Err(failed) => failed,
                };
                let again = again.filter(|_| failed.silent);
                request = failed.unsent.or(again).ok_or_else(|| ask(failed.cause))?;
                // The others may have been closed as well.
                host.forget_all();
                failed.permit
            }
            Err(permit) => permit,
        };
        let lease = self.pool.connect(to, &host, permit).await?;
        lease.send(request).await.map_err(|failed| ask(failed.cause))
    }

    /// The same for a short answer, all of it: at most `most` bytes, `within` a time.
    pub async fn ask(
        &self,
        machine: MachineId,
        address: &str,
        request: Request<Body>,
        (most, within): (usize, Duration),
    ) -> Result<Response<Vec<u8>>, Error> {
        let to = To { machine, address: address.to_owned() };
        let asked = async {
            let (head, body) = self.request(machine, address, request).await?.into_parts();
            Ok(Response::from_parts(head, collect(&to, body, most).await?))
        };
        let late = |_| Error::Late { to: to.clone(), seconds: within.as_secs() };
        tokio::time::timeout(within, asked).await.map_err(late)?
    }

    /// Leaves HTTP for a protocol. The connection is the caller's, and one of the host's until it is
    /// dropped.
    pub async fn upgrade(
        &self,
        machine: MachineId,
        address: &str,
        mut request: Request<Body>,
        protocol: &'static str,
    ) -> Result<Upgraded, Error> {
        let headers = request.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static(protocol));
        let to = To { machine, address: address.to_owned() };
        let response = self.request(machine, address, request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refused(&to, response).await);
        }
        let upgraded = hyper::upgrade::on(response).await;
        let upgraded =
            upgraded.map_err(|e| Error::Ask { to, cause: super::error::explain_http(&e) })?;
        Ok(TokioIo::new(upgraded))
    }
}

/// As one host sends it to another.
fn addressed(to: &To, request: Request<Body>) -> Request<Body> {
    let (mut head, body) = request.into_parts();
    head.version = Version::HTTP_11;
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = path.parse().unwrap_or_default();
    if let Ok(host) = HeaderValue::try_from(to.machine.to_string()) {
        head.headers.insert(header::HOST, host);
    }
    Request::from_parts(head, body)
}

/// A second one of the same, where it does no harm if both arrive.
fn repeatable(request: &Request<Body>) -> Option<Request<Body>> {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD)
        && request.body().is_end_stream()
        && !request.headers().contains_key(header::UPGRADE);
    safe.then(|| {
        let mut again = Request::new(Body::empty());
        again.method_mut().clone_from(request.method());
        again.uri_mut().clone_from(request.uri());
        again.headers_mut().clone_from(request.headers());
        again
    })
}

async fn collect(to: &To, body: Body, most: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let mut pieces = body.into_data_stream();
    let broken =
        |e: axum::Error| Error::Ask { to: to.clone(), cause: super::error::explain_http(&e) };
    while let Some(piece) = pieces.try_next().await.map_err(broken)? {
        if bytes.len() + piece.len() > most {
            return Err(Error::Long { to: to.clone(), most });
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// The longest problem that is read.
const PROBLEM: usize = 64 * 1024;

/// What an answer that is none of the wanted says.
pub(super) async fn refused(to: &To, response: Response<Body>) -> Error {
    let (head, body) = response.into_parts();
    match collect(to, body, PROBLEM).await {
        Ok(bytes) => refused_by(to, head.status, &bytes),
        Err(error) => error,
    }
}

pub(super) fn refused_by(to: &To, status: StatusCode, body: &[u8]) -> Error {
    let to = to.clone();
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => Error::Refused { to, kind: problem.kind, cause: problem.to_string() },
        Err(_) => {
            let cause = format!("it answers with status {}", status.as_u16());
            Error::Refused { to, kind: ProblemKind::Unavailable, cause }
        }
    }
}
