//! The form of what hosts say of themselves by gossip: JSON, to which later versions add fields.

use crate::core::cluster::Facts;
use crate::core::gossip::Record;
use crate::pki::Fingerprint;
use data_encoding::HEXLOWER;
use fleetd_api::UnitState;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Of [`crate::core::gossip::Kind::Capacity`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capacity {
    pub facts: Facts,
    pub hostname: String,
    pub version: String,
    /// What units cannot ask of it, in words.
    pub lacks: Vec<String>,
}

/// Of `Unit`, by the unit's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// Something of it is there.
    pub there: bool,
    pub state: UnitState,
}

/// Of `Obeys`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Obeys {
    /// Of the set.
    pub index: u64,
    /// Of the newest that is safe on its disk; a host of an earlier version does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<u64>,
    /// [`digest`] of the units of which something is there: records of units come by ways of their
    /// own, and the set counts only together with them.
    pub there: String,
}

/// Of `Raft`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Raft {
    pub leads: bool,
    pub term: u64,
    /// Of what it decides.
    pub generation: u64,
}

/// Of `Certificate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Who has signed the one that the host shows.
    pub authority: Fingerprint,
}

/// Of `Step`, by the unit's name: its latest start, as far as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Steps {
    /// Microseconds since the epoch: says which start it is.
    pub began: u64,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Step {
    pub step: String,
    pub message: String,
    /// None: it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub micros: Option<u64>,
}

/// What a record says; none: it is deleted, or of a form that this fleetd does not know.
pub fn read<T: DeserializeOwned>(record: &Record) -> Option<T> {
    serde_json::from_slice(record.value.as_deref()?).ok()
}

/// Of names in order.
pub fn digest<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let mut hash = Sha256::new();
    for name in names {
        hash.update(name);
        hash.update("\n");
    }
    let hash = hash.finalize();
    HEXLOWER.encode(hash.get(..8).unwrap_or_default())
}
