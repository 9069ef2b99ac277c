//! Whose certificates are worth nothing any more, though they have not expired.

use super::certificate::{CLOCK_SKEW, Serial};
use super::name::{Identity, MachineId, UserName};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Part of what the fleet has decided: every host looks here when somebody connects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Revoked {
    /// Hosts that left or were replaced: kept for good, a machine id comes back to nobody.
    hosts: BTreeSet<MachineId>,
    /// In every role.
    users: BTreeSet<UserName>,
    /// Single certificates, each with the end of its validity (seconds since the epoch).
    serials: BTreeMap<Serial, u64>,
}

impl Revoked {
    pub fn revoke_host(&mut self, machine: MachineId) {
        self.hosts.insert(machine);
    }

    pub fn revoke_user(&mut self, name: UserName) {
        self.users.insert(name);
    }

    /// What was revoked for the user becomes valid again: revoke its serials first.
    pub fn readmit_user(&mut self, name: &UserName) {
        self.users.remove(name);
    }

    pub fn revoke_serial(&mut self, serial: Serial, not_after: u64) {
        self.serials.insert(serial, not_after);
    }

    /// Forgets certificates that have expired on every host's clock.
    pub fn forget(&mut self, now: u64) {
        self.serials.retain(|_, not_after| not_after.saturating_add(CLOCK_SKEW) >= now);
    }

    pub fn has_host(&self, machine: &MachineId) -> bool {
        self.hosts.contains(machine)
    }

    pub fn has_user(&self, name: &UserName) -> bool {
        self.users.contains(name)
    }

    pub fn has(&self, identity: &Identity, serial: &Serial) -> bool {
        let named = match identity {
            Identity::Host(machine) => self.hosts.contains(machine),
            Identity::User { name, .. } => self.users.contains(name),
        };
        named || self.serials.contains_key(serial)
    }
}
