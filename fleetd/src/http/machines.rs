//! The hosts of the fleet, and the version.

use super::problem::{Answer, Result};
use super::{Api, Shared};
use crate::core::decided::{self, Command};
use crate::core::machine_id::MachineId;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use fleetd_api::{ChangeMachine, Machine, Problem, ProblemKind, Version};

/// Of the API.
const API: u32 = 1;

/// Of a key or a value of metadata, in bytes.
const LONGEST: usize = 255;

pub(super) async fn version() -> Json<Version> {
    Json(Version { version: env!("CARGO_PKG_VERSION").to_owned(), api: API })
}

pub(super) async fn list(State(api): Shared) -> Json<Vec<Machine>> {
    let decided = api.consensus.decided();
    let machines = decided.machines.iter();
    Json(machines.map(|(id, machine)| shown(&api, *id, machine)).collect())
}

pub(super) async fn change(
    State(api): Shared,
    Path(id): Path<String>,
    body: std::result::Result<Json<ChangeMachine>, JsonRejection>,
) -> Result<Json<Machine>> {
    let Json(ChangeMachine { cordoned, metadata }) = body?;
    let invalid = |text: String| Answer(Problem::new(ProblemKind::Invalid, text));
    let machine: MachineId = id.parse().map_err(|e| invalid(format!("find machine: {e}")))?;
    let mut commands: Vec<Command> = Vec::new();
    if let Some(cordoned) = cordoned {
        commands.push(decided::machine::Command::Cordon { machine, cordoned }.into());
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
    Ok(Json(shown(&api, machine, known)))
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

fn shown(api: &Api, id: MachineId, decided: &decided::Machine) -> Machine {
    let own = &api.machine;
    let mut metadata = own.metadata.clone();
    metadata.extend(decided.metadata.clone());
    Machine { id: id.to_string(), metadata, cordoned: decided.cordoned, ..own.clone() }
}
