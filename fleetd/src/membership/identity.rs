//! What makes this host one of a fleet, on disk: `identity.json` in the state directory, for its
//! owner only.

use crate::agent::place::Place;
use crate::core::decided::View;
use crate::core::decided::fleet::Secret;
use crate::core::machine_id::MachineId;
use crate::pki::files::{read_private, write_private};
use crate::pki::{Credentials, Fingerprint, Key, Own};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub machine: MachineId,
    /// PEM.
    pub certificate: String,
    pub key: Secret,
    /// Where the others reach this host.
    pub address: SocketAddr,
    /// What the fleet was when this host came to it; a newer one comes with its set.
    pub view: View,
    /// It has joined, and what it had decided before is still to be forgotten.
    #[serde(default)]
    pub fresh: bool,
}

fn path(place: &Place) -> PathBuf {
    place.state_dir.join("identity.json")
}

impl Identity {
    /// None: this host is a fleet of its own.
    pub fn read(place: &Place) -> Result<Option<Self>, String> {
        let path = path(place);
        if !Path::new(&path).exists() {
            return Ok(None);
        }
        let text = read_private(&path).map_err(|e| e.to_string())?;
        let identity = serde_json::from_str(&text).map_err(|e| {
            format!(
                "read {}: {e} (restore it from a backup, or join again with a new state directory)",
                path.display()
            )
        })?;
        Ok(Some(identity))
    }

    pub fn write(&self, place: &Place) -> Result<(), String> {
        let text = serde_json::to_vec_pretty(self).map_err(|e| e.to_string())?;
        write_private(&path(place), &text).map_err(|e| e.to_string())
    }

    /// Of its key.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        Key::read(&self.key.0).ok().map(|key| key.fingerprint())
    }

    pub fn credentials(&self) -> Result<Arc<Credentials>, String> {
        let own = Own::read(&self.certificate, &self.key.0).map_err(|e| e.to_string())?;
        let View { bundle, revoked, .. } = self.view.clone();
        Ok(Arc::new(Credentials::new(bundle, revoked, own)))
    }
}

/// `ADDRESS` or `ADDRESS:PORT`, with the fleet's port where none is given.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let fail = || format!("read address {text:?}: it is neither ADDRESS nor ADDRESS:PORT");
    let address: SocketAddr = match text.parse() {
        Ok(address) => address,
        Err(_) => {
            let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
            let ip = bare.unwrap_or(text).parse().map_err(|_| fail())?;
            SocketAddr::new(ip, fleetd_api::FLEET_PORT)
        }
    };
    if address.ip().is_unspecified() || address.ip().is_multicast() || address.port() == 0 {
        return Err(format!("read address {text:?}: nobody can be reached there"));
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_fleets_port_unless_it_says_another() {
        let read = |text| address(text).map(|address| address.to_string());
        assert_eq!(read("192.0.2.1").unwrap(), "192.0.2.1:7400");
        assert_eq!(read("192.0.2.1:80").unwrap(), "192.0.2.1:80");
        assert_eq!(read("2001:db8::1").unwrap(), "[2001:db8::1]:7400");
        assert_eq!(read("[2001:db8::1]").unwrap(), "[2001:db8::1]:7400");
        assert_eq!(read("[2001:db8::1]:80").unwrap(), "[2001:db8::1]:80");
        for wrong in ["", "host", "0.0.0.0", "192.0.2.1:0", "224.0.0.1", "1.2.3.4:99999"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
