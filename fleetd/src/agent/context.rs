//! What every task of the agent shares.

use super::assignments::Assignments;
use super::cgroup::Cgroups;
use super::clock::Clock;
use super::launcher::Launcher;
use super::message::{Message, What};
use super::network::Network;
use super::place::Place;
use crate::core::run::RunId;
use crate::core::unit::HostFacts;
use crate::events::Events;
use crate::image::Store;
use fleetd_api::EventKind;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::{Semaphore, mpsc};

pub struct Context {
    pub place: Place,
    /// Also what the programs of this host may read.
    pub assignments: Arc<Assignments>,
    pub cgroups: Cgroups,
    /// What units are timed by.
    pub clock: Clock,
    pub images: Store,
    pub network: Network,
    pub launcher: Launcher,
    /// Of the fleet, as far as this host hears of them.
    pub events: Events,
    /// Of this host alone, for the others; none in a fleet of one.
    pub own: Option<Events>,
    pub host: HostFacts,
    pub cpus: usize,
    pub allow_unenforced_limits: bool,
    /// How many containers are being created at once: the kernel makes them one after the other
    /// anyway, and each costs descriptors.
    pub creating: Semaphore,
    pub messages: mpsc::UnboundedSender<Message>,
}

impl Context {
    /// Tells the agent; nobody listens when fleetd ends.
    pub fn tell(&self, unit: &str, run: &RunId, what: What) {
        let message = Message { unit: unit.to_owned(), run: run.clone(), what };
        let _ = self.messages.send(message);
    }

    pub fn event(&self, unit: &str, kind: EventKind) {
        let now = now();
        if let Some(own) = &self.own {
            own.publish(now, Some(unit), kind.clone());
        }
        self.events.publish(now, Some(unit), kind);
    }
}

/// Microseconds since the epoch, by the clock of the wall: it may be set at any time.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
