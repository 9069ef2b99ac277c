//! `config.json` of the OCI runtime specification 1.3, the parts for Linux.
//!
//! Types only mirror the document ([`load`] reads it, [`validate`] judges it); they decide nothing.
//! Fields that the specification does not know are passed over, as it demands.

pub mod device_rule;
pub mod hooks;
mod json_path;
pub mod linux;
pub mod load;
pub mod mount;
pub mod process;
pub mod resources;
pub mod seccomp;
pub mod template;
pub mod validate;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Deserializer, Serialize};

pub use device_rule::DeviceRule;
pub use hooks::{Hook, Hooks};
pub use linux::Linux;
pub use mount::Mount;
pub use process::Process;
pub use resources::Resources;
pub use seccomp::Seccomp;

/// The version of the specification that this program is written for.
pub const VERSION: &str = "1.3.0";

/// The whole document.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    pub oci_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<Root>,
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domainname: Option<String>,
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Hooks::is_empty"
    )]
    pub hooks: Hooks,
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linux: Option<Linux>,
}

impl Spec {
    /// `linux`, or an empty one.
    pub fn linux(&self) -> &Linux {
        static EMPTY: LazyLock<Linux> = LazyLock::new(Linux::default);
        self.linux.as_ref().unwrap_or_else(|| &EMPTY)
    }
}

/// The container's root file system.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub struct Root {
    /// Absolute, or relative to the bundle.
    pub path: std::path::PathBuf,
    #[serde(default)]
    pub readonly: bool,
}

/// Engines written in Go say `null` for an empty list.
pub(crate) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
