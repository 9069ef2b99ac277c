//! At which addresses names are answered.

use netd_api::Finding;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Addresses where nobody can be asked, and why.
type Refused = Arc<Mutex<BTreeMap<IpAddr, String>>>;

/// The engine's side.
pub struct Listeners {
    wanted: watch::Sender<BTreeSet<IpAddr>>,
    refused: Refused,
}

/// The name server's side.
pub struct Wanted {
    pub(super) wanted: watch::Receiver<BTreeSet<IpAddr>>,
    refused: Refused,
}

impl Listeners {
    pub fn new(addresses: impl IntoIterator<Item = IpAddr>) -> (Self, Wanted) {
        let (sender, wanted) = watch::channel(addresses.into_iter().collect());
        let refused = Refused::default();
        (Self { wanted: sender, refused: Arc::clone(&refused) }, Wanted { wanted, refused })
    }

    pub fn listen_at(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        self.wanted.send_replace(addresses.into_iter().collect());
    }

    pub fn findings(&self) -> Vec<Finding> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let finding = |(address, cause): (&IpAddr, &String)| Finding {
            message: format!(
                "containers have no name server: listen on {address} port 53: {cause}"
            ),
            hint: Some(format!("see who listens there: ss -lnp 'src {address}'")),
        };
        refused.iter().map(finding).collect()
    }
}

impl Wanted {
    /// Says where it cannot listen; what is new in that is also logged.
    pub(super) fn tell(&self, refused: BTreeMap<IpAddr, String>) {
        let mut told = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        for (address, cause) in refused.iter().filter(|(address, _)| !told.contains_key(*address)) {
            crate::say::say(format_args!("listen on {address} port 53: {cause}"));
        }
        *told = refused;
    }
}
