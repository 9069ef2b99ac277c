//! What becomes of deciding where disks are full: who has no reserve left lets others lead, and where
//! most voters have none, nothing new is decided, so that the rest lasts for what ends something.

use super::{Consensus, State};
use crate::core::cluster::{self, Observed};
use crate::core::disk::Disk;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Where nobody else came to lead, it is not tried again at once: meanwhile units can at least be stopped.
const AGAIN: Duration = Duration::from_secs(60);

/// Until fleetd ends.
pub async fn make_way(consensus: Consensus, mut observed: watch::Receiver<Arc<Observed>>) {
    let mut decided = consensus.changes();
    let mut disk = consensus.disks();
    let mut stood_back: Option<Instant> = None;
    loop {
        let seen = observed.borrow_and_update().clone();
        let known = decided.borrow_and_update().clone();
        let own = *disk.borrow_and_update();
        let others_decide = cluster::have_room(&known, &seen);
        consensus.others.send_replace(!others_decide);
        let leads = consensus.leads();
        let has_tried = stood_back.is_some_and(|since| since.elapsed() < AGAIN);
        if own == Disk::ReserveUsed && others_decide && leads && !has_tried {
            stood_back = Some(Instant::now());
            tracing::warn!("the disk of this host is full: another voter is to lead");
            if let State::Runs(node) = &*consensus.group.borrow() {
                node.stand_back();
            }
        }
        tokio::select! {
            changed = decided.changed() => if changed.is_err() { return },
            changed = observed.changed() => if changed.is_err() { return },
            changed = disk.changed() => if changed.is_err() { return },
            _ = consensus.wait_leader(|leader| (leader == Some(consensus.id)) != leads) => {}
        }
    }
}
