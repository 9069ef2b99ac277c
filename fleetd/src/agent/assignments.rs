//! What this host is to run: the newest complete set that it has heard of, kept on disk.
//!
//! A host needs nobody to go on with it. An older set never takes the place of a newer one; what is
//! damaged is no set, and no set stops nothing.

use super::place::{Place, write_whole};
use crate::consensus::Consensus;
use crate::core::decided::AssignmentSet;
use crate::core::machine_id::MachineId;
use crate::core::obey;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

pub struct Assignments {
    machine: MachineId,
    path: PathBuf,
    current: watch::Sender<Arc<AssignmentSet>>,
}

impl Assignments {
    /// What was kept, if it is of this machine: another one's is of a database that is gone.
    pub fn open(place: &Place, machine: MachineId) -> Self {
        let path = place.assignments();
        let kept = std::fs::read(&path).ok().and_then(|bytes| {
            serde_json::from_slice(&bytes)
                .inspect_err(|e| tracing::warn!("read {}: {e}; it is passed over", path.display()))
                .ok()
        });
        let kept = kept.filter(|set: &AssignmentSet| set.machine == machine);
        let kept = kept.unwrap_or(AssignmentSet { machine, ..AssignmentSet::default() });
        Self { machine, path, current: watch::Sender::new(Arc::new(kept)) }
    }

    pub fn subscribe(&self) -> watch::Receiver<Arc<AssignmentSet>> {
        self.current.subscribe()
    }

    /// Of the newest.
    pub fn index(&self) -> u64 {
        self.current.borrow().index
    }

    /// Takes over a set if it is newer.
    pub fn offer(&self, set: AssignmentSet) {
        if !obey::is_newer(&set, &self.current.borrow()) {
            return;
        }
        let written = serde_json::to_vec(&set).map_err(|e| e.to_string());
        // Without the disk it holds as long as this fleetd lives; the next one asks again.
        if let Err(error) = written.and_then(|bytes| write_whole(&self.path, &bytes)) {
            tracing::warn!("{error}");
        }
        let set = Arc::new(set);
        self.current.send_if_modified(|current| {
            let newer = obey::is_newer(&set, current);
            if newer {
                *current = Arc::clone(&set);
            }
            newer
        });
    }

    /// Takes this host's sets out of what is decided here, until fleetd ends.
    pub async fn follow(self: Arc<Self>, consensus: Consensus) {
        let mut changes = consensus.changes();
        loop {
            let decided = changes.borrow_and_update().clone();
            let newest = decided.sets.get(&self.machine).copied().unwrap_or(0);
            if newest > self.current.borrow().index {
                self.offer(decided.set(self.machine));
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
#[path = "assignments_tests.rs"]
mod tests;
