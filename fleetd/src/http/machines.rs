//! The hosts of the fleet, and the version.

use super::problem::{Answer, Result};
use super::{Api, Shared};
use crate::core::cluster;
use crate::core::decided::{self, Command};
use crate::core::gossip::{Key, Kind, State};
use crate::core::machine_id::MachineId;
use crate::membership::Links;
use crate::membership::said::Capacity;
use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::JsonRejection;
use fleetd_api::{ChangeMachine, Machine, Problem, ProblemKind, Role, Status, Version};
use std::collections::{BTreeMap, BTreeSet};

/// Of the API.
const API: u32 = 1;

/// Of a key or a value of metadata, in bytes.
const LONGEST: usize = 255;

pub(super) async fn version() -> Json<Version> {
    Json(Version { version: env!("CARGO_PKG_VERSION").to_owned(), api: API })
}

pub(super) async fn list(axum::extract::State(api): Shared) -> Json<Vec<Machine>> {
    let decided = api.consensus.decided();
    let mut held = held(&api);
    let machines = decided.machines.iter().map(|(id, machine)| Machine {
        units: held.remove(id).unwrap_or_default().into_iter().collect(),
        ..shown(&api, *id, machine)
    });
    Json(machines.collect())
}

pub(super) async fn change(
    axum::extract::State(api): Shared,
    Path(id): Path<String>,
    body: std::result::Result<Json<ChangeMachine>, JsonRejection>,
) -> Result<Json<Machine>> {
    let Json(ChangeMachine { cordoned, draining, metadata }) = body?;
    let invalid = |text: String| Answer(Problem::new(ProblemKind::Invalid, text));
    let machine: MachineId = id.parse().map_err(|e| invalid(format!("find machine: {e}")))?;
    let mut commands: Vec<Command> = Vec::new();
    if let Some(cordoned) = cordoned {
        commands.push(decided::machine::Command::Cordon { machine, cordoned }.into());
    }
    if let Some(draining) = draining {
        commands.push(decided::machine::Command::Drain { machine, draining }.into());
    }
    for (key, value) in metadata {
        check(&key, value.as_deref()).map_err(|e| invalid(format!("set metadata {key:?}: {e}")))?;
        commands.push(decided::machine::Command::Describe { machine, key, value }.into());
    }
    api.consensus.propose(Command::All(commands)).await?;
    let decided = api.consensus.decided();
    let known = decided.machines.get(&machine).ok_or_else(|| {
        let text = decided::Refusal::UnknownMachine { machine }.to_string();
        Answer(Problem::new(ProblemKind::NotFound, text).hint("fleetctl list-machines"))
    })?;
    let units = held(&api).remove(&machine).unwrap_or_default();
    Ok(Json(Machine { units: units.into_iter().collect(), ..shown(&api, machine, known) }))
}

/// By host the units that have their place there, and those of which something is there.
fn held(api: &Api) -> BTreeMap<MachineId, BTreeSet<String>> {
    let mut held: BTreeMap<MachineId, BTreeSet<String>> = BTreeMap::new();
    for (unit, places) in &api.consensus.decided().places {
        for place in places.iter() {
            held.entry(place.machine).or_default().insert(unit.clone());
        }
    }
    for (machine, seen) in &api.observed.borrow().machines {
        held.entry(*machine).or_default().extend(seen.runs.iter().cloned());
    }
    held
}

/// As fleet took them: `key=value` pairs, separated by commas where they are shown.
fn check(key: &str, value: Option<&str>) -> std::result::Result<(), &'static str> {
    let fits = |text: &str| {
        (1..=LONGEST).contains(&text.len())
            && !text.contains([',', '=', '"'])
            && !text.contains(char::is_whitespace)
            && !text.contains(char::is_control)
    };
    match fits(key) && value.is_none_or(fits) {
        true => Ok(()),
        false => Err("keys and values are 1 to 255 bytes without blanks, commas, quotes and `=`"),
    }
}

/// For good: nobody lets that host in any more, and its units go elsewhere.
pub(super) async fn remove(
    axum::extract::State(api): Shared,
    Path(id): Path<String>,
) -> Result<()> {
    let invalid = |text: String| Answer(Problem::new(ProblemKind::Invalid, text));
    let machine: MachineId = id.parse().map_err(|e| invalid(format!("find machine: {e}")))?;
    let decided = api.consensus.decided();
    if machine == api.id && decided.machines.len() == 1 {
        let text = format!("remove machine {machine}: it is the only one of the fleet");
        return Err(Problem::new(ProblemKind::Conflict, text).into());
    }
    if machine == api.id {
        // It would have to decide on without itself.
        let text = format!("remove machine {machine}: it leads the fleet now");
        let hint = "end its fleetd first: another host takes over in a few seconds";
        return Err(Problem::new(ProblemKind::Conflict, text).hint(hint).into());
    }
    if !cluster::keeps_majority(&decided, &api.observed.borrow(), machine) {
        let text = format!("remove machine {machine}: the other voters that live could not decide");
        let hint =
            "bring the dead voter back, or remove that one first: another host takes its part";
        return Err(Problem::new(ProblemKind::Conflict, text).hint(hint).into());
    }
    api.consensus.propose(decided::machine::Command::Leave { machine }.into()).await?;
    Ok(())
}

fn shown(api: &Api, id: MachineId, decided: &decided::Machine) -> Machine {
    let own = &api.machine;
    let mut machine = match &api.links {
        Some(links) if id != api.id => other(links, id),
        _ => Machine { disk_full: api.consensus.disk().is_full(), ..own.clone() },
    };
    machine.metadata.extend(decided.metadata.clone());
    if let Ok(address) = decided.address.parse::<std::net::SocketAddr>() {
        machine.ip = Some(address.ip().to_string());
    }
    let role = match &api.links {
        Some(_) if api.consensus.has_voter(id) => Role::Voter,
        Some(_) => Role::Host,
        None => Role::Leader,
    };
    let role = if api.consensus.leader() == Some(id) { Role::Leader } else { role };
    Machine {
        id: id.to_string(),
        cordoned: decided.cordoned,
        draining: decided.draining,
        role,
        ..machine
    }
}

/// As it says itself by gossip.
fn other(links: &Links, id: MachineId) -> Machine {
    let key = Key { host: id, kind: Kind::Capacity, name: String::new() };
    let said = links.gossip.record(&key);
    let said = said.and_then(|(_, json)| serde_json::from_slice::<Capacity>(&json).ok());
    let said = said.unwrap_or_default().bounded();
    let state = links.gossip.seen().borrow().members.get(&id).map(|member| member.state);
    Machine {
        id: id.to_string(),
        ip: None,
        disk_full: said.facts.disk.is_full(),
        metadata: said.facts.metadata,
        version: said.version,
        lacks: said.lacks,
        cordoned: false,
        draining: false,
        status: status(state),
        role: Role::Host,
        units: Vec::new(),
    }
}

/// None: it was never heard of.
pub(super) fn status(state: Option<State>) -> Status {
    match state {
        None => Status::Unheard,
        Some(State::Alive) => Status::Alive,
        Some(State::Suspected) => Status::Suspected,
        Some(State::Dead | State::Left) => Status::Dead,
    }
}
