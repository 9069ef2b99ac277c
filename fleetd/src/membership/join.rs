//! This host asks to be let into a fleet.

use super::admit::Admitted;
use super::identity::{self, Identity};
use crate::agent::place::Place;
use crate::core::decided::fleet::Secret;
use crate::core::machine_id::MachineId;
use crate::core::unit::HostFacts;
use crate::net::TcpStream;
use crate::pki::join::{JoinRequest, MachineFacts};
use crate::pki::refusal::explain;
use crate::pki::{Key, Request, Token, joining, tls};
use crate::sentence::cause;
use axum::body::Body;
use axum::http::{StatusCode, header};
use fleetd_api::{Join, Problem, ProblemKind};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::UnixTime;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// For all of it.
const PATIENCE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(5);
/// The longest answer.
const ANSWER: usize = 1 << 20;

pub struct Host<'a> {
    pub place: &'a Place,
    pub machine: MachineId,
    pub facts: &'a HostFacts,
    pub cpus: usize,
}

/// Joins, and keeps what makes this host one of the fleet.
pub async fn join(host: Host<'_>, wanted: &Join) -> Result<Identity, Problem> {
    let invalid = |text: String| Problem::new(ProblemKind::Invalid, text);
    let token: Token = wanted.token.parse().map_err(invalid)?;
    let at = identity::address(&wanted.at).map_err(invalid)?;
    let advertised = wanted.advertise.as_deref().map(identity::address).transpose();
    let advertised = advertised.map_err(invalid)?;
    let work = ask(&host, &token, at, (advertised, wanted.witness));
    let late = |_| unavailable(format!("join at {at}: there is no answer after {PATIENCE:?}"));
    let identity = tokio::time::timeout(PATIENCE, work).await.map_err(late)??;
    identity.write(host.place).map_err(|text| Problem::new(ProblemKind::Internal, text))?;
    Ok(identity)
}

fn unavailable(text: String) -> Problem {
    Problem::new(ProblemKind::Unavailable, text)
}

async fn ask(
    host: &Host<'_>,
    token: &Token,
    at: SocketAddr,
    (advertised, witness): (Option<SocketAddr>, bool),
) -> Result<Identity, Problem> {
    let stream =
        connect(token, at).await.map_err(|why| unavailable(format!("join at {at}: {why}")))?;
    let internal = |why: String| Problem::new(ProblemKind::Internal, why);
    let own = stream.get_ref().0.local_addr().map_err(|e| internal(cause(&e)))?;
    let address = advertised.unwrap_or(SocketAddr::new(own.ip(), fleetd_api::FLEET_PORT));
    let key = Key::generate().map_err(|e| internal(e.to_string()))?;
    let csr = Request::make(&key, None).map_err(|e| internal(e.to_string()))?;
    let facts = MachineFacts { witness, ..facts(host, address) };
    let request = JoinRequest { token: token.clone(), machine: host.machine, csr, facts };
    let admitted = send(stream, at, &request).await?;
    let Admitted { answer, view } = admitted;
    answer
        .accept(&host.machine, &key, &token.authority(), UnixTime::now())
        .map_err(|e| internal(format!("join at {at}: {e}")))?;
    let (certificate, key) = (answer.certificate, Secret(key.pem()));
    Ok(Identity { machine: host.machine, certificate, key, address, view, fresh: true })
}

fn facts(host: &Host<'_>, address: SocketAddr) -> MachineFacts {
    MachineFacts {
        hostname: host.facts.hostname.clone(),
        address: address.to_string(),
        kernel_release: host.facts.kernel_release.clone(),
        architecture: host.facts.architecture.clone(),
        cpus: u32::try_from(host.cpus).unwrap_or(u32::MAX),
        memory: host.facts.memory,
        witness: false,
    }
}

async fn connect(token: &Token, at: SocketAddr) -> Result<TlsStream<TcpStream>, String> {
    let shake = async {
        let tcp = TcpStream::connect(at).await.map_err(|e| cause(&e))?;
        let config = joining::client(token.authority()).map_err(|e| cause(&e))?;
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(tls::server_name(), tcp).await.map_err(|e| explain(&e))
    };
    let late = |_| format!("there is no answer after {CONNECT:?}");
    tokio::time::timeout(CONNECT, shake).await.map_err(late)?
}

async fn send(
    stream: TlsStream<TcpStream>,
    at: SocketAddr,
    request: &JoinRequest,
) -> Result<Admitted, Problem> {
    let fail = |why: String| unavailable(format!("join at {at}: {why}"));
    let json = serde_json::to_vec(request).map_err(|e| fail(e.to_string()))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|e| fail(cause(&e)))?;
    tokio::spawn(connection);
    let request = axum::http::Request::post("/v1/join")
        .header(header::HOST, "fleet")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(json))
        .map_err(|e| fail(cause(&e)))?;
    let response = sender.send_request(request).await.map_err(|e| fail(cause(&e)))?;
    let status = response.status();
    let body = axum::body::to_bytes(Body::new(response.into_body()), ANSWER).await;
    let body = body.map_err(|e| fail(cause(&e)))?;
    if status != StatusCode::OK {
        let problem = serde_json::from_slice::<Problem>(&body);
        return Err(problem.unwrap_or_else(|_| fail(format!("it answers with status {status}"))));
    }
    serde_json::from_slice(&body).map_err(|e| fail(e.to_string()))
}
