//! Everything that a fleetd in a fleet does beside what it does alone.

use super::said::Capacity;
use super::{Links, sets, sight, states, tell, trust};
use crate::agent::Handle;
use crate::agent::assignments::Assignments;
use crate::agent::context::Context;
use crate::consensus::{Consensus, full, voters};
use crate::core::cluster::Observed;
use std::sync::Arc;
use tokio::sync::watch;

/// Begins all of it. Gives what this host sees of all hosts.
pub async fn take_part(
    links: &Arc<Links>,
    consensus: &Consensus,
    context: &Arc<Context>,
    agent: &Handle,
    assignments: &Arc<Assignments>,
    capacity: Capacity,
) -> watch::Receiver<Arc<Observed>> {
    tell::capacity(links, &capacity).await;
    let facts = capacity.facts.clone();
    tokio::spawn(tell::disk(links.clone(), capacity, consensus.disks()));
    let images = context.images.names();
    let own = sight::Own { facts, progress: agent.progress.clone(), images: images.clone() };
    let observed = sight::watch(links.clone(), consensus.clone(), own);
    tokio::spawn(trust::follow(links.clone(), assignments.subscribe(), context.place.clone()));
    tokio::spawn(trust::renew(links.clone(), consensus.clone(), context.place.clone()));
    tokio::spawn(sets::announce(links.clone(), consensus.clone()));
    tokio::spawn(sets::fetch(links.clone(), consensus.clone(), assignments.clone()));
    tokio::spawn(states::hear(links.clone(), context.clone()));
    tokio::spawn(tell::certificate(links.clone()));
    tokio::spawn(tell::images(links.clone(), images));
    tokio::spawn(tell::part(links.clone(), consensus.clone()));
    tokio::spawn(tell::units(links.clone(), context.clone(), agent.clone()));
    tokio::spawn(full::make_way(consensus.clone(), observed.clone()));
    tokio::spawn(voters::look_after(consensus.clone(), observed.clone()));
    observed
}
