//! What other hosts ask of this one, and hosts that are none yet.

use super::problem::{Answer, Result, internal};
use super::{Api, Shared, recovery};
use crate::core::machine_id::MachineId;
use crate::membership::admit::{self, Admitted};
use crate::membership::trust::RENEW;
use crate::membership::{Links, now, sets, streams};
use crate::peer::raft;
use crate::peer::{Caller, Error, Who};
use crate::pki::join::{JoinRequest, RenewRequest};
use crate::pki::sealed::SealingPublic;
use axum::body::Body;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use fleetd_api::{Problem, ProblemKind};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

const JOIN: &str = "/v1/peer/join";
const WITHIN: Duration = Duration::from_secs(20);
const ANSWER: usize = 1 << 20;

/// For hosts of the fleet.
pub(super) fn router(api: Arc<Api>, links: &Links) -> Router {
    let own = Router::new()
        .route(sets::PATH, get(set))
        .route(recovery::POSITION, get(position))
        .route(JOIN, post(join))
        .route(RENEW, post(renew))
        .with_state(api);
    own.merge(raft::router(links.seat.clone()))
        .merge(streams::router(links.gossip.clone(), links.bind == links.address))
}

/// For those who have no certificate.
pub(super) fn joining(api: Arc<Api>) -> Router {
    Router::new().route("/v1/join", post(join)).with_state(api)
}

#[derive(Deserialize)]
struct Above {
    above: u64,
    /// Whether it has to be known that there is no newer one than what is answered.
    #[serde(default)]
    newest: bool,
    /// A fleetd that knows of no secrets says none.
    #[serde(default)]
    sealed_to: Option<SealingPublic>,
}

async fn set(
    State(api): Shared,
    Extension(caller): Extension<Caller>,
    query: std::result::Result<Query<Above>, QueryRejection>,
) -> Result<Response> {
    let (machine, Query(Above { above, newest, sealed_to })) = (host(&caller)?, query?);
    if newest {
        let decided = api.consensus.newest().await.ok_or_else(nobody_leads)?;
        if decided.sets.get(&machine).is_none_or(|index| *index <= above) {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
    }
    match sets::give(&api.consensus, machine, above, sealed_to.as_ref()).await.map_err(internal)? {
        Some(signed) => Ok(Json(signed).into_response()),
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// How much this host has decided, for one that is to go on alone.
async fn position(State(api): Shared) -> Json<recovery::Position> {
    Json(recovery::Position::of(&api.consensus))
}

/// The leader lets in; another host asks it.
async fn join(
    State(api): Shared,
    Extension(caller): Extension<Caller>,
    body: std::result::Result<Json<JoinRequest>, JsonRejection>,
) -> Result<Json<Admitted>> {
    let Json(request) = body?;
    if api.consensus.leads() {
        let admitted = admit::join(&api.consensus, &request, now()).await;
        let admitted = admitted.inspect_err(|error| tracing::warn!("{error}"))?;
        tracing::info!("host {} has joined at {}", request.machine, request.facts.address);
        return Ok(Json(admitted));
    }
    // One that was asked by another host does not ask a third.
    if matches!(caller.who, Who::Host(_)) {
        return Err(nobody_leads());
    }
    let links = api.links.as_ref().ok_or_else(nobody_leads)?;
    let leader = links.leader(&api.consensus).or_else(|| links.any_voter(0));
    let leader = leader.ok_or_else(nobody_leads)?;
    let address = links.address_of(leader).ok_or_else(nobody_leads)?;
    let json = serde_json::to_vec(&request).map_err(internal)?;
    let request = Request::post(JOIN)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(json))
        .map_err(internal)?;
    let answer = links.client.ask(leader, &address, request, (ANSWER, WITHIN)).await;
    let answer = answer.map_err(|error: Error| {
        Answer(Problem::new(error.kind(), format!("join the fleet: {error}")))
    })?;
    if !answer.status().is_success() {
        let problem = serde_json::from_slice::<Problem>(answer.body()).map_err(internal)?;
        return Err(problem.into());
    }
    serde_json::from_slice(answer.body()).map(Json).map_err(internal)
}

async fn renew(
    State(api): Shared,
    Extension(caller): Extension<Caller>,
    body: std::result::Result<Json<RenewRequest>, JsonRejection>,
) -> Result<Json<Admitted>> {
    let (machine, Json(request)) = (host(&caller)?, body?);
    if !api.consensus.leads() {
        return Err(nobody_leads());
    }
    Ok(Json(admit::renew(&api.consensus, machine, &request, now()).await?))
}

fn nobody_leads() -> Answer {
    let text = "ask the leader: no host is known to lead the fleet";
    Answer(Problem::new(ProblemKind::Unavailable, text).hint("try again"))
}

impl From<admit::Error> for Answer {
    fn from(error: admit::Error) -> Self {
        let text = error.to_string();
        let kind = match error {
            admit::Error::Consensus(error) => return error.into(),
            admit::Error::NotAdmitted(_) => ProblemKind::Denied,
            admit::Error::Invalid(_) | admit::Error::User(..) | admit::Error::Pki(_) => {
                ProblemKind::Invalid
            }
        };
        Self(Problem::new(kind, text))
    }
}

/// Who asks, where it is a host of the fleet.
fn host(caller: &Caller) -> Result<MachineId> {
    match caller.who {
        Who::Host(machine) => Ok(machine),
        _ => Err(Answer(Problem::new(ProblemKind::Denied, "answer: it is no host that asks"))),
    }
}
