//! Hosts of the fleet.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// 32 hex digits; tables show the first 8.
    pub id: String,
    pub ip: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub version: String,
    /// What units cannot ask of this host, in words.
    #[serde(default)]
    pub lacks: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub version: String,
    /// Version of the HTTP API: 1.
    pub api: u32,
}
