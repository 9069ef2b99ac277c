//! One run of a unit: its id and what is written down about it before anything is made.

use crate::core::oci::image::ImageConfig;
use netd_api::EndpointSpec;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// The longest part of a unit's name that goes into a run's id. A run's directory holds a unix
/// socket, whose path is limited to 107 bytes (unix(7)).
const MAX_NAME: usize = 40;

/// The id of a run: container id, endpoint id, directory and cgroup name at once. It is
/// `NAME-INCARNATION.NUMBER` of `[a-zA-Z0-9_.-]`, never used twice on a host: the incarnation is
/// kept in the database and grows with every start of fleetd.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

impl RunId {
    pub fn new(unit: &str, incarnation: u64, number: u64) -> Self {
        Self(format!("{}-{incarnation}.{number}", file_name(unit)))
    }

    /// The id that a directory of this name stands for, if it can be one.
    pub fn parse(name: &str) -> Option<Self> {
        let sound = (1..=128).contains(&name.len())
            && !name.starts_with('.')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        sound.then(|| Self(name.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RunId {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        Self::parse(&name).ok_or_else(|| format!("read run id {name:?}: not one of ours"))
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

/// A unit's name as a file name that is short and of `[a-zA-Z0-9_.-]` only; different units have
/// different ones.
pub fn file_name(unit: &str) -> String {
    let stem = unit.strip_suffix(".container").unwrap_or(unit);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    let first = stem.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    // A pair of underscores is left to the names that are shortened below.
    let ours = stem.contains("__");
    if first && !ours && stem.len() <= MAX_NAME && stem.bytes().all(plain) && stem != unit {
        return stem.to_owned();
    }
    let digest = Sha256::digest(unit.as_bytes());
    let kept: String = stem
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .take(MAX_NAME - 11)
        .collect();
    let hash: String = digest.iter().take(4).map(|b| format!("{b:02x}")).collect();
    format!("u{kept}__{hash}")
}

/// Written to the run's directory before the run makes anything else, so that whoever comes after
/// a killed fleetd knows what to look for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    pub version: u32,
    /// `/run` may be a disk: a record of an earlier boot describes nothing that still is.
    pub boot_id: String,
    pub run: RunId,
    pub unit: String,
    /// Hash of the unit's text that it runs.
    pub hash: String,
    /// Index of the decision to start or restart that this run obeys.
    pub order: u64,
    /// Of whom the index is: [`crate::core::obey::source`].
    #[serde(default)]
    pub source: String,
    /// Microseconds since the epoch.
    pub begun: u64,
    pub image: Option<String>,
    pub config: Option<ImageConfig>,
    pub endpoint: Option<EndpointSpec>,
    pub address: Option<String>,
    /// What the unit asks for and this host does not enforce.
    #[serde(default)]
    pub unenforced: Vec<String>,
    /// The finished `process` of config.json: what `exec` inherits.
    #[serde(default)]
    pub process: Option<serde_json::Value>,
    #[serde(default)]
    pub steps: Vec<fleetd_api::StepTime>,
}

pub const RECORD_VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_like_its_unit() {
        assert_eq!(RunId::new("hello.container", 3, 1).as_str(), "hello-3.1");
    }

    #[test]
    fn a_long_or_odd_unit_name_makes_a_short_plain_id() {
        let long = format!("{}.container", "x".repeat(240));
        for unit in
            [long.as_str(), "web@1.container", "a:b.container", "..container", "-x.container"]
        {
            let id = RunId::new(unit, 1, 2);
            assert!(id.as_str().len() <= 64, "{id}");
            assert!(RunId::parse(id.as_str()).is_some(), "{id}");
        }
    }

    #[test]
    fn different_units_never_share_a_file_name() {
        let names = ["web@1.container", "web-1.container", "web@2.container", "web:1.container"];
        let files: std::collections::BTreeSet<String> =
            names.iter().map(|n| file_name(n)).collect();
        assert_eq!(files.len(), names.len());
    }

    #[test]
    fn a_foreign_directory_is_no_run() {
        for bad in ["", ".", "..", "a/b", "a b", ".hidden"] {
            assert!(RunId::parse(bad).is_none(), "{bad:?}");
        }
    }
}
