//! Units: what was submitted, what is desired, what is.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the administrator wants of a unit: fleet's three states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum DesiredState {
    /// Known, not placed.
    Inactive,
    /// Placed and prepared, not running.
    Loaded,
    Launched,
}

/// A unit file to keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Submit {
    pub text: String,
    /// Drop-ins, by file name (`10-limits.conf`), applied in the order of their names.
    #[serde(default)]
    pub drop_ins: BTreeMap<String, String>,
    /// Take the place of a different file of this name.
    #[serde(default)]
    pub replace: bool,
    /// Set the desired state in the same step; none: a new unit is inactive, another keeps its own.
    #[serde(default)]
    pub desired: Option<DesiredState>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Desire {
    pub desired: DesiredState,
}

/// How many instances a template is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Scale {
    pub replicas: u32,
}

/// A change was decided; its effects follow as events after `index`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Accepted {
    pub index: u64,
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

/// Something in a unit file that does not take effect, or not as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Warning {
    /// The unit file or drop-in.
    pub file: String,
    /// First line is 1; 0: the file as a whole.
    pub line: u32,
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unit {
    pub name: String,
    pub description: String,
    /// SHA-256 of text and drop-ins, in hex; tables show the first 7 characters.
    pub hash: String,
    /// Left out of lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub drop_ins: BTreeMap<String, String>,
    pub desired: DesiredState,
    /// Of a template: how many instances it is to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// The template that the fleet has made it from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_from: Option<String>,
    pub state: UnitState,
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Load {
    NotLoaded,
    Loaded,
    /// The file is there and cannot be used.
    Error,
}

/// systemd's ActiveState.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Active {
    Inactive,
    Activating,
    Active,
    Deactivating,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Health {
    Starting,
    Healthy,
    Unhealthy,
}

/// A unit as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UnitState {
    /// fleet's state that the unit has reached.
    pub current: DesiredState,
    pub load: Load,
    pub active: Active,
    /// systemd's SubState: dead, start, running, exited, stop-sigterm, auto-restart, failed.
    pub sub: String,
    pub machine: Option<String>,
    /// Process id of the container's first process on its host.
    pub pid: Option<i32>,
    /// Address on the unit's network.
    pub address: Option<String>,
    /// As in the unit file: `[ip:]host:container/protocol`.
    pub ports: Vec<String>,
    /// Microseconds since the Unix epoch.
    pub since: Option<u64>,
    pub health: Option<Health>,
    pub restarts: u32,
    /// How the last run ended.
    pub last_exit: Option<ExitReason>,
    /// One sentence on what the unit waits for or why it failed.
    pub message: Option<String>,
    /// Limits that the unit asks for and this host does not enforce, in words.
    #[serde(default)]
    pub unenforced: Vec<String>,
    /// The last start, step by step.
    #[serde(default)]
    pub steps: Vec<StepTime>,
}

/// One step of a start and what it took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StepTime {
    pub step: String,
    pub micros: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExitReason {
    pub code: Option<i32>,
    /// Signal's name without SIG, such as `KILL`.
    pub signal: Option<String>,
    pub oom: bool,
    /// Why there is no code and no signal, such as a supervisor that was killed.
    pub error: Option<String>,
}

/// A program to run inside a running unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Exec {
    pub command: Vec<String>,
    #[serde(default)]
    pub tty: bool,
    /// Rows and columns of the caller's terminal.
    #[serde(default)]
    pub size: Option<(u16, u16)>,
    #[serde(default)]
    pub env: Vec<String>,
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub cwd: Option<String>,
}
