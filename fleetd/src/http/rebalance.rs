//! Moves that make the fleet better: which there are, and one of them in earnest.

use super::problem::{Answer, Result, internal};
use super::{Api, Shared};
use crate::blocking::blocking;
use crate::consensus;
use crate::core::cluster::{self, Balance, Gain, Read};
use crate::core::decided::{Command, Decided, Refusal};
use crate::core::schedule::{Limits, Options, Resources};
use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use fleetd_api::{Accepted, MachineLoad, MoveUnit, Problem, ProblemKind, Rebalance};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct How {
    moves: Option<usize>,
}

pub(super) async fn show(
    State(api): Shared,
    how: std::result::Result<Query<How>, QueryRejection>,
) -> Result<Json<Rebalance>> {
    let Query(How { moves }) = how?;
    let mut limits = Limits::default();
    limits.moves = moves.unwrap_or(limits.moves);
    let Balance { moves, hosts } = look(&api, api.consensus.decided(), limits).await?;
    let machines = hosts.into_iter().map(|(id, (room, before, after))| MachineLoad {
        machine: id.to_string(),
        room: load(0, room),
        before: load(before.units, before.asked),
        after: load(after.units, after.asked),
    });
    Ok(Json(Rebalance { moves: moves.iter().map(told).collect(), machines: machines.collect() }))
}

/// So often another decision may come between.
const ATTEMPTS: usize = 16;

/// Only the first half is decided here; the leader gives the unit its next place when it has ended.
pub(super) async fn move_one(
    State(api): Shared,
    body: std::result::Result<Json<MoveUnit>, JsonRejection>,
) -> Result<Json<Accepted>> {
    let Json(asked) = body?;
    let index = api.context.events.latest();
    let every = Limits { moves: usize::MAX, moves_per_template: usize::MAX, ..Limits::default() };
    let mut attempt = 0;
    loop {
        let decided = api.consensus.decided();
        let moves = look(&api, decided.clone(), every).await?.moves;
        let Some(gain) = moves.into_iter().find(|gain| is_it(gain, &asked)) else {
            let text = format!("move {}: the fleet is not better for it any more", asked.unit);
            return Err(Problem::new(ProblemKind::Conflict, text).into());
        };
        attempt += 1;
        let expect = Command::Expect { index: decided.index };
        match api.consensus.propose(Command::All(vec![expect, gain.command()])).await {
            Err(consensus::Error::Refused(Refusal::Newer { .. })) if attempt < ATTEMPTS => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {
                let Gain { unit, from, to, points } = gain;
                tracing::info!("rebalance: {unit} goes from host {from} to {to}: {points} points");
                return Ok(Json(Accepted { index, warnings: Vec::new() }));
            }
        }
    }
}

async fn look(api: &Api, decided: Arc<Decided>, limits: Limits) -> Result<Balance> {
    let observed = api.observed.borrow().clone();
    // For tens of thousands of units it takes seconds, and others wait for this thread.
    let balance = blocking(move || {
        let (options, mut files) = (Options::default(), Read::default());
        cluster::rebalance(&decided, &observed, options, &mut files, limits)
    });
    balance.await.map_err(internal)?.map_err(|unit| {
        let text = format!("rebalance: {unit} is on its way to its place");
        Answer(Problem::new(ProblemKind::Conflict, text).hint("wait until the fleet is at rest"))
    })
}

fn is_it(gain: &Gain, asked: &MoveUnit) -> bool {
    told(gain)
        == fleetd_api::Gain {
            unit: asked.unit.clone(),
            from: asked.from.clone(),
            to: asked.to.clone(),
            points: gain.points,
        }
}

fn told(gain: &Gain) -> fleetd_api::Gain {
    let (unit, points) = (gain.unit.clone(), gain.points);
    fleetd_api::Gain { unit, from: gain.from.to_string(), to: gain.to.to_string(), points }
}

fn load(units: usize, asked: Resources) -> fleetd_api::MachineUse {
    fleetd_api::MachineUse { units, cpu: asked.cpu, memory: asked.memory }
}
