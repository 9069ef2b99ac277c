//! Assignment sets on their way: the leader tells by gossip which is the newest of each host, every
//! voter hands them out signed, and a host fetches, verifies and obeys its own.

use super::Links;
use crate::agent::assignments::Assignments;
use crate::agent::keyring;
use crate::consensus::Consensus;
use crate::core::decided::{AssignmentSet, Decided, GENERATION, changed};
use crate::core::gossip::set_digest;
use crate::core::gossip::{Event, Key, Kind, Version};
use crate::core::machine_id::MachineId;
use crate::core::obey;
use crate::pki::sealed::SealingPublic;
use crate::pki::signed::{Purpose, Signed, Signer};
use crate::sentence::cause;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

pub const PATH: &str = "/v1/peer/set";
/// A host that asks for more than there is waits so long for it.
pub const WAIT: Duration = Duration::from_secs(2);
const WITHIN: Duration = Duration::from_secs(5);
/// The longest set.
const LONGEST: usize = 64 << 20;
/// After all voters were asked in vain.
const REST: Duration = Duration::from_millis(300);
/// Even if nobody tells of one it is asked for a newer set this often.
const CHECK: Duration = Duration::from_secs(30);

/// The leader tells of sets, until fleetd ends.
pub async fn announce(links: Arc<Links>, consensus: Consensus) {
    let mut changes = consensus.changes();
    loop {
        if !consensus.wait_leads().await {
            return;
        }
        let mut told: Option<Arc<Decided>> = None;
        while consensus.leads() {
            let decided = changes.borrow_and_update().clone();
            let signer =
                decided.fleet.as_ref().and_then(|fleet| Signer::read(&fleet.signer.0).ok());
            let machines: BTreeSet<MachineId> = match &told {
                Some(before) => changed(&before.sets, &decided.sets),
                None => decided.sets.keys().copied().collect(),
            };
            for machine in machines.into_iter().filter(|machine| *machine != links.machine) {
                if let (Some(index), Some(signer)) = (decided.sets.get(&machine), &signer) {
                    let digest = set_digest::sign(signer, machine, version(*index));
                    links.gossip.write_set(machine, version(*index), &digest).await;
                }
            }
            told = Some(decided);
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = consensus.leads_not() => {}
            }
        }
    }
}

fn version(index: u64) -> Version {
    Version { life: index / GENERATION, counter: index % GENERATION }
}

fn index(version: Version) -> u64 {
    version.life.saturating_mul(GENERATION).saturating_add(version.counter)
}

/// A host's set as it is handed out to it; none: this host knows of none above that index.
pub async fn give(
    consensus: &Consensus,
    machine: MachineId,
    above: u64,
    sealed_to: Option<&SealingPublic>,
) -> Result<Option<Signed>, String> {
    let mut changes = consensus.changes();
    let newer =
        |decided: &Arc<Decided>| decided.sets.get(&machine).is_some_and(|index| *index > above);
    let found = tokio::time::timeout(WAIT, changes.wait_for(newer)).await;
    let Ok(Ok(decided)) = found.map(|found| found.map(|decided| decided.clone())) else {
        return Ok(None);
    };
    let Some(fleet) = &decided.fleet else { return Ok(None) };
    let set = keyring::seal(&decided, machine, sealed_to)?;
    let payload = serde_json::to_string(&set).map_err(|e| e.to_string())?;
    let signer = Signer::read(&fleet.signer.0).map_err(|e| e.to_string())?;
    Ok(Some(signer.sign(Purpose::AssignmentSet, payload)))
}

/// Keeps this host's set the newest that there is, until fleetd ends.
pub async fn fetch(links: Arc<Links>, consensus: Consensus, assignments: Arc<Assignments>) {
    let mut events = links.gossip.events();
    // What a set is refused for is told once.
    let mut said = None;
    // After a start it is asked for at once, whatever is announced.
    let mut asked = false;
    loop {
        let wanted = announced(&links);
        if wanted > assignments.index() || !std::mem::replace(&mut asked, true) {
            match pull(&links, &consensus, Ask::of(&assignments)).await {
                Ok(Some(set)) => assignments.offer(set),
                Ok(None) => tokio::time::sleep(REST).await,
                Err(error) => {
                    if said.replace(error.clone()).as_ref() != Some(&error) {
                        tracing::warn!("fetch this host's assignment set: {error}");
                    }
                    tokio::time::sleep(REST).await;
                }
            }
            continue;
        }
        tokio::select! {
            () = told(&mut events, links.machine) => {}
            () = tokio::time::sleep(CHECK) => {
                if let Ok(Some(set)) = pull(&links, &consensus, Ask::of(&assignments)).await {
                    assignments.offer(set);
                }
            }
        }
    }
}

fn announced(links: &Links) -> u64 {
    let key = Key { host: links.machine, kind: Kind::Set, name: String::new() };
    links.gossip.record(&key).map_or(0, |(version, _)| index(version))
}

/// Until there is news about a host's set.
async fn told(events: &mut tokio::sync::broadcast::Receiver<Event>, machine: MachineId) {
    loop {
        match events.recv().await {
            Ok(Event::Record(Key { host, kind: Kind::Set, .. })) if host == machine => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// What a host asks for.
#[derive(Clone)]
pub struct Ask {
    pub above: u64,
    /// Of the leader only: it knows whether there is none.
    pub newest: bool,
    /// What its secrets are to be sealed to: who asks over its own certificate says it each time.
    pub sealed_to: SealingPublic,
}

impl Ask {
    pub fn of(assignments: &Assignments) -> Self {
        Self { above: assignments.has(), newest: false, sealed_to: assignments.sealing_key() }
    }
}

/// Asks one voter after the other. None: none of them has a newer one, or there is none if it has to
/// be the newest.
pub async fn pull(
    links: &Links,
    consensus: &Consensus,
    of: Ask,
) -> Result<Option<AssignmentSet>, String> {
    let view = links.view.borrow().clone();
    let leader = links.leader(consensus);
    let mut others = view.voters.clone();
    // In a later generation others may lead, also where the voters of this one go on. Whether they may,
    // the signature says.
    for leader in leader.into_iter().chain(links.leaders_after(of.above / GENERATION)) {
        if let Some(address) = links.address_of(leader) {
            others.insert(leader, address);
        }
    }
    others.remove(&links.machine);
    let mut others: Vec<(MachineId, String)> = others.into_iter().collect();
    // First the leader: the others hear of a decision with its next message only. Last who is dead.
    others.sort_by_key(|(id, _)| (!links.may_live(*id), leader != Some(*id)));
    let mut last = if of.newest { Err("no voter can be asked".to_owned()) } else { Ok(None) };
    for (id, address) in others {
        match ask(links, id, &address, &of).await {
            Ok(Some(signed)) => {
                let set = obey::read(&signed, view.signers(), links.machine, of.above);
                return set.map(Some).map_err(|e| format!("take the set of host {id}: {e}"));
            }
            Ok(None) if of.newest => return Ok(None),
            Ok(None) => {}
            Err(error) => last = Err(error),
        }
    }
    last
}

async fn ask(
    links: &Links,
    machine: MachineId,
    address: &str,
    Ask { above, newest, sealed_to }: &Ask,
) -> Result<Option<Signed>, String> {
    let path = format!("{PATH}?above={above}&newest={newest}&sealed_to={sealed_to}");
    let request = Request::get(path).body(Body::empty());
    let request = request.map_err(|e| cause(&e))?;
    let address = links.address_of(machine).unwrap_or_else(|| address.to_owned());
    let asked = links.client.ask(machine, &address, request, (LONGEST, WITHIN)).await;
    let response = asked.map_err(|e| e.to_string())?;
    match response.status() {
        StatusCode::OK => {
            serde_json::from_slice(response.body()).map(Some).map_err(|e| e.to_string())
        }
        StatusCode::NO_CONTENT => Ok(None),
        status => Err(format!("host {machine} answers with status {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_an_index_in_its_generation() {
        for number in [0, 7, GENERATION - 1, GENERATION, 3 * GENERATION + 5] {
            assert_eq!(index(version(number)), number);
        }
    }
}
