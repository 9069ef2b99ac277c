//! The Raft group: `openraft` on our database.
//!
//! - [`log`]: entries, in memory until they are on disk, and the vote;
//! - [`machine`]: committed entries become [`crate::core::decided::Decided`], which is published;
//! - [`network`]: messages between the members;
//! - [`node`]: all of it together, until the disk fails;
//! - [`alone`]: how a member goes on when the others are lost.
//!
//! The log is on disk before an entry counts; what follows from it is written without waiting and
//! gets there with the next entry. After a crash it is derived from the log again.

pub mod alone;
pub mod log;
pub mod machine;
pub mod network;
pub mod node;

use crate::core::decided::{Command, Outcome, Refusal};
use crate::core::machine_id::MachineId;
use serde::{Deserialize, Serialize};
use std::io::Cursor;

openraft::declare_raft_types!(
    /// The types of the group.
    pub Group:
        D = Command,
        R = Applied,
        NodeId = MachineId,
        Node = Voter,
        SnapshotData = Cursor<Vec<u8>>,
);

pub type Entry = openraft::Entry<Group>;
pub type LogId = openraft::LogId<MachineId>;
pub type Membership = openraft::StoredMembership<MachineId, Voter>;
pub type StorageError = openraft::StorageError<MachineId>;

/// Where a member of the group is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voter {
    /// `ADDRESS:PORT`, empty in a fleet of one.
    #[serde(default)]
    pub address: String,
}

/// What a committed entry did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The index of the decided facts afterwards.
    pub index: u64,
    /// None: the entry was no command (a new leader's first, a change of members).
    pub result: Option<Result<Outcome, Refusal>>,
}

#[cfg(test)]
pub(crate) mod tests;
