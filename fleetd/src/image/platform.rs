//! Which of an index's images fits this host. Pure.

use serde::{Deserialize, Serialize};
use std::fmt;

/// image-spec `image-index.md`, in Go's words: `linux`, `amd64`, `v8`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Platform {
    pub(super) os: String,
    pub(super) architecture: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) variant: Option<String>,
}

impl Platform {
    /// What this program was built for.
    pub(super) fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
            other => other,
        };
        Self { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: None }
    }

    /// How well `other` fits: None not at all, higher is better. `amd64/v2` and later need what
    /// an older processor lacks, so the plain one is preferred; `arm64` means `arm64/v8`.
    pub(super) fn rank(&self, other: &Self) -> Option<u8> {
        if self.os != other.os || self.architecture != other.architecture {
            return None;
        }
        match (self.architecture.as_str(), other.variant.as_deref()) {
            (_, None | Some("")) => Some(3),
            ("arm64", Some("v8")) | ("amd64", Some("v1")) => Some(2),
            _ => None,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if let Some(variant) = self.variant.as_deref().filter(|v| !v.is_empty()) {
            write!(f, "/{variant}")?;
        }
        Ok(())
    }
}
