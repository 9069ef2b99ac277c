//! Secrets: given a value, listed without it, removed. No route tells a value.

use super::Shared;
use super::problem::{Answer, Result};
use crate::consensus;
use crate::core::decided::fleet::Secret as Hidden;
use crate::core::decided::{Outcome, Refusal, secret};
use crate::membership::now;
use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use data_encoding::BASE64;
use fleetd_api::secret::check_name;
use fleetd_api::{MAX_SECRET, Problem, ProblemKind, Secret, SetSecret};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) async fn list(State(api): Shared) -> Json<Vec<Secret>> {
    let decided = api.consensus.decided();
    let mut units: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (unit, entry) in decided.units.iter().filter(|(_, entry)| !entry.destroyed) {
        for secret in &entry.secrets {
            units.entry(secret).or_default().push(unit.clone());
        }
    }
    let mut shown = |(name, secret): (&String, &Arc<secret::Secret>)| {
        let units = units.remove(name.as_str()).unwrap_or_default();
        self::shown(name, secret, units)
    };
    Json(decided.secrets.iter().map(&mut shown).collect())
}

fn shown(name: &str, secret: &secret::Secret, units: Vec<String>) -> Secret {
    Secret { name: name.to_owned(), created: secret.created, changed: secret.changed, units }
}

pub(super) async fn set(
    State(api): Shared,
    Path(name): Path<String>,
    body: std::result::Result<Json<SetSecret>, JsonRejection>,
) -> Result<(StatusCode, Json<Secret>)> {
    let (name, Json(SetSecret { value })) = (named(name)?, body?);
    let invalid = |cause: &str| {
        Answer(Problem::new(ProblemKind::Invalid, format!("set secret {name}: {cause}")))
    };
    match BASE64.decode(value.as_bytes()) {
        Err(_) => return Err(invalid("its value is not base64")),
        Ok(bytes) if bytes.is_empty() => return Err(invalid("its value is empty")),
        Ok(bytes) if bytes.len() > MAX_SECRET => {
            let (length, most) = (bytes.len(), MAX_SECRET);
            return Err(invalid(&format!("{length} bytes are over the limit of {most}")));
        }
        Ok(_) => {}
    }
    let command = secret::Command::Set { name: name.clone(), value: Hidden(value), now: now() };
    let decision = api.propose(command.into()).await?;
    tracing::info!("secret {name} is set");
    let decided = api.consensus.decided();
    let gone = || consensus::Error::Refused(Refusal::UnknownSecret { name: name.clone() });
    let secret = decided.secrets.get(&name).ok_or_else(gone)?;
    let status = match decision.outcome {
        Outcome::Created => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    let units = decided.units_with(&name).map(str::to_owned).collect();
    Ok((status, Json(shown(&name, secret, units))))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct How {
    /// Also if units name it.
    force: bool,
}

pub(super) async fn remove(
    State(api): Shared,
    Path(name): Path<String>,
    how: std::result::Result<Query<How>, QueryRejection>,
) -> Result<()> {
    let (name, Query(How { force })) = (named(name)?, how?);
    let command = secret::Command::Remove { name: name.clone(), force };
    api.propose(command.into()).await?;
    tracing::info!("secret {name} is removed");
    Ok(())
}

fn named(name: String) -> Result<String> {
    match check_name(&name) {
        Ok(()) => Ok(name),
        Err(rule) => {
            let text = format!("read the name of a secret {name:?}: {rule}");
            Err(Problem::new(ProblemKind::Invalid, text).into())
        }
    }
}
