//! The state machine of the group: committed commands change the decided facts.

use super::log::cause;
use super::{Applied, Entry, Group, LogId, Membership, StorageError, Voter};
use crate::blocking::blocking;
use crate::core::decided::{Decided, image};
use crate::core::machine_id::MachineId;
use crate::store::writer::Writer;
use crate::store::{facts, log as table};
use openraft::storage::RaftStateMachine;
use openraft::{
    EntryPayload, RaftSnapshotBuilder, Snapshot, SnapshotMeta, StorageIOError, StoredMembership,
};
use redb::Database;
use serde::{Deserialize, Serialize};
use std::io::Cursor;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

pub(super) const APPLIED: &str = "applied";

/// How far the log is applied, and who the members are there.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) log_id: Option<LogId>,
    pub(super) membership: Membership,
}

pub struct Machine {
    writer: Writer,
    position: Position,
    decided: Arc<Decided>,
    publish: watch::Sender<Arc<Decided>>,
    snapshot: Current,
}

/// The latest snapshot, which is not kept on disk: the facts are.
type Current = Arc<Mutex<Option<(SnapshotMeta<MachineId, Voter>, Arc<Vec<u8>>)>>>;

impl Machine {
    /// `decided` is what the database has. What is newer than what was published before is published.
    pub fn open(
        database: &Database,
        writer: Writer,
        decided: Decided,
        publish: watch::Sender<Arc<Decided>>,
    ) -> Result<Self, redb::Error> {
        let position = table::get(database, APPLIED)?.unwrap_or_default();
        let (decided, snapshot) = (Arc::new(decided), Current::default());
        let machine = Self { writer, position, decided, publish, snapshot };
        machine.publish();
        Ok(machine)
    }

    /// The database may be behind what was published: what follows from the log is written late.
    fn publish(&self) {
        #[cfg(test)]
        crate::simulation::published(&self.decided);
        self.publish.send_if_modified(|published| {
            let newer = self.decided.index > published.index;
            if newer {
                *published = Arc::clone(&self.decided);
            }
            newer
        });
    }

    /// Goes over to `decided` and writes what has changed; it is on disk with the next entry of the
    /// log. An error is told then.
    fn go_on(&mut self, decided: Decided) -> Result<(), redb::Error> {
        let position = table::json(&self.position)?;
        let before = std::mem::replace(&mut self.decided, Arc::new(decided));
        let after = Arc::clone(&self.decided);
        self.writer.soon(Box::new(move |transaction| {
            facts::write(transaction, &before, &after)?;
            table::put(transaction, APPLIED, &position)
        }));
        self.publish();
        Ok(())
    }
}

/// For `openraft`.
fn unwritten(error: &redb::Error) -> StorageError {
    StorageIOError::write_state_machine(&cause(error)).into()
}

impl RaftStateMachine<Group> for Machine {
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, Membership), StorageError> {
        Ok((self.position.log_id, self.position.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Applied>, StorageError>
    where
        I: IntoIterator<Item = Entry> + Send,
        I::IntoIter: Send,
    {
        let mut decided = self.decided.as_ref().clone();
        let mut answers = Vec::new();
        for entry in entries {
            self.position.log_id = Some(entry.log_id);
            answers.push(match entry.payload {
                EntryPayload::Blank => Applied { index: decided.index, result: None },
                EntryPayload::Normal(command) => {
                    let result = Some(decided.apply(&command));
                    Applied { index: decided.index, result }
                }
                EntryPayload::Membership(membership) => {
                    self.position.membership =
                        StoredMembership::new(Some(entry.log_id), membership);
                    Applied { index: decided.index, result: None }
                }
            });
        }
        self.go_on(decided).map_err(|e| unwritten(&e))?;
        Ok(answers)
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        Builder {
            position: self.position.clone(),
            decided: Arc::clone(&self.decided),
            current: Arc::clone(&self.snapshot),
        }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta<MachineId, Voter>,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError> {
        let bytes = snapshot.into_inner();
        let failed = |e: std::io::Error| {
            StorageError::from(StorageIOError::read_snapshot(Some(meta.signature()), &e))
        };
        let decided = image::read(&bytes).map_err(failed)?;
        self.position =
            Position { log_id: meta.last_log_id, membership: meta.last_membership.clone() };
        self.go_on(decided).map_err(|e| unwritten(&e))?;
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((meta.clone(), Arc::new(bytes)));
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Group>>, StorageError> {
        let current = self.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(current.as_ref().map(|(meta, bytes)| Snapshot {
            meta: meta.clone(),
            snapshot: Box::new(Cursor::new(bytes.as_ref().clone())),
        }))
    }
}

/// Makes a snapshot of the moment when it was asked for.
pub struct Builder {
    position: Position,
    decided: Arc<Decided>,
    current: Current,
}

impl RaftSnapshotBuilder<Group> for Builder {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Group>, StorageError> {
        let decided = Arc::clone(&self.decided);
        let bytes = blocking(move || image::write(&decided)).await;
        let failed =
            |e: std::io::Error| StorageError::from(StorageIOError::write_snapshot(None, &e));
        let bytes = bytes.map_err(std::io::Error::other).flatten().map_err(failed)?;
        let Position { log_id, membership } = self.position.clone();
        let name = log_id.map_or_else(|| "empty".to_owned(), |id| id.to_string());
        let meta = SnapshotMeta {
            last_log_id: log_id,
            last_membership: membership,
            snapshot_id: format!("{name}-{}", self.decided.index),
        };
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((meta.clone(), Arc::new(bytes.clone())));
        Ok(Snapshot { meta, snapshot: Box::new(Cursor::new(bytes)) })
    }
}
