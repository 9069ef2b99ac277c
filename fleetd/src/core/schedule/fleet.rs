//! What the scheduler is told: hosts, units that want a place, and the places they have.

pub use crate::core::unit::asks::{HostPort, Preference, Protocol, Resources, Spread, Unit};

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Everything that a placing depends on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fleet {
    /// By id.
    pub hosts: BTreeMap<String, Host>,
    /// By full name. Instances of a template are units of their own.
    pub units: BTreeMap<String, Unit>,
    /// The present ones, in any order.
    pub assignments: Vec<Assignment>,
}

/// An id as people write it: the first eight digits of a machine's.
pub(super) fn short(id: &str) -> &str {
    id.get(..8).filter(|_| id.len() == 32).unwrap_or(id)
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Host {
    pub metadata: BTreeMap<String, String>,
    pub capacity: Resources,
    /// The part of the capacity that no unit gets.
    pub reserved: Resources,
    pub devices: BTreeSet<String>,
    /// Named volumes that are on this host.
    pub volumes: BTreeSet<String>,
    /// Names of images that it holds, in Docker's short form; none: it may hold any.
    pub images: Option<Arc<BTreeSet<String>>>,
    pub alive: bool,
    /// Has not said yet what it is and has: its units stay whatever they need, and nothing new comes.
    pub silent: bool,
    /// Its disk is full: takes nothing new.
    pub full: bool,
    /// Takes nothing new.
    pub cordoned: bool,
    /// Takes nothing new, and is to be emptied.
    pub draining: bool,
    /// Its units stay. A dead host within its grace keeps, one after it does not.
    pub keeps: bool,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            metadata: BTreeMap::new(),
            capacity: Resources::default(),
            reserved: Resources::default(),
            devices: BTreeSet::new(),
            volumes: BTreeSet::new(),
            images: None,
            alive: true,
            silent: false,
            full: false,
            cordoned: false,
            draining: false,
            keeps: true,
        }
    }
}

/// A unit has its place on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    pub unit: String,
    pub host: String,
    /// Of two assignments of one unit the greater is the newer.
    pub epoch: u64,
    /// What it asked for when it got the place.
    pub granted: Resources,
}

/// Which of two hosts that both fit is the better one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fill {
    /// The emptier one.
    #[default]
    Spread,
    /// The fuller one.
    Pack,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    pub fill: Fill,
    /// Whether units of a lower priority make room.
    pub preempt: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { fill: Fill::default(), preempt: true }
    }
}
