//! What Raft's messages have to know of the group on this host.

use crate::consensus::Consensus;
use crate::consensus::raft::Group;
use crate::core::decided::{GENERATION, View};
use crate::core::machine_id::MachineId;
use crate::peer::raft;
use openraft::Raft;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

/// The group is started with its messages, and its messages ask the group: so it is put in later.
pub struct Seat {
    consensus: OnceLock<Consensus>,
    view: watch::Receiver<Arc<View>>,
    /// The generation of the set that this host obeys: who has given up an earlier one has an empty
    /// database, and must not take it from those who are still in there.
    obeyed: AtomicU64,
}

impl Seat {
    pub fn new(view: watch::Receiver<Arc<View>>) -> Self {
        Self { consensus: OnceLock::new(), view, obeyed: AtomicU64::default() }
    }

    /// This host obeys a set of that index.
    pub fn obeys(&self, index: u64) {
        self.obeyed.fetch_max(index / GENERATION, Ordering::Relaxed);
    }

    pub fn put(&self, consensus: Consensus) {
        // There is one a fleetd.
        let _ = self.consensus.set(consensus);
    }
}

impl raft::Seat for Seat {
    /// None as well for who is in an earlier generation than its set: it is about to give that up, and what
    /// it took now would be lost with it.
    fn raft(&self) -> Option<Raft<Group>> {
        let consensus = self.consensus.get()?;
        let index = consensus.decided().index;
        let is_left_behind = index > 0 && index / GENERATION < self.obeyed.load(Ordering::Relaxed);
        if is_left_behind { None } else { consensus.raft() }
    }

    /// By the group, or by what this host was told of the voters: one that is new has an empty log.
    fn is_member(&self, machine: MachineId) -> bool {
        self.view.borrow().voters.contains_key(&machine)
            || self.consensus.get().is_some_and(|consensus| consensus.has_member(machine))
    }

    fn generation(&self) -> Option<u64> {
        let index = self.consensus.get()?.decided().index;
        let obeyed = self.obeyed.load(Ordering::Relaxed);
        match index {
            0 => (obeyed > 0).then_some(obeyed),
            index => Some(index / GENERATION),
        }
    }
}
