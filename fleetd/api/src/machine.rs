//! Hosts of the fleet.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Machine {
    /// 32 hex digits; tables show the first 8.
    pub id: String,
    pub ip: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub version: String,
    /// What units cannot ask of this host, in words.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// Its disk is full: it takes no new units, and as a voter decides nothing that needs space.
    #[serde(default)]
    pub disk_full: bool,
    /// It takes no new units.
    #[serde(default)]
    pub cordoned: bool,
    /// It takes no new units, and those that it has go elsewhere.
    #[serde(default)]
    pub draining: bool,
    #[serde(default)]
    pub status: Status,
    #[serde(default)]
    pub role: Role,
    /// Units that have their place there, or of which something is there, as the host that answers
    /// knows.
    #[serde(default)]
    pub units: Vec<String>,
}

/// How the host that answers sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Status {
    #[default]
    Alive,
    /// It does not answer datagrams; it is being looked whether it lives.
    Suspected,
    Dead,
    /// It was never heard of by the host that answers.
    Unheard,
}

/// Its part in deciding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It runs units only.
    #[default]
    Host,
    Voter,
    /// The voter who decides.
    Leader,
}

/// What is to change about a machine; what is missing stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ChangeMachine {
    pub cordoned: Option<bool>,
    pub draining: Option<bool>,
    /// By key; none: the key is taken away.
    pub metadata: BTreeMap<String, Option<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Version {
    pub version: String,
    /// Version of the HTTP API: 1.
    pub api: u32,
}
