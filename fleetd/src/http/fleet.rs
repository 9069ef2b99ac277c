//! The fleet that this host is in: founded, joined, and who may join.

use super::problem::{Answer, Result, internal};
use super::users::{api_role, pki_role};
use super::{Api, Shared, applied};
use crate::core::decided::fleet::Command;
use crate::core::decided::{self, GENERATION};
use crate::core::gossip::Dropped;
use crate::membership::identity::address;
use crate::membership::{found, join, now};
use crate::pki::record::Record;
use crate::pki::{self, Authority};
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use fleetd_api::{
    ChangeFleet, CreateToken, Fleet, Init, Join, NewToken, Problem, ProblemKind, Token,
};
use std::collections::BTreeMap;

/// Of a token that says nothing else, and the most: seconds.
const VALID_FOR: u64 = 3600;
const VALID_MOST: u64 = 30 * 24 * 3600;

pub(super) async fn show(State(api): Shared) -> Json<Fleet> {
    let dropped = match &api.links {
        Some(links) => links.gossip.dropped().await.unwrap_or_default(),
        None => Dropped::default(),
    };
    let dropped = dropped.iter().map(|(reason, count)| (reason.words().to_owned(), count));
    Json(Fleet { dropped: dropped.collect(), ..fleet(&api) })
}

fn fleet(api: &Api) -> Fleet {
    let machine = api.id.to_string();
    let decided = api.consensus.decided();
    let Some(links) = &api.links else {
        return Fleet { machine, index: decided.index, ..Fleet::default() };
    };
    let view = links.view.borrow().clone();
    let index = decided.index.max(api.agent.progress.borrow().index);
    Fleet {
        id: Some(view.fleet.to_string()),
        machine,
        address: Some(links.address.to_string()),
        leader: links.leader(&api.consensus).map(|leader| leader.to_string()),
        voters: view.voters.keys().map(ToString::to_string).collect(),
        generation: index / GENERATION,
        index,
        hosts_may: Some(api_role(view.hosts_may)),
        dropped: BTreeMap::new(),
    }
}

/// Answered when this host goes by it; the others hear of it with their sets.
pub(super) async fn change(
    State(api): Shared,
    body: std::result::Result<Json<ChangeFleet>, JsonRejection>,
) -> Result<()> {
    let Json(ChangeFleet { hosts_may }) = body?;
    let Some(role) = hosts_may.map(pki_role) else { return Ok(()) };
    api.consensus.propose(Command::HostsMay { role }.into()).await?;
    tracing::info!("root of hosts that are no voters may {role} from now on");
    applied(&api, |view| view.hosts_may == role).await;
    Ok(())
}

/// This host is in no fleet yet.
fn alone(api: &Api) -> Result<()> {
    let Some(links) = &api.links else { return Ok(()) };
    let text = format!("join a fleet: this host is in fleet {}", links.view.borrow().fleet);
    Err(Problem::new(ProblemKind::Conflict, text).hint("fleetctl fleet").into())
}

pub(super) async fn init(
    State(api): Shared,
    body: std::result::Result<Json<Init>, JsonRejection>,
) -> Result<Json<Fleet>> {
    let Json(Init { advertise }) = body?;
    let invalid = |text: String| Answer(Problem::new(ProblemKind::Invalid, text));
    let address = address(&advertise).map_err(invalid)?;
    let _one = api.joining.lock().await;
    alone(&api)?;
    let place = &api.context.place;
    let made = found::found(&api.consensus, place, api.id, address, now()).await;
    let identity = made.map_err(internal)?;
    tracing::info!("fleet {} is founded; fleetd starts again in it", identity.view.fleet);
    api.restart.cancel();
    let id = Some(identity.view.fleet.to_string());
    Ok(Json(Fleet { id, address: Some(address.to_string()), ..fleet(&api) }))
}

pub(super) async fn join(
    State(api): Shared,
    body: std::result::Result<Json<Join>, JsonRejection>,
) -> Result<Json<Fleet>> {
    let Json(wanted) = body?;
    let _one = api.joining.lock().await;
    alone(&api)?;
    let units = api.consensus.decided().units.len();
    if units > 0 {
        let text = format!("join a fleet: this host has {units} units of its own");
        let hint = "fleetctl destroy them first: what is decided here is forgotten";
        return Err(Problem::new(ProblemKind::Conflict, text).hint(hint).into());
    }
    let context = &api.context;
    let host = join::Host {
        place: &context.place,
        machine: api.id,
        facts: &context.host,
        cpus: context.cpus,
    };
    let identity = join::join(host, &wanted).await?;
    tracing::info!("this host has joined fleet {}; fleetd starts again in it", identity.view.fleet);
    api.restart.cancel();
    let (id, address) = (identity.view.fleet.to_string(), identity.address.to_string());
    Ok(Json(Fleet { id: Some(id), address: Some(address), ..fleet(&api) }))
}

pub(super) async fn tokens(State(api): Shared) -> Result<Json<Vec<Token>>> {
    let decided = api.consensus.decided();
    let fleet = decided.fleet.as_ref().ok_or(NO_FLEET)?;
    Ok(Json(fleet.tokens.values().map(token).collect()))
}

const NO_FLEET: crate::consensus::Error =
    crate::consensus::Error::Refused(decided::Refusal::NoFleet);

pub(super) async fn create_token(
    State(api): Shared,
    body: std::result::Result<Json<CreateToken>, JsonRejection>,
) -> Result<Json<NewToken>> {
    let Json(CreateToken { valid_for, uses }) = body?;
    let valid_for = valid_for.unwrap_or(VALID_FOR);
    let invalid = |text: &str| Answer(Problem::new(ProblemKind::Invalid, text));
    if !(1..=VALID_MOST).contains(&valid_for) {
        return Err(invalid("create join token: it may be valid for 1 second to 30 days"));
    }
    if uses == Some(0) {
        return Err(invalid("create join token: nobody could use it"));
    }
    let decided = api.consensus.decided();
    let fleet = decided.fleet.as_ref().ok_or(NO_FLEET)?;
    let authority = Authority::read(&fleet.authority, &fleet.authority_key.0).map_err(internal)?;
    let token = pki::Token::new(authority.fingerprint()).map_err(internal)?;
    let record = Record::new(&token, valid_for, uses, now());
    api.consensus.propose(Command::Token(Box::new(record.clone())).into()).await?;
    Ok(Json(NewToken { token: token.reveal(), record: self::token(&record) }))
}

pub(super) async fn revoke_token(State(api): Shared, Path(id): Path<String>) -> Result<()> {
    let id = id.parse().map_err(|cause| {
        let text = format!("find join token {id:?}: {cause}");
        Answer(Problem::new(ProblemKind::Invalid, text).hint("fleetctl token list"))
    })?;
    api.consensus.propose(Command::RevokeToken { id }.into()).await?;
    Ok(())
}

fn token(record: &Record) -> Token {
    Token {
        id: record.id.to_string(),
        created: record.created,
        expires: record.expires,
        uses: record.uses,
        used: u32::try_from(record.joined.len()).unwrap_or(u32::MAX),
        revoked: record.revoked,
    }
}
