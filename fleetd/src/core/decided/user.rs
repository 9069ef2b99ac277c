//! Users with certificates: who was given one, in which role, and who may not use it any more.
//!
//! A certificate is handed out after it was decided here, so that each is known by its serial
//! number. A name that was revoked is given out again only once what it had is revoked by number.

use super::fleet::Fleet;
use super::{Outcome, Refusal};
use crate::pki::certificate::{CLOCK_SKEW, Serial};
use crate::pki::{Role, UserName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// So many users at once, with those that were revoked.
pub const MOST_USERS: usize = 1000;
/// Certificates of one user that have not expired: who renews has two for a while.
pub const MOST_CERTIFICATES: usize = 16;
/// A user whose last certificate has expired is forgotten after this. Seconds.
const KEPT: u64 = 30 * 24 * 3600;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub role: Role,
    /// Seconds since the epoch, as all times here.
    pub created: u64,
    /// Of each certificate, in seconds.
    pub valid_for: u64,
    /// The last second in which one of its certificates is valid.
    pub expires: u64,
    /// Those that have not expired, each with its last second.
    pub certificates: BTreeMap<Serial, u64>,
    #[serde(default)]
    pub revoked: bool,
}

/// A certificate that is handed out as soon as this is decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    pub serial: Serial,
    pub not_after: u64,
}

/// `now`: seconds since the epoch, by the clock of who leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    Add { name: UserName, role: Role, valid_for: u64, certificate: Certificate, now: u64 },
    Renew { name: UserName, certificate: Certificate, now: u64 },
    Revoke { name: UserName, now: u64 },
}

/// Changes the fleet, which is thrown away where it is refused.
pub(super) fn apply(fleet: &mut Fleet, command: &Command) -> Result<Outcome, Refusal> {
    match command {
        Command::Add { name, role, valid_for, certificate, now } => {
            forget(fleet, *now);
            let user = User {
                role: *role,
                created: *now,
                valid_for: *valid_for,
                expires: 0,
                certificates: BTreeMap::new(),
                revoked: false,
            };
            make_room(fleet, name, *now)?;
            fleet.users.insert(name.clone(), user);
            give(fleet, name, certificate)?;
            Ok(Outcome::Created)
        }
        Command::Renew { name, certificate, now } => {
            forget(fleet, *now);
            give(fleet, name, certificate)?;
            Ok(Outcome::Changed)
        }
        Command::Revoke { name, now } => {
            forget(fleet, *now);
            let unknown = || Refusal::UnknownUser { name: name.clone() };
            fleet.users.get_mut(name).ok_or_else(unknown)?.revoked = true;
            fleet.revoked.revoke_user(name.clone());
            Ok(Outcome::Changed)
        }
    }
}

/// For a user of that name: one who can still get in keeps it.
fn make_room(fleet: &mut Fleet, name: &UserName, now: u64) -> Result<(), Refusal> {
    if let Some(before) = fleet.users.get(name) {
        if !before.revoked && before.expires >= now {
            return Err(Refusal::UserThere { name: name.clone() });
        }
        // Valid again with the name otherwise.
        for (serial, not_after) in &before.certificates {
            fleet.revoked.revoke_serial(serial.clone(), *not_after);
        }
        fleet.revoked.readmit_user(name);
    } else if fleet.users.len() >= MOST_USERS {
        return Err(Refusal::ManyUsers);
    }
    Ok(())
}

fn give(fleet: &mut Fleet, name: &UserName, new: &Certificate) -> Result<(), Refusal> {
    let known = fleet.users.get_mut(name).filter(|user| !user.revoked);
    let user = known.ok_or_else(|| Refusal::UnknownUser { name: name.clone() })?;
    if user.certificates.len() >= MOST_CERTIFICATES {
        return Err(Refusal::ManyCertificates { name: name.clone() });
    }
    user.expires = user.expires.max(new.not_after);
    user.certificates.insert(new.serial.clone(), new.not_after);
    Ok(())
}

/// What has expired on every host's clock.
fn forget(fleet: &mut Fleet, now: u64) {
    fleet.revoked.forget(now);
    for user in fleet.users.values_mut() {
        user.certificates.retain(|_, not_after| not_after.saturating_add(CLOCK_SKEW) >= now);
    }
    let is_old = |user: &User| user.expires.saturating_add(KEPT) < now;
    let old = fleet.users.iter().filter(|(_, user)| is_old(user));
    let old: Vec<UserName> = old.map(|(name, _)| name.clone()).collect();
    for name in old {
        fleet.revoked.readmit_user(&name);
        fleet.users.remove(&name);
    }
}

#[cfg(test)]
#[path = "user_tests.rs"]
mod tests;
