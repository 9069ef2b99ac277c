//! What comes with this host's set beside units: other keys, other voters. And the next certificate.

use super::identity::Identity;
use super::links::secrets;
use super::{Links, now};
use crate::agent::place::Place;
use crate::consensus::Consensus;
use crate::core::decided::fleet::Secret;
use crate::core::decided::{AssignmentSet, GENERATION, View};
use crate::core::machine_id::MachineId;
use crate::membership::admit::Admitted;
use crate::pki::certificate::Validity;
use crate::pki::join::RenewRequest;
use crate::pki::refusal::Side;
use crate::pki::{self, Key, Own, Request, Trust};
use crate::sentence::cause;
use axum::body::Body;
use axum::http::header;
use rustls::pki_types::UnixTime;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

pub const RENEW: &str = "/v1/peer/renew";
/// How often the clock is looked at.
const REST: Duration = Duration::from_secs(60);
/// After an attempt to renew that failed; after each more, twice as long, up to [`REST`]. The fleet may
/// wait for it.
const SOON: Duration = Duration::from_secs(1);
const WITHIN: Duration = Duration::from_secs(15);
const ANSWER: usize = 1 << 20;

/// Believes what the newest set says of the fleet, until fleetd ends.
pub async fn follow(
    links: Arc<Links>,
    mut sets: watch::Receiver<Arc<AssignmentSet>>,
    place: Place,
) {
    let (view, index) = (links.view.borrow().clone(), sets.borrow().index);
    believe(&links, &view, index).await;
    remember(&links, &place, |identity| identity.view = view.as_ref().clone());
    loop {
        let set = sets.borrow_and_update().clone();
        let is_known = |view: &View| **links.view.borrow() == *view;
        if let Some(view) = set.view.as_ref().filter(|view| !is_known(view)) {
            believe(&links, view, set.index).await;
            // The set is on disk, too: with either of the two files this host understands the others.
            remember(&links, &place, |identity| identity.view = view.clone());
            // Last: who waits for it finds the rest done.
            links.view.send_replace(Arc::new(view.clone()));
        }
        if sets.changed().await.is_err() {
            return;
        }
    }
}

async fn believe(links: &Links, view: &View, index: u64) {
    links.credentials.replace_trust(view.bundle.clone(), view.revoked.clone());
    links.gossip.set_keys(index / GENERATION, secrets(view)).await;
    links.gossip.set_signers(view.signers()).await;
    let voters = view.voters.keys().copied().filter(|id| *id != links.machine);
    let voters: Vec<MachineId> = voters.collect();
    links.gossip.set_listeners(voters).await;
}

/// Has the next certificate in time, and when another authority signs, until fleetd ends.
pub async fn renew(links: Arc<Links>, consensus: Consensus, place: Place) {
    let mut view = links.view.subscribe();
    let mut pause = SOON;
    loop {
        let issuer = view.borrow_and_update().bundle.authorities().first().map(|a| a.fingerprint);
        let own = links.credentials.own();
        let due = own.certificate().and_then(|certificate| Validity::of(certificate).ok());
        let due = due.map_or(0, |validity| validity.renewal(&links.machine));
        if now() < due && links.authority() == issuer {
            // Not all of it at once: clocks are set.
            let left = REST.min(Duration::from_secs(due - now()));
            let _ = tokio::time::timeout(left, view.changed()).await;
            pause = SOON;
            continue;
        }
        match next(&links, &consensus).await {
            Ok((own, certificate, key)) => {
                pause = SOON;
                links.credentials.replace_own(own);
                remember(&links, &place, |identity| {
                    identity.certificate = certificate;
                    identity.key = Secret(key.pem());
                });
                tracing::info!("this host has its next certificate");
            }
            Err(error) => {
                tracing::warn!("renew this host's certificate: {error}; it is tried again");
                tokio::time::sleep(pause).await;
                pause = REST.min(pause * 2);
            }
        }
    }
}

async fn next(links: &Links, consensus: &Consensus) -> Result<(Own, String, Key), String> {
    let view = links.view.borrow().clone();
    let key = Key::generate().map_err(|e| e.to_string())?;
    let uri = pki::Identity::Host(links.machine).uri(&view.fleet);
    let csr = Request::make(&key, Some(&uri)).map_err(|e| e.to_string())?;
    let request = RenewRequest { csr };
    let admitted = if consensus.leads() {
        let admitted = super::admit::renew(consensus, links.machine, &request, now()).await;
        admitted.map_err(|e| e.to_string())?
    } else {
        ask(links, consensus, &request).await?
    };
    let pinned = view.bundle.authorities().first().map(|authority| authority.fingerprint);
    let pinned = pinned.ok_or("the fleet has no authority")?;
    let answer = admitted.answer;
    let now = UnixTime::now();
    let own = answer.accept(&links.machine, &key, &pinned, now).map_err(|e| e.to_string())?;
    let trust = Trust { bundle: answer.bundle, revoked: answer.revoked };
    let by = own.certificate().and_then(|of| trust.verify(of, Side::Server, now).ok());
    if by.is_none_or(|peer| peer.authority != pinned) {
        return Err("it is of another authority than this host goes by now".to_owned());
    }
    Ok((own, answer.certificate, key))
}

async fn ask(
    links: &Links,
    consensus: &Consensus,
    request: &RenewRequest,
) -> Result<Admitted, String> {
    let leader = links.leader(consensus).or_else(|| links.any_voter(0));
    let leader = leader.ok_or("no voter is known to live")?;
    let address = links.address_of(leader).ok_or("it is not known where the leader is")?;
    let json = serde_json::to_vec(request).map_err(|e| e.to_string())?;
    let request = axum::http::Request::post(RENEW)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(json))
        .map_err(|e| cause(&e))?;
    let response = links.client.ask(leader, &address, request, (ANSWER, WITHIN)).await;
    let response = response.map_err(|e| e.to_string())?;
    match response.status().is_success() {
        true => serde_json::from_slice(response.body()).map_err(|e| e.to_string()),
        false => Err(String::from_utf8_lossy(response.body()).into_owned()),
    }
}

/// What this host is and knows of the fleet, on disk.
fn remember(links: &Links, place: &Place, change: impl FnOnce(&mut Identity)) {
    let mut identity = links.identity.lock().unwrap_or_else(PoisonError::into_inner);
    let before = identity.clone();
    change(&mut identity);
    if *identity == before {
        return;
    }
    if let Err(error) = identity.write(place) {
        tracing::warn!("keep what this host knows of the fleet: {error}");
    }
}
