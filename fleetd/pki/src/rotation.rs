//! From one certificate authority to the next without a moment in which two hosts do not trust each
//! other. Pure: what every host says of itself is given, the next step comes out.
//!
//! ```text
//! Spread   the new one is trusted beside the old one; the old one signs
//! Renew    every host trusts both: the new one signs, hosts renew at once
//! Remove   every certificate in use is of the new one: the old one is trusted no more
//! ```

use super::key::Fingerprint;
use super::name::MachineId;

/// What a host says by gossip. One that is silent is in the list as long as it is in the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostTrust {
    pub machine: MachineId,
    /// The authorities in its bundle, as far as is known.
    pub trusts: Vec<Fingerprint>,
    /// The authority of the certificate that it shows.
    pub shows: Option<Fingerprint>,
}

/// Where a rotation is, with the hosts that hold it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Spread { waits_for: Vec<MachineId> },
    Renew { waits_for: Vec<MachineId> },
    Remove,
}

/// `next`: the authority that is to be the only one. People's certificates are not in the list:
/// those of the old authority end with [`Step::Remove`], or it waits until they have expired.
pub fn step(hosts: &[HostTrust], next: &Fingerprint) -> Step {
    let without = |done: &dyn Fn(&HostTrust) -> bool| -> Vec<MachineId> {
        hosts.iter().filter(|host| !done(host)).map(|host| host.machine).collect()
    };
    let spread = without(&|host| host.trusts.contains(next));
    if !spread.is_empty() {
        return Step::Spread { waits_for: spread };
    }
    let renew = without(&|host| host.shows.as_ref() == Some(next));
    if !renew.is_empty() {
        return Step::Renew { waits_for: renew };
    }
    Step::Remove
}
