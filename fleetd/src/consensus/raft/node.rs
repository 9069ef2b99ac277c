//! One run of the group on this host: from an open database until it is shut down or the disk fails.

use super::log::Log;
use super::machine::Machine;
use super::network::{Network, Wire};
use super::{Group, Voter};
use crate::core::decided::Decided;
use crate::core::machine_id::MachineId;
use crate::sentence::cause;
use crate::store::writer::{Failure, Writer};
use crate::store::{self, Store};
use openraft::{Config, Raft, SnapshotPolicy};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Clones share one run.
#[derive(Clone)]
pub struct Node {
    pub raft: Raft<Group>,
    pub log: Log,
    pub failure: Failure,
}

/// A snapshot, and with it the end of the log before it, after so many entries.
const SNAPSHOT_AFTER: u64 = 5000;
/// So many entries stay in the log for those who are a little behind.
const KEPT: u64 = 1000;

/// Longer than the others take to elect one of them.
const STANDS_BACK: Duration = Duration::from_secs(6);

impl Node {
    /// `publish` gets what was decided, where it is newer.
    pub async fn start(
        store: Store,
        id: MachineId,
        wire: impl Wire,
        publish: watch::Sender<Arc<Decided>>,
    ) -> Result<Self, String> {
        let fail = |e: &dyn std::error::Error| format!("start the group: {}", cause(e));
        let database = Arc::new(store.database);
        let writer = Writer::start(Arc::clone(&database)).map_err(|e| fail(&e))?;
        let failure = writer.failure();
        let machine = Machine::open(&database, writer.clone(), store.decided, publish)
            .map_err(|e| fail(&e))?;
        let log = Log::open(database, writer).map_err(|e| fail(&e))?;
        let config = Arc::new(config().validate().map_err(|e| fail(&e))?);
        let raft = Raft::new(id, config, Network { own: id, wire }, log.clone(), machine)
            .await
            .map_err(|e| fail(&e))?;
        Ok(Self { raft, log, failure })
    }

    /// Makes a group of one where there is none yet.
    pub async fn found(&self, id: MachineId) -> Result<(), String> {
        let fail = |e: &dyn std::error::Error| format!("start the group: {}", cause(e));
        if !self.raft.is_initialized().await.map_err(|e| fail(&e))? {
            let alone = BTreeMap::from([(id, Voter::default())]);
            self.raft.initialize(alone).await.map_err(|e| fail(&e))?;
        }
        Ok(())
    }

    /// Waits until the only voter decides and has applied all of its log.
    pub async fn lead_alone(&self) -> Result<(), String> {
        let fail = |e: &dyn std::error::Error| format!("start the group: {}", cause(e));
        // By itself it would first wait for others to speak up.
        self.raft.trigger().elect().await.map_err(|e| fail(&e))?;
        let wait = self.raft.wait(None);
        let leads = wait.metrics(
            |metrics| {
                metrics.state.is_leader()
                    && metrics.last_applied.map(|id| id.index) == metrics.last_log_index
            },
            "the only voter leads",
        );
        leads.await.map(|_| ()).map_err(|e| fail(&e))
    }

    /// Whether this host alone decides.
    pub async fn is_alone(&self, id: MachineId) -> Result<bool, String> {
        let alone = self.raft.with_raft_state(move |state| {
            let mut voters = state.membership_state.effective().voter_ids();
            voters.next() == Some(id) && voters.next().is_none()
        });
        alone.await.map_err(|e| format!("start the group: {}", cause(&e)))
    }

    /// Lets others lead, if there are any that can: for a while it speaks up neither as the leader nor to
    /// become one.
    pub fn stand_back(&self) {
        let raft = self.raft.clone();
        raft.runtime_config().elect(false);
        raft.runtime_config().heartbeat(false);
        tokio::spawn(async move {
            tokio::time::sleep(STANDS_BACK).await;
            raft.runtime_config().heartbeat(true);
            raft.runtime_config().elect(true);
        });
    }

    /// Whether this is the same run.
    pub fn is(&self, other: &Self) -> bool {
        self.failure.is(&other.failure)
    }

    /// Why nothing can be decided.
    pub fn error(&self, path: &Path) -> store::Error {
        let cause = self.failure.get().unwrap_or_else(|| {
            Arc::new(redb::Error::Io(std::io::Error::other("the group has ended")))
        });
        store::Error::Write { path: path.to_owned(), cause }
    }

    /// Until it cannot go on. Gives the reason.
    pub async fn failed(&self) -> String {
        let mut metrics = self.raft.metrics();
        loop {
            if let Err(fatal) = &metrics.borrow_and_update().running_state {
                return match self.failure.get() {
                    Some(error) => cause(error.as_ref()),
                    None => cause(fatal),
                };
            }
            if metrics.changed().await.is_err() {
                return "it has ended".to_owned();
            }
        }
    }
}

fn config() -> Config {
    Config {
        cluster_name: "flotilla".to_owned(),
        heartbeat_interval: 200,
        election_timeout_min: 1000,
        election_timeout_max: 2000,
        max_payload_entries: 256,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(SNAPSHOT_AFTER),
        max_in_snapshot_log_to_keep: KEPT,
        snapshot_max_chunk_size: 1 << 20,
        // openraft's own 200 ms are for a piece that a fast network carries and nobody stores.
        install_snapshot_timeout: 10_000,
        ..Config::default()
    }
}
