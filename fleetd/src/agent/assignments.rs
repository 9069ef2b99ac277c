//! What this host is to run: the newest complete set that it has heard of, kept on disk.
//!
//! A host needs nobody to go on with it. An older set never takes the place of a newer one; what is
//! damaged is no set, and no set stops nothing.
//!
//! A set is obeyed whether or not the disk takes it. The fleet is told apart which one is safe there:
//! after a death of this host nothing older comes back than that, and only then may a unit that has
//! ended here have its place elsewhere.

use super::keyring::Keyring;
use super::place::{Place, sync, write_whole};
use crate::blocking::blocking;
use crate::consensus::Consensus;
use crate::core::decided::{AssignmentSet, Decided};
use crate::core::machine_id::MachineId;
use crate::core::obey;
use crate::pki::sealed::SealingPublic;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// A disk that has failed is tried again after so long.
const AGAIN: Duration = Duration::from_secs(1);

pub struct Assignments {
    machine: MachineId,
    keyring: Keyring,
    /// The secrets of the current set are sealed to a key that is gone.
    unread: AtomicBool,
    path: PathBuf,
    current: watch::Sender<Arc<AssignmentSet>>,
    /// The index in the file. One writes at a time.
    written: Mutex<u64>,
    /// The index that is safe on disk.
    kept: watch::Sender<u64>,
    /// The index of the set that was the newest at some time since fleetd started, as far as anybody
    /// can know.
    confirmed: watch::Sender<Option<u64>>,
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
        let index = kept.index;
        let keyring = Keyring::open(place, machine);
        Self {
            machine,
            unread: AtomicBool::new(!keyring.can_read(&kept)),
            keyring,
            path,
            current: watch::Sender::new(Arc::new(kept)),
            written: Mutex::new(index),
            kept: watch::Sender::new(index),
            confirmed: watch::Sender::new(None),
        }
    }

    pub fn subscribe(&self) -> watch::Receiver<Arc<AssignmentSet>> {
        self.current.subscribe()
    }

    /// The index of the newest set that is safe on disk.
    pub fn kept(&self) -> watch::Receiver<u64> {
        self.kept.subscribe()
    }

    /// By this set, or a later one, may begin what this host has not begun yet.
    pub fn confirmed(&self) -> watch::Receiver<Option<u64>> {
        self.confirmed.subscribe()
    }

    /// The set that this host has now is the newest.
    pub fn confirm(&self) {
        self.confirmed.send_replace(Some(self.index()));
    }

    /// Of the newest.
    pub fn index(&self) -> u64 {
        self.current.borrow().index
    }

    /// What this host has of sets: it asks for one that is above.
    pub fn has(&self) -> u64 {
        let again = u64::from(self.unread.load(Ordering::Relaxed));
        self.index().saturating_sub(again)
    }

    /// What the others seal its secrets to.
    pub fn sealing_key(&self) -> SealingPublic {
        self.keyring.public()
    }

    /// A secret that a unit of this host may read; none: the newest set has none of that name.
    pub fn secret(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let current = self.current.borrow().clone();
        self.keyring.secret(&current, name)
    }

    /// Takes over a set if it is newer, or the same and now it can be read.
    pub fn offer(&self, set: AssignmentSet) {
        let reads = self.keyring.can_read(&set);
        let mends = reads && set.index == self.index() && self.unread.load(Ordering::Relaxed);
        let is_better = |current: &AssignmentSet| obey::is_newer(&set, current) || mends;
        if !is_better(&self.current.borrow()) {
            return;
        }
        // Without the disk it holds as long as this fleetd lives; the next one asks again.
        if let Err(error) = self.write(&set, mends) {
            tracing::warn!("{error}; it is tried again until it succeeds");
        }
        self.current.send_if_modified(|current| {
            let better = is_better(current);
            if better {
                *current = Arc::new(set.clone());
                self.unread.store(!reads, Ordering::Relaxed);
            }
            better
        });
    }

    /// So that the next fleetd has it, whoever kills this one.
    fn write(&self, set: &AssignmentSet, again: bool) -> Result<(), String> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if *written < set.index || again && *written == set.index {
            let bytes = serde_json::to_vec(set).map_err(|e| e.to_string())?;
            write_whole(&self.path, &bytes)?;
            // What it takes the place of may be told to be safe already.
            if again {
                sync(&self.path)?;
            }
            *written = set.index;
        }
        Ok(())
    }

    /// So that a machine without power has it, too.
    fn keep(&self) -> Result<(), String> {
        let newest = self.current.borrow().clone();
        self.write(&newest, false)?;
        sync(&self.path)?;
        self.kept.send_if_modified(|kept| std::mem::replace(kept, newest.index) != newest.index);
        Ok(())
    }

    /// Makes each set safe on disk, and tries again what failed, until fleetd ends.
    pub async fn keep_all(self: Arc<Self>) {
        let mut changes = self.current.subscribe();
        loop {
            let behind = |set: &Arc<AssignmentSet>| set.index > *self.kept.borrow();
            if changes.wait_for(behind).await.is_err() {
                return;
            }
            let own = Arc::clone(&self);
            let kept = blocking(move || own.keep()).await;
            if !matches!(kept, Ok(Ok(()))) {
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    /// Takes over this host's set as it is decided there, if it is newer.
    pub fn follow_to(&self, decided: &Decided) {
        let newest = decided.sets.get(&self.machine).copied().unwrap_or(0);
        if newest > self.has() {
            match self.keyring.take(decided) {
                Ok(set) => self.offer(set),
                Err(error) => tracing::warn!("take over this host's assignments: {error}"),
            }
        }
    }

    /// Takes this host's sets out of what is decided here, until fleetd ends.
    pub async fn follow(self: Arc<Self>, consensus: Consensus) {
        let mut changes = consensus.changes();
        loop {
            let decided = changes.borrow_and_update().clone();
            self.follow_to(&decided);
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
#[path = "assignments_tests.rs"]
mod tests;
