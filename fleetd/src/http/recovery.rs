//! A fleet that has lost most of its voters: what is left, and how it goes on with that.

use super::problem::{Answer, Result, internal};
use super::{Api, Shared, machines};
use crate::consensus::Consensus;
use crate::core::decided::GENERATION;
use crate::core::gossip::Kind;
use crate::core::machine_id::MachineId;
use crate::membership::{Links, recovery, said};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::Request;
use fleetd_api::{Ahead, Problem, ProblemKind, Recover, Recovery, Refused, Status, Stray, Voter};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::task::JoinSet;

pub(super) const POSITION: &str = "/v1/peer/position";
const WITHIN: Duration = Duration::from_secs(2);
const ANSWER: usize = 4096;

/// How much a host has decided: of two voters the one with the greater log knows more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Position {
    pub index: u64,
    /// The term and the index of the last entry of the log.
    pub log: (u64, u64),
}

impl Position {
    pub(super) fn of(consensus: &Consensus) -> Self {
        let log = consensus.last_log_id().map_or((0, 0), |id| (id.leader_id.term, id.index));
        Self { index: consensus.decided().index, log }
    }

    /// A later generation counts more than a longer log.
    fn order(self) -> (u64, u64, u64) {
        (self.index / GENERATION, self.log.0, self.log.1)
    }
}

pub(super) async fn show(State(api): Shared) -> Result<Json<Recovery>> {
    Ok(Json(look(&api).await?))
}

pub(super) async fn recover(
    State(api): Shared,
    body: std::result::Result<Json<Recover>, JsonRejection>,
) -> Result<Json<Recovery>> {
    let Json(wanted) = body?;
    let _one = api.joining.lock().await;
    let found = look(&api).await?;
    let conflict = |text: String| Problem::new(ProblemKind::Conflict, text);
    if let Some(refused) = found.refused {
        return Err(Answer(problem(refused)));
    }
    if (wanted.generation, wanted.index) != (found.generation, found.index) {
        let text = format!(
            "recover the fleet: this host is at {} of generation {} by now",
            found.index, found.generation
        );
        return Err(conflict(text).hint("fleetctl recover").into());
    }
    let links = api.links.as_ref().ok_or_else(|| Answer(alone()))?;
    let newest = links.newest(&api.consensus, api.agent.progress.borrow().index);
    let place = &api.context.place;
    let recovery = recovery::Recovery::new(newest).unless_told(place, api.id);
    recovery.write(place).map_err(internal)?;
    tracing::warn!(
        "this host recovers the fleet in generation {}; fleetd starts again",
        recovery.generation()
    );
    api.restart.cancel();
    Ok(Json(Recovery { generation: recovery.generation(), index: 0, ..found }))
}

fn alone() -> Problem {
    let text = "recover the fleet: this host is a fleet of one, which decides by itself";
    Problem::new(ProblemKind::Conflict, text)
}

async fn look(api: &Api) -> Result<Recovery> {
    let links = api.links.as_ref().ok_or_else(|| Answer(alone()))?;
    let own = Position::of(&api.consensus);
    let voters = voters(links, own).await;
    let (generation, index) = (own.index / GENERATION, own.index % GENERATION);
    let ahead = links.obeyed().into_iter().filter(|(_, index)| *index > own.index);
    let ahead = ahead.map(|(machine, index)| Ahead {
        machine: machine.to_string(),
        generation: index / GENERATION,
        index: index % GENERATION,
    });
    Ok(Recovery {
        machine: api.id.to_string(),
        generation,
        index,
        refused: refused(api, links, own, &voters),
        voters: voters.into_iter().map(|(voter, _)| voter).collect(),
        ahead: ahead.collect(),
        unknown: unknown(api, links),
    })
}

/// Those who were to decide, each with what it answers.
async fn voters(links: &Links, own: Position) -> Vec<(Voter, Option<Position>)> {
    let view = links.view.borrow().clone();
    let mut asked = JoinSet::new();
    for (id, address) in view.voters.iter().map(|(id, address)| (*id, address.clone())) {
        let client = links.client.clone();
        let (is_own, may_live) = (id == links.machine, links.may_live(id));
        asked.spawn(async move {
            let position = match (is_own, may_live) {
                (true, _) => Some(own),
                (false, true) => ask(&client, id, &address).await,
                (false, false) => None,
            };
            (id, address, position)
        });
    }
    let mut voters: Vec<_> = asked.join_all().await;
    voters.sort_by_key(|(id, _, _)| *id);
    let voter = |(id, address, position): (MachineId, String, Option<Position>)| {
        let index = position.map(|position| position.index % GENERATION);
        let voter = Voter { machine: id.to_string(), address, status: status(links, id), index };
        (voter, position)
    };
    voters.into_iter().map(voter).collect()
}

fn status(links: &Links, machine: MachineId) -> Status {
    if machine == links.machine {
        return Status::Alive;
    }
    let seen = links.gossip.seen();
    let state = seen.borrow().members.get(&machine).map(|member| member.state);
    machines::status(state)
}

async fn ask(client: &crate::peer::Client, id: MachineId, address: &str) -> Option<Position> {
    let request = Request::get(POSITION).body(Body::empty()).ok()?;
    let answer = client.ask(id, address, request, (ANSWER, WITHIN)).await.ok()?;
    serde_json::from_slice(answer.body()).ok().filter(|_| answer.status().is_success())
}

fn refused(
    api: &Api,
    links: &Links,
    own: Position,
    voters: &[(Voter, Option<Position>)],
) -> Option<Refused> {
    let refused =
        |message: String, hint: &str| Some(Refused { message, hint: Some(hint.to_owned()) });
    if let Some(alive) = lives(api, links, voters) {
        return Some(alive);
    }
    if let Err(full) = has_room(api) {
        return refused(format!("recover the fleet: {full}"), FULL_HINT);
    }
    if own.index == 0 {
        let text = "recover the fleet: this host has no database of what was decided".to_owned();
        let hint = "do it on a voter that is left, or `fleetctl restore BACKUP` here";
        return refused(text, hint);
    }
    let fleet = api.consensus.decided().fleet.clone();
    let view = links.view.borrow().clone();
    if let Some(Err(refusal)) = fleet.map(|fleet| fleet.as_ref().clone().beside(&view)) {
        let text = format!("recover the fleet by this host's database: {refusal}");
        return refused(
            text,
            "do it on a voter that has decided more, or `fleetctl restore BACKUP`",
        );
    }
    let most = voters.iter().filter_map(|(voter, position)| Some((voter, (*position)?.order())));
    match most.max_by_key(|(_, order)| *order) {
        Some((voter, order)) if order > own.order() => {
            let text =
                format!("recover the fleet: host {} has decided more than this one", voter.machine);
            refused(text, "do it there")
        }
        _ => None,
    }
}

/// A fleet that has a leader, or most of its voters to choose one, is not lost.
fn lives(api: &Api, links: &Links, voters: &[(Voter, Option<Position>)]) -> Option<Refused> {
    if let Some(leader) = links.leader(&api.consensus) {
        let message = format!("recover the fleet: host {leader} leads it, nothing is lost");
        return Some(Refused { message, hint: Some("fleetctl list-machines".to_owned()) });
    }
    let answer = voters.iter().filter(|(_, position)| position.is_some()).count();
    let count = voters.len();
    (answer * 2 > count).then(|| Refused {
        message: format!(
            "recover the fleet: {answer} of its {count} voters answer, they are to choose a leader"
        ),
        hint: Some("fleetctl fleet".to_owned()),
    })
}

pub(super) const FULL_HINT: &str = "make some room there, or do it on another host";

/// A database that becomes that of another generation is written anew.
pub(super) fn has_room(api: &Api) -> std::result::Result<(), &'static str> {
    match api.consensus.disk().is_full() {
        true => Err("the disk of this host is full"),
        false => Ok(()),
    }
}

/// Refuses while the fleet can still decide by itself.
pub(super) async fn is_lost(api: &Api, links: &Links) -> Result<()> {
    let own = Position::of(&api.consensus);
    match lives(api, links, &voters(links, own).await) {
        None => Ok(()),
        Some(refused) => Err(Answer(problem(refused))),
    }
}

fn problem(Refused { message, hint }: Refused) -> Problem {
    let problem = Problem::new(ProblemKind::Conflict, message);
    match hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

/// Units on living hosts that this host's database does not have.
fn unknown(api: &Api, links: &Links) -> Vec<Stray> {
    let decided = api.consensus.decided();
    let said = links.gossip.records(None, Kind::Unit).into_iter();
    let there = said.filter(|record| links.may_live(record.key.host)).filter(|record| {
        said::read::<said::Unit>(record).is_some_and(|unit| unit.there)
            && !decided.units.contains_key(&record.key.name)
    });
    let stray = there.map(|record| Stray {
        unit: record.key.name.clone(),
        machine: record.key.host.to_string(),
    });
    let mut strays: Vec<Stray> = stray.collect();
    strays.sort();
    strays
}
