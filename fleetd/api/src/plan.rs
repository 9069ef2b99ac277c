//! Several units changed at once, and what would come of it.

use crate::{DesiredState, Warning};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is to become of units, all of them or none. `POST /v1/plan` says what would come of it and
/// changes nothing; `POST /v1/changes` does it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Changes {
    pub changes: Vec<Change>,
    /// Only if no unit, place or host was decided anew since: [`Plan::index`].
    #[serde(default)]
    pub if_index: Option<u64>,
}

/// What is to become of one unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Change {
    pub unit: String,
    /// Its file from now on; none: the one that was submitted.
    #[serde(default)]
    pub file: Option<UnitText>,
    /// Take the place of a different file of this name.
    #[serde(default)]
    pub replace: bool,
    /// None: a new unit is inactive, another keeps its own.
    #[serde(default)]
    pub desired: Option<DesiredState>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UnitText {
    pub text: String,
    /// By file name, as in [`crate::Submit`].
    #[serde(default)]
    pub drop_ins: BTreeMap<String, String>,
}

/// What would come of [`Changes`], by what is decided and seen now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Plan {
    /// Of the newest decision: [`Changes::if_index`] of what is to do just this.
    pub index: u64,
    /// Those that were asked about, and all others that would change; by name.
    pub units: Vec<PlannedUnit>,
    /// Those that would be without a place because of it.
    pub unplaced: Vec<Unplaced>,
    pub warnings: Vec<Warning>,
}

impl Plan {
    /// Whether anything would be another than it is.
    pub fn changes(&self) -> bool {
        !self.unplaced.is_empty() || self.units.iter().any(PlannedUnit::changes)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlannedUnit {
    pub unit: String,
    /// The template that the fleet makes it from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_from: Option<String>,
    pub file: FileChange,
    /// Of a file that is another: keys whose assignments differ.
    #[serde(default)]
    pub keys: Vec<KeyChange>,
    /// None: it is not there.
    pub desired_before: Option<DesiredState>,
    pub desired_after: Option<DesiredState>,
    /// What would happen to it on hosts.
    #[serde(default)]
    pub steps: Vec<PlannedStep>,
}

impl PlannedUnit {
    pub fn changes(&self) -> bool {
        self.file != FileChange::Same
            || self.desired_before != self.desired_after
            || !self.steps.is_empty()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum FileChange {
    New,
    Changed,
    Same,
    /// The unit would not be there any more.
    Gone,
}

/// A key and what is assigned to it: in order, drop-ins last; empty: it is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyChange {
    pub section: String,
    pub key: String,
    pub before: Vec<String>,
    pub after: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlannedStep {
    pub kind: StepKind,
    /// The host that it leaves, or is on.
    #[serde(default)]
    pub from: Option<String>,
    /// The host that it comes to.
    #[serde(default)]
    pub to: Option<String>,
    /// A sentence each.
    #[serde(default)]
    pub reasons: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// It gets a place.
    Add,
    /// It loses a place, and what runs there ends.
    Remove,
    /// It ends on one host and goes to another.
    Move,
    /// It ends and begins again where it is.
    Restart,
    /// It begins where it is.
    Start,
    /// It ends and keeps its place.
    Stop,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unplaced {
    pub unit: String,
    /// A sentence for each group of hosts.
    pub reasons: Vec<String>,
    /// The easiest change that would give it a place, in words.
    pub remedy: String,
}
