//! What Raft's messages have to know of the group on this host.

use crate::consensus::Consensus;
use crate::consensus::raft::Group;
use crate::core::decided::{GENERATION, View};
use crate::core::machine_id::MachineId;
use crate::peer::raft;
use openraft::Raft;
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

/// The group is started with its messages, and its messages ask the group: so it is put in later.
pub struct Seat {
    consensus: OnceLock<Consensus>,
    view: watch::Receiver<Arc<View>>,
}

impl Seat {
    pub fn new(view: watch::Receiver<Arc<View>>) -> Self {
        Self { consensus: OnceLock::new(), view }
    }

    pub fn put(&self, consensus: Consensus) {
        // There is one a fleetd.
        let _ = self.consensus.set(consensus);
    }
}

impl raft::Seat for Seat {
    fn raft(&self) -> Option<Raft<Group>> {
        self.consensus.get()?.raft()
    }

    /// By the group, or by what this host was told of the voters: one that is new has an empty log.
    fn is_member(&self, machine: MachineId) -> bool {
        self.view.borrow().voters.contains_key(&machine)
            || self.consensus.get().is_some_and(|consensus| consensus.has_member(machine))
    }

    fn generation(&self) -> Option<u64> {
        let index = self.consensus.get()?.decided().index;
        (index > 0).then_some(index / GENERATION)
    }
}
