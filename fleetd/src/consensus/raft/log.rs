//! The log of the group on disk.
//!
//! An entry is in memory from the moment when it is appended until it is on disk, and a while
//! longer: followers mostly ask for what is new. Several appends that wait together share one sync.

use super::{Entry, Group, LogId, StorageError};
use crate::core::machine_id::MachineId;
use crate::store::log as table;
use crate::store::writer::{Done, Work, Writer};
use openraft::storage::{LogFlushed, LogState, RaftLogStorage};
use openraft::{RaftLogId, RaftLogReader, StorageIOError, Vote};
use redb::Database;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

pub(super) const VOTE: &str = "vote";
pub(super) const COMMITTED: &str = "committed";
pub(super) const PURGED: &str = "purged";

/// As many of the newest entries stay in memory when they are on disk.
const KEPT: usize = 256;
/// As many bytes of entries are given to a follower at once, about.
const PIECE: usize = 1 << 20;

/// Clones share one log.
#[derive(Clone)]
pub struct Log {
    database: Arc<Database>,
    writer: Writer,
    recent: Arc<Mutex<Recent>>,
}

/// The newest entries without a hole.
#[derive(Default)]
struct Recent {
    entries: BTreeMap<u64, Entry>,
    /// The first index that is not on disk.
    unwritten: u64,
    purged: Option<LogId>,
    last: Option<LogId>,
    committed: Option<LogId>,
}

impl Recent {
    /// Lets go of what is on disk up to `index`.
    fn written(&mut self, index: u64) {
        self.unwritten = self.unwritten.max(index + 1);
        while self.entries.len() > KEPT
            && self.entries.first_key_value().is_some_and(|(first, _)| *first < self.unwritten)
        {
            self.entries.pop_first();
        }
    }
}

impl Log {
    pub fn open(database: Arc<Database>, writer: Writer) -> Result<Self, redb::Error> {
        let purged = table::get::<LogId>(&database, PURGED)?;
        let last = table::last::<Entry>(&database)?.map(|entry| *entry.get_log_id()).or(purged);
        let unwritten = last.map_or(0, |id| id.index + 1);
        let committed = table::get::<Option<LogId>>(&database, COMMITTED)?.flatten();
        let recent = Recent { entries: BTreeMap::new(), unwritten, purged, last, committed };
        Ok(Self { database, writer, recent: Arc::new(Mutex::new(recent)) })
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of the newest entry, decided or not.
    pub fn last(&self) -> Option<LogId> {
        self.recent().last
    }

    /// Writes and waits until it is on disk.
    async fn durably(&self, work: Work) -> Result<(), Arc<redb::Error>> {
        let (done, written) = waiting();
        self.writer.durably(work, done);
        written.await.unwrap_or_else(|_| Err(ended()))
    }

    fn read(&self, range: impl RangeBounds<u64>) -> Result<Vec<Entry>, redb::Error> {
        let (start, end) = (range.start_bound().cloned(), range.end_bound().cloned());
        // First what is in memory: an entry leaves it only when it can be read from disk.
        let recent: Vec<Entry> =
            self.recent().entries.range((start, end)).map(|(_, entry)| entry.clone()).collect();
        let end = match recent.first() {
            Some(first) => Bound::Excluded(first.get_log_id().index),
            None => end,
        };
        if is_empty(start, end) {
            return Ok(recent);
        }
        let mut found = table::read::<Entry>(&self.database, (start, end))?
            .into_iter()
            .map(|(_, entry)| entry)
            .collect::<Vec<_>>();
        found.extend(recent);
        Ok(found)
    }
}

/// Whether a range of indexes has nothing in it. A table panics where it ends before it begins.
fn is_empty(start: Bound<u64>, end: Bound<u64>) -> bool {
    let start = match start {
        Bound::Included(start) => start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    match end {
        Bound::Included(end) => end < start,
        Bound::Excluded(end) => end <= start,
        Bound::Unbounded => false,
    }
}

fn waiting() -> (Done, oneshot::Receiver<Result<(), Arc<redb::Error>>>) {
    let (sender, receiver) = oneshot::channel();
    // Whoever waited may have been dropped.
    (Box::new(move |result| drop(sender.send(result))), receiver)
}

fn ended() -> Arc<redb::Error> {
    Arc::new(redb::Error::Io(std::io::Error::other("the thread that writes has ended")))
}

/// An error with what the kernel said, for `openraft`.
pub(super) fn cause(error: &redb::Error) -> std::io::Error {
    match error {
        redb::Error::Io(e) => std::io::Error::new(e.kind(), e.to_string()),
        other => std::io::Error::other(other.to_string()),
    }
}

impl RaftLogReader<Group> for Log {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + Send>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, StorageError> {
        self.read(range).map_err(|e| StorageIOError::read_logs(&cause(&e)).into())
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, StorageError> {
        let mut entries = self.try_get_log_entries(start..end).await?;
        let mut size = 0;
        let fits = entries.iter().take_while(|entry| {
            size += size_of_entry(entry);
            size <= PIECE
        });
        let count = fits.count().max(1);
        entries.truncate(count);
        Ok(entries)
    }
}

/// About as many bytes as it has on its way.
fn size_of_entry(entry: &Entry) -> usize {
    match &entry.payload {
        openraft::EntryPayload::Normal(command) => 200 + command.size(),
        _ => 500,
    }
}

impl RaftLogStorage<Group> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Group>, StorageError> {
        let recent = self.recent();
        Ok(LogState { last_purged_log_id: recent.purged, last_log_id: recent.last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<MachineId>) -> Result<(), StorageError> {
        let failed = |e: &redb::Error| StorageError::from(StorageIOError::write_vote(&cause(e)));
        let bytes = table::json(vote).map_err(|e| failed(&e))?;
        let work: Work = Box::new(move |transaction| table::put(transaction, VOTE, &bytes));
        self.durably(work).await.map_err(|e| failed(&e))
    }

    async fn read_vote(&mut self) -> Result<Option<Vote<MachineId>>, StorageError> {
        table::get(&self.database, VOTE).map_err(|e| StorageIOError::read_vote(&cause(&e)).into())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), StorageError> {
        let failed = |e: &redb::Error| StorageError::from(StorageIOError::write(&cause(e)));
        let bytes = table::json(&committed).map_err(|e| failed(&e))?;
        let work: Work = Box::new(move |transaction| table::put(transaction, COMMITTED, &bytes));
        self.recent().committed = committed;
        // It only saves the work of finding out again.
        self.writer.soon(work);
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, StorageError> {
        Ok(self.recent().committed)
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: LogFlushed<Group>,
    ) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + Send,
        I::IntoIter: Send,
    {
        let failed = |e: &redb::Error| StorageError::from(StorageIOError::write_logs(&cause(e)));
        let entries: Vec<Entry> = entries.into_iter().collect();
        let encoded = entries.iter().map(|entry| Ok((entry.log_id.index, table::json(entry)?)));
        let encoded = encoded.collect::<Result<Vec<_>, _>>().map_err(|e| failed(&e))?;
        let last = entries.last().map(|entry| entry.log_id);
        {
            let mut recent = self.recent();
            recent.last = last.or(recent.last);
            recent.entries.extend(entries.into_iter().map(|entry| (entry.log_id.index, entry)));
        }
        let recent = Arc::clone(&self.recent);
        let work: Work = Box::new(move |transaction| table::append(transaction, &encoded));
        let done: Done = Box::new(move |result| {
            if let (Ok(()), Some(last)) = (&result, last) {
                recent.lock().unwrap_or_else(PoisonError::into_inner).written(last.index);
            }
            callback.log_io_completed(result.map_err(|e| cause(&e)));
        });
        self.writer.durably(work, done);
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError> {
        let from = log_id.index;
        let work: Work = Box::new(move |transaction| table::remove(transaction, from..));
        let failed = |e: &redb::Error| StorageError::from(StorageIOError::write_logs(&cause(e)));
        self.durably(work).await.map_err(|e| failed(&e))?;
        let before = from.checked_sub(1).map(|index| self.read(index..from)).transpose();
        let before = before.map_err(|e| failed(&e))?.and_then(|mut entries| entries.pop());
        let mut recent = self.recent();
        recent.entries.split_off(&from);
        recent.unwritten = recent.unwritten.min(from);
        recent.last = before.map(|entry| entry.log_id).or(recent.purged);
        Ok(())
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError> {
        let failed = |e: &redb::Error| StorageError::from(StorageIOError::write_logs(&cause(e)));
        let bytes = table::json(&log_id).map_err(|e| failed(&e))?;
        let work: Work = Box::new(move |transaction| {
            table::put(transaction, PURGED, &bytes)?;
            table::remove(transaction, ..=log_id.index)
        });
        self.durably(work).await.map_err(|e| failed(&e))?;
        let mut recent = self.recent();
        recent.entries = recent.entries.split_off(&(log_id.index + 1));
        recent.purged = Some(log_id);
        recent.last = recent.last.max(Some(log_id));
        Ok(())
    }
}
