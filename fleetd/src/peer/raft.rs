//! Raft's messages between hosts: asking ([`Messages`]) and answering ([`router`]).
//!
//! Each message says which version of this protocol it is of and which generation of the fleet: a
//! host that was away while the fleet was recovered must not be counted among those that have
//! recovered it.

use super::answer::refuse;
use super::caller::{Caller, Who};
use super::client::Client;
use super::client::refused_by;
use super::error::{Error, To};
use crate::consensus::raft::network::{Rpc, Wire, answer};
use crate::consensus::raft::{Group, Voter};
use crate::core::machine_id::MachineId;
use crate::sentence::cause;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use fleetd_api::ProblemKind;
use openraft::Raft;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Of the messages between hosts.
pub const PROTOCOL: HeaderName = HeaderName::from_static("flotilla-protocol");
/// Of the fleet: grows with every recovery.
pub const GENERATION: HeaderName = HeaderName::from_static("flotilla-generation");

const VERSION: u64 = 1;

/// The longest message: a batch of entries, of which one may be long, and JSON makes up to six bytes
/// of one.
const MESSAGE: usize = 32 << 20;
/// The longest answer.
const ANSWER: usize = 1 << 20;
/// Nobody waits longer for an answer; Raft's own deadlines are shorter.
const WITHIN: Duration = Duration::from_secs(30);

/// What the messages need to know of the group on this host.
pub trait Seat: Send + Sync + 'static {
    /// The group's present run; none while it is started again.
    fn raft(&self) -> Option<Raft<Group>>;
    /// Whether a host is a voter or learner. A host that is new to the group has an empty log:
    /// it has to know the others from elsewhere.
    fn is_member(&self, machine: MachineId) -> bool;
    /// None: this host has not heard of any yet.
    fn generation(&self) -> Option<u64>;
}

/// To the other members.
#[derive(Clone)]
pub struct Messages {
    client: Client,
    seat: Arc<dyn Seat>,
}

impl Messages {
    /// The client is for this alone: nothing else may take its connections.
    pub fn new(client: Client, seat: Arc<dyn Seat>) -> Self {
        Self { client, seat }
    }

    async fn send(&self, to: To, rpc: Rpc, message: Vec<u8>) -> Result<Vec<u8>, Error> {
        let mut request = Request::post(path(rpc)).body(Body::from(message));
        if let Ok(request) = &mut request {
            let headers = request.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(PROTOCOL, VERSION.into());
            if let Some(generation) = self.seat.generation() {
                headers.insert(GENERATION, generation.into());
            }
        }
        let request = request.map_err(|e| Error::Ask { to: to.clone(), cause: cause(e) })?;
        let limits = (ANSWER, WITHIN);
        let response = self.client.ask(to.machine, &to.address, request, limits).await?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            status => Err(refused_by(&to, status, response.body())),
        }
    }
}

impl Wire for Messages {
    async fn call(
        &self,
        to: MachineId,
        at: &Voter,
        rpc: Rpc,
        message: Vec<u8>,
    ) -> io::Result<Vec<u8>> {
        let to = To { machine: to, address: at.address.clone() };
        self.send(to, rpc, message).await.map_err(io::Error::other)
    }
}

fn path(rpc: Rpc) -> &'static str {
    match rpc {
        Rpc::Append => "/v1/peer/raft/append",
        Rpc::Vote => "/v1/peer/raft/vote",
        Rpc::Snapshot => "/v1/peer/raft/snapshot",
    }
}

/// Where the other members are answered.
pub fn router(seat: Arc<dyn Seat>) -> Router {
    let mut router = Router::new();
    for rpc in [Rpc::Append, Rpc::Vote, Rpc::Snapshot] {
        let take = move |State(seat): State<Arc<dyn Seat>>,
                         Extension(caller): Extension<Caller>,
                         headers: HeaderMap,
                         message: Bytes| async move {
            take(seat.as_ref(), &caller, &headers, rpc, &message).await
        };
        router = router.route(path(rpc), post(take));
    }
    router.layer(DefaultBodyLimit::max(MESSAGE)).with_state(seat)
}

async fn take(
    seat: &dyn Seat,
    caller: &Caller,
    headers: &HeaderMap,
    rpc: Rpc,
    message: &[u8],
) -> Response {
    let refused = |kind, cause: String| refuse(kind, format!("take a message of Raft: {cause}"));
    let Who::Host(machine) = caller.who else {
        return refused(ProblemKind::Denied, format!("it is of {}", caller.who));
    };
    if !seat.is_member(machine) {
        let text = format!("host {machine} is neither voter nor learner here");
        return refused(ProblemKind::Denied, text);
    }
    match number(headers, &PROTOCOL) {
        Some(VERSION) => {}
        version => {
            let theirs = shown(version);
            let text = format!("its protocol is {theirs}, and this fleetd's is {VERSION}");
            return refused(ProblemKind::Conflict, text);
        }
    }
    let theirs = number(headers, &GENERATION);
    if let Some(generation) = seat.generation()
        && theirs != Some(generation)
    {
        let theirs = shown(theirs);
        let text =
            format!("its generation of the fleet is {theirs}, and this host's is {generation}");
        return refused(ProblemKind::Conflict, text);
    }
    let Some(raft) = seat.raft() else {
        return refused(ProblemKind::Unavailable, "the group on this host is starting".to_owned());
    };
    match answer(&raft, rpc, message).await {
        Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => refused(ProblemKind::Invalid, cause(error)),
    }
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

fn shown(number: Option<u64>) -> String {
    number.map_or_else(|| "not said".to_owned(), |number| number.to_string())
}
