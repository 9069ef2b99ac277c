//! The fleet's next keys: begun by people, carried on by the leader.

use super::problem::{Result, internal};
use super::{Api, Shared};
use crate::consensus;
use crate::core::cluster;
use crate::core::decided::fleet::{Command, Fleet, Secret};
use crate::core::decided::rotation::{Keys, Step};
use crate::core::decided::{Decided, Refusal};
use crate::membership::now;
use crate::pki::signed::Signer;
use crate::pki::{self, Authority, key};
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use fleetd_api::{FleetKey, KeyRotation, RotateKeys, RotationStep};

const ALL: [FleetKey; 3] = [FleetKey::Authority, FleetKey::Gossip, FleetKey::Signing];

pub(super) async fn show(State(api): Shared) -> Json<KeyRotation> {
    Json(rotation(&api, &api.consensus.decided()))
}

/// Answered when it is decided that hosts are to be told of the next keys.
pub(super) async fn begin(
    State(api): Shared,
    body: std::result::Result<Json<RotateKeys>, JsonRejection>,
) -> Result<Json<KeyRotation>> {
    let Json(RotateKeys { keys }) = body?;
    let decided = api.consensus.decided();
    let fleet = decided.fleet.as_ref().ok_or(consensus::Error::Refused(Refusal::NoFleet))?;
    let keys = if keys.is_empty() { ALL.to_vec() } else { keys };
    let next = make(fleet, &keys).map_err(internal)?;
    api.consensus.propose(Command::Rotate(Box::new(next)).into()).await?;
    tracing::info!("the fleet goes on to other keys: {}", words(&keys));
    Ok(Json(rotation(&api, &api.consensus.decided())))
}

fn make(fleet: &Fleet, keys: &[FleetKey]) -> std::result::Result<Keys, pki::Error> {
    let mut next = Keys::default();
    if keys.contains(&FleetKey::Authority) {
        let authority = Authority::create(&fleet.id, now())?;
        let key = Secret(authority.key_pem().to_owned());
        next.authority = Some((authority.certificate_pem(), Some(key)));
    }
    if keys.contains(&FleetKey::Gossip) {
        next.gossip = Some(Secret(key::random_hex()?));
    }
    if keys.contains(&FleetKey::Signing) {
        let (secret, public) = Signer::generate()?;
        next.signer = Some((Some(Secret(secret)), public));
    }
    Ok(next)
}

fn rotation(api: &Api, decided: &Decided) -> KeyRotation {
    let rotation = decided.fleet.as_ref().and_then(|fleet| fleet.rotation.as_ref());
    let Some(rotation) = rotation else { return KeyRotation::default() };
    let others = &rotation.others;
    let changes = |key: &FleetKey| match key {
        FleetKey::Authority => others.authority.is_some(),
        FleetKey::Gossip => others.gossip.is_some(),
        FleetKey::Signing => others.signer.is_some(),
    };
    let waits_for = cluster::rotation_waits_for(decided, &api.observed.borrow());
    KeyRotation {
        step: Some(match rotation.step {
            Step::Tell => RotationStep::Tell,
            Step::Use => RotationStep::Use,
        }),
        keys: ALL.into_iter().filter(changes).collect(),
        waits_for: waits_for.iter().map(ToString::to_string).collect(),
    }
}

fn words(keys: &[FleetKey]) -> String {
    let word = |key: &FleetKey| match key {
        FleetKey::Authority => "the authority's",
        FleetKey::Gossip => "that of gossip",
        FleetKey::Signing => "that which signs assignment sets",
    };
    keys.iter().map(word).collect::<Vec<_>>().join(", ")
}
