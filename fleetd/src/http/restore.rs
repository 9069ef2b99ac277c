//! What is decided as a file, and back.
//!
//! A fleet that decides is brought back to what a backup says of units and secrets by ordinary decisions. One that
//! is lost goes on from the backup on the host that is asked, in a generation of its own.

use super::lead;
use super::problem::{Answer, Result, internal};
use super::{Api, Shared};
use crate::core::decided::restore::{Change, changes, secrets};
use crate::core::decided::{Command, Decided, GENERATION, image};
use crate::membership::identity::address;
use crate::membership::{found, now, recovery};
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use fleetd_api::{BACKUP_VERSION, Backup, Problem, ProblemKind, Restored};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use tokio::time::Instant;

/// About as many bytes of commands are decided at once.
const TOGETHER: usize = 1 << 20;

pub(super) async fn backup(State(api): Shared) -> Result<Json<Backup>> {
    let decided = api.consensus.decided();
    let image = image::write(&decided).map_err(internal)?;
    let text = String::from_utf8(image).map_err(internal)?;
    Ok(Json(Backup {
        flotilla_backup: BACKUP_VERSION,
        taken: now(),
        fleet: decided.fleet.as_ref().map(|fleet| fleet.id.to_string()),
        generation: decided.index / GENERATION,
        index: decided.index % GENERATION,
        units: decided.units.values().filter(|entry| !entry.destroyed).count(),
        sha256: HEXLOWER.encode(&Sha256::digest(&text)),
        decided: text,
    }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct How {
    /// Say only what would be done.
    plan: bool,
    /// Only if nothing was decided since.
    index: Option<u64>,
    /// On a host that is in no fleet: where the others will reach it.
    advertise: Option<String>,
}

pub(super) async fn restore(
    State(api): Shared,
    how: std::result::Result<Query<How>, QueryRejection>,
    request: Request,
) -> Result<Response> {
    let Query(how) = how?;
    let begun = Instant::now();
    while let Some(links) = api.links.as_ref().filter(|_| !api.consensus.leads()) {
        if let Some(leader) = links.leader(&api.consensus) {
            return Ok(lead::once(links, leader, request, false).await);
        }
        // It is lost, or the voters are about to choose.
        match super::recovery::is_lost(&api, links).await {
            Ok(()) => break,
            Err(alive) if begun.elapsed() > lead::PATIENCE => return Err(alive),
            Err(_) => tokio::time::sleep(lead::REST).await,
        }
    }
    let body: std::result::Result<Bytes, BytesRejection> =
        <Bytes as axum::extract::FromRequest<_>>::from_request(request, &()).await;
    let backup = read(&body?)?;
    let restored = match decides(&api, &backup) {
        true => units(&api, &how, &backup).await?,
        false => fleet(&api, &how, &backup).await?,
    };
    Ok(Json(restored).into_response())
}

/// The facts of a backup. One that was changed or cut off is none.
fn read(body: &[u8]) -> Result<Decided> {
    let invalid = |cause: String| {
        Answer(Problem::new(ProblemKind::Invalid, format!("read the backup: {cause}")))
    };
    let backup: Backup = serde_json::from_slice(body)
        .map_err(|e| invalid(format!("it is none, or cut off: {e}")))?;
    if backup.flotilla_backup > BACKUP_VERSION {
        return Err(invalid(format!("its form is {}, of a later fleetd", backup.flotilla_backup)));
    }
    if HEXLOWER.encode(&Sha256::digest(&backup.decided)) != backup.sha256 {
        return Err(invalid("it is damaged: its sum is another".to_owned()));
    }
    image::read(backup.decided.as_bytes()).map_err(|e| invalid(e.to_string()))
}

/// Whether it is decided what the units of the backup become. A host that is in no fleet decides for
/// itself only.
fn decides(api: &Api, backup: &Decided) -> bool {
    api.consensus.leads() && (api.links.is_some() || backup.fleet.is_none())
}

/// Brings the units of a fleet that decides back, in as few decisions as they fit.
async fn units(api: &Api, how: &How, backup: &Decided) -> Result<Restored> {
    let decided = api.consensus.decided();
    let of = |decided: &Decided| decided.fleet.as_ref().map(|fleet| fleet.id.clone());
    if let (Some(theirs), Some(ours)) = (of(backup), of(&decided))
        && theirs != ours
    {
        let text = format!("restore: the backup is of fleet {theirs}, and this is fleet {ours}");
        let hint = "fleetctl submit takes its unit files one by one";
        return Err(Problem::new(ProblemKind::Conflict, text).hint(hint).into());
    }
    let (changes, secrets) = (changes(&decided, backup), secrets(&decided, backup, now()));
    let named = |kind: Change| {
        let of_kind = changes.iter().filter(|(_, (change, _))| *change == kind);
        of_kind.map(|(unit, _)| unit.clone()).collect()
    };
    let restored = Restored {
        index: decided.index,
        generation: None,
        added: named(Change::Add),
        changed: named(Change::Change),
        destroyed: named(Change::Destroy),
        secrets: secrets.keys().cloned().collect(),
    };
    if how.plan {
        return Ok(restored);
    }
    // First what units start with.
    let secrets = secrets.into_values().map(Command::from);
    let changes = changes.into_values().flat_map(|(_, commands)| commands).map(Command::from);
    // The leader's own decisions come between the later ones.
    let mut guard = Some(Command::Expect { index: how.index.unwrap_or(decided.index) });
    for batch in batches(secrets.chain(changes)) {
        let all = guard.take().into_iter().chain(batch).collect();
        api.propose(Command::All(all)).await?;
    }
    Ok(restored)
}

fn batches(commands: impl Iterator<Item = Command>) -> Vec<Vec<Command>> {
    let mut batches: Vec<(usize, Vec<Command>)> = Vec::new();
    for command in commands {
        let size = command.size();
        match batches.last_mut().filter(|(length, _)| length + size <= TOGETHER) {
            Some((length, batch)) => {
                *length += size;
                batch.push(command);
            }
            None => batches.push((size, vec![command])),
        }
    }
    batches.into_iter().map(|(_, batch)| batch).collect()
}

/// This host becomes the only voter of the fleet that the backup is of.
async fn fleet(api: &Api, how: &How, backup: &Decided) -> Result<Restored> {
    let conflict = |text: String| Problem::new(ProblemKind::Conflict, text);
    let Some(fleet) = &backup.fleet else {
        let text = "restore: the backup is of a fleet of one, and this host is in a fleet that \
                    decides nothing";
        return Err(conflict(text.to_owned()).hint("fleetctl recover").into());
    };
    if let Err(full) = super::recovery::has_room(api) {
        let problem = Problem::new(ProblemKind::NoSpace, format!("restore the backup: {full}"));
        return Err(problem.hint(super::recovery::FULL_HINT).into());
    }
    let _one = api.joining.lock().await;
    let address = match &api.links {
        Some(links) => {
            let view = links.view.borrow().clone();
            if view.fleet != fleet.id {
                let text = format!(
                    "restore: the backup is of fleet {}, and this host is in {}",
                    fleet.id, view.fleet
                );
                return Err(conflict(text).into());
            }
            super::recovery::is_lost(api, links).await?;
            if let Err(refusal) = fleet.as_ref().clone().beside(&view) {
                let hint = "fleetctl recover on a voter that is left; without one, restore it on a host \
                            in no fleet, and let the others join that";
                return Err(conflict(format!("restore the backup: {refusal}")).hint(hint).into());
            }
            if api.consensus.decided().index >= backup.index {
                let text = "restore: this host's database is newer than the backup".to_owned();
                return Err(conflict(text).hint("fleetctl recover goes on with it").into());
            }
            links.address
        }
        None => alone(api, how, &fleet.id)?,
    };
    let place = &api.context.place;
    let recovery = |known: u64| recovery::Recovery::new(known.max(backup.index));
    let recovery = match &api.links {
        Some(links) => {
            let known = links.newest(&api.consensus, api.agent.progress.borrow().index);
            recovery(known).unless_told(place, api.id)
        }
        None => recovery(api.consensus.decided().index),
    };
    let restored = Restored {
        index: api.consensus.decided().index,
        generation: Some(recovery.generation()),
        added: backup.units.keys().cloned().collect(),
        ..Restored::default()
    };
    if how.plan {
        return Ok(restored);
    }
    let identity = match &api.links {
        Some(_) => None,
        None => Some(found::again(backup, api.id, address, now()).map_err(internal)?),
    };
    recovery.with(backup).and_then(|r| r.write(place)).map_err(internal)?;
    if let Some(identity) = identity {
        identity.write(place).map_err(internal)?;
    }
    tracing::warn!("this host restores fleet {}; fleetd starts again in it", fleet.id);
    api.restart.cancel();
    Ok(restored)
}

/// Where a host that is in no fleet will be reached in that of the backup.
fn alone(api: &Api, how: &How, fleet: &crate::pki::FleetId) -> Result<SocketAddr> {
    let Some(advertise) = &how.advertise else {
        let text = format!("restore: the backup is of fleet {fleet}, and this host is in none");
        let hint = "--advertise ADDRESS makes this host the first one of that fleet again";
        return Err(Problem::new(ProblemKind::Conflict, text).hint(hint).into());
    };
    let units = api.consensus.decided().units.len();
    if units > 0 {
        let text = format!("restore: this host has {units} units of its own");
        let hint = "fleetctl destroy them first: what is decided here is forgotten";
        return Err(Problem::new(ProblemKind::Conflict, text).hint(hint).into());
    }
    let invalid = |text: String| Answer(Problem::new(ProblemKind::Invalid, text));
    address(advertise).map_err(invalid)
}
