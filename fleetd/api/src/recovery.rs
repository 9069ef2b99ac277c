//! What is left of a fleet, how it goes on with that, and what a backup has.

use crate::Status;
use serde::{Deserialize, Serialize};

/// How this host would go on alone, and what is lost then: `GET /v1/fleet/recovery`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recovery {
    /// The host that answers.
    pub machine: String,
    pub generation: u64,
    /// Of the newest decision in its database.
    pub index: u64,
    /// Those who were to decide.
    pub voters: Vec<Voter>,
    /// Hosts that live and obey something that this database does not know of.
    pub ahead: Vec<Ahead>,
    /// Units that run and that this database does not know of: they would be stopped.
    pub unknown: Vec<Stray>,
    /// Why there is nothing to recover, or not here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Voter {
    pub machine: String,
    /// `ADDRESS:PORT`
    pub address: String,
    pub status: Status,
    /// Of the newest decision in its database; none: it does not answer.
    pub index: Option<u64>,
}

/// A host that has obeyed more than a database knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ahead {
    pub machine: String,
    pub generation: u64,
    pub index: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stray {
    pub unit: String,
    pub machine: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refused {
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Goes on: `POST /v1/fleet/recovery`. Refused if something has changed since these were told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Recover {
    pub generation: u64,
    pub index: u64,
}

/// Everything that is decided: `GET /v1/fleet/backup`, and the body of `POST /v1/fleet/restore`.
/// It has the keys of the fleet in it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Backup {
    /// [`BACKUP_VERSION`] of the fleetd that made it.
    pub flotilla_backup: u32,
    /// Seconds since the epoch.
    pub taken: u64,
    /// None: of a fleet of one.
    pub fleet: Option<String>,
    pub generation: u64,
    pub index: u64,
    pub units: usize,
    /// Of `decided`: 64 hex digits.
    pub sha256: String,
    /// In a form that only fleetd reads.
    pub decided: String,
}

pub const BACKUP_VERSION: u32 = 1;

/// What a restore does, or would do with `?plan=true`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Restored {
    /// Of the newest decision, when it was worked out: `?index=` of the restore that is to do just
    /// this.
    pub index: u64,
    /// The fleet goes on from the backup in this generation; none: its units alone are changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    pub added: Vec<String>,
    pub changed: Vec<String>,
    pub destroyed: Vec<String>,
    /// That get the value of the backup. One that the backup does not have stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
}
