//! Images of one host.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Image {
    pub names: Vec<String>,
    /// Digest of the manifest: `sha256:` and 64 hex digits.
    pub digest: String,
    /// Bytes on disk, unpacked.
    pub size: u64,
    pub layers: usize,
    /// Microseconds since the Unix epoch.
    pub imported: u64,
    /// Units that run from it.
    #[serde(default)]
    pub used_by: Vec<String>,
    /// Hosts of the fleet with an image of one of its names, as this host hears; with this one.
    #[serde(default)]
    pub machines: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Pull {
    pub reference: String,
    /// Plain HTTP. A registry on the loopback of fleetd's host gets it without being asked.
    #[serde(default)]
    pub insecure: bool,
    #[serde(default)]
    pub username: Option<String>,
    #[serde(default)]
    pub password: Option<String>,
}
