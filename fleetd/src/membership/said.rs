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
    /// The newest form of decisions that it can read: [`crate::core::decided::FORM`].
    pub decides: u32,
    /// It says which images it holds.
    pub tells_images: bool,
    /// What units cannot ask of it, in words.
    pub lacks: Vec<String>,
}

/// Of what a host says of itself: what is longer was not said by a fleetd, and is shown to people.
const TEXT: usize = 255;
const TEXTS: usize = 1_024;
const STEPS: usize = 256;

impl Capacity {
    /// As much of it as can be true.
    pub fn bounded(mut self) -> Self {
        let fits = |text: &String| text.len() <= TEXT;
        for text in [&mut self.hostname, &mut self.version] {
            *text = Some(std::mem::take(text)).filter(fits).unwrap_or_default();
        }
        self.lacks.retain(fits);
        self.lacks.truncate(TEXTS);
        let Facts { metadata, devices, volumes, .. } = &mut self.facts;
        *metadata = std::mem::take(metadata)
            .into_iter()
            .filter(|(key, value)| fits(key) && fits(value))
            .take(TEXTS)
            .collect();
        for names in [devices, volumes] {
            *names = std::mem::take(names).into_iter().filter(fits).take(TEXTS).collect();
        }
        self
    }
}

impl Steps {
    /// The first of them.
    pub fn bounded(mut self) -> Self {
        self.steps.truncate(STEPS);
        self
    }
}

/// Of `Unit`, by the unit's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// Something of it is there.
    pub there: bool,
    pub state: UnitState,
}

/// Of `Image`, by the image's name in Docker's short form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Of its manifest: `sha256:` and 64 hex digits.
    pub digest: String,
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
