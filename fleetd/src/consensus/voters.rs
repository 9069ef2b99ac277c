//! The leader looks after the voters: who is to be one, whether he is, and where he is reached.

use super::raft::{Group, Voter};
use super::{Consensus, Error};
use crate::core::cluster::{self, Observed};
use crate::core::decided::fleet::Command;
use crate::core::decided::{self, Decided, Refusal};
use crate::core::machine_id::MachineId;
use crate::sentence::cause;
use openraft::{ChangeMembers, Raft};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Between two looks: how far a new voter is with reading the log is told by nothing.
const LOOK: Duration = Duration::from_millis(100);
/// So many entries behind is caught up: the rest comes while the members change.
const BEHIND: u64 = 100;
/// A change of members takes no longer.
const CHANGED: Duration = Duration::from_secs(10);

/// Until fleetd ends.
pub async fn look_after(consensus: Consensus, mut observed: watch::Receiver<Arc<Observed>>) {
    let mut decided = consensus.changes();
    while consensus.wait_leads().await {
        let seen = observed.borrow_and_update().clone();
        let known = decided.borrow_and_update().clone();
        match step(&consensus, &known, &seen).await {
            Ok(false) => {
                tokio::select! {
                    changed = decided.changed() => if changed.is_err() { return },
                    changed = observed.changed() => if changed.is_err() { return },
                    () = consensus.leads_not() => {}
                }
            }
            Ok(true) => tokio::time::sleep(LOOK).await,
            Err(error) => {
                tracing::warn!("change the voters: {error}");
                tokio::time::sleep(LOOK * 10).await;
            }
        }
    }
}

/// One step towards the voters that are wanted. True: there is more to do.
async fn step(
    consensus: &Consensus,
    decided: &Decided,
    observed: &Observed,
) -> Result<bool, String> {
    let Some(fleet) = &decided.fleet else { return Ok(false) };
    let wanted = cluster::voters(decided, observed, consensus.id);
    if wanted != fleet.voters {
        // A host that was removed meanwhile must not come back with it.
        let expect = decided::Command::Expect { index: decided.index };
        let voters = Command::Voters { voters: wanted }.into();
        return match consensus.propose(decided::Command::All(vec![expect, voters])).await {
            Ok(_) | Err(Error::NotLeader(_) | Error::Refused(Refusal::Newer { .. })) => Ok(true),
            Err(error) => Err(error.to_string()),
        };
    }
    let Some(raft) = consensus.raft() else { return Ok(true) };
    let address = |id: &MachineId| Some((*id, decided.machines.get(id)?.address.clone()));
    let wanted: BTreeMap<MachineId, Voter> =
        wanted.iter().filter_map(address).map(|(id, address)| (id, Voter { address })).collect();
    change(&raft, &wanted).await
}

async fn change(raft: &Raft<Group>, wanted: &BTreeMap<MachineId, Voter>) -> Result<bool, String> {
    let metrics = raft.metrics().borrow().clone();
    let membership = metrics.membership_config.membership();
    let nodes: BTreeMap<MachineId, Voter> =
        membership.nodes().map(|(id, node)| (*id, node.clone())).collect();
    let other = |id: &MachineId, node: &Voter| nodes.get(id).is_some_and(|known| known != node);
    let moved = wanted.iter().filter(|(id, node)| other(id, node));
    let moved: BTreeMap<_, _> = moved.map(|(id, node)| (*id, node.clone())).collect();
    if !moved.is_empty() {
        within(raft.change_membership(ChangeMembers::SetNodes(moved), true)).await?;
        return Ok(true);
    }
    for (id, node) in wanted.iter().filter(|(id, _)| !nodes.contains_key(id)) {
        within(raft.add_learner(*id, node.clone(), false)).await?;
    }
    let voters: BTreeSet<MachineId> = membership.voter_ids().collect();
    let target: BTreeSet<MachineId> = wanted.keys().copied().collect();
    if voters == target && nodes.len() == target.len() {
        return Ok(false);
    }
    let last = metrics.last_log_index.unwrap_or(0);
    let replication = metrics.replication.unwrap_or_default();
    let is_behind = |id: &MachineId| {
        let at = replication.get(id).and_then(|at| at.as_ref()).map_or(0, |at| at.index);
        !voters.contains(id) && at + BEHIND < last.max(BEHIND + 1)
    };
    if target.iter().any(is_behind) {
        return Ok(true);
    }
    within(raft.change_membership(target, false)).await?;
    Ok(true)
}

async fn within<T, E: std::error::Error>(
    change: impl Future<Output = Result<T, E>>,
) -> Result<(), String> {
    match tokio::time::timeout(CHANGED, change).await {
        Ok(changed) => changed.map(|_| ()).map_err(|e| cause(&e)),
        Err(_) => Err("most of the voters do not answer".to_owned()),
    }
}
