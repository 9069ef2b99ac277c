//! What one host is to run: complete, and numbered, so that a newer one takes the place of an older.

use super::{Decided, Entry, View};
use crate::core::machine_id::MachineId;
use crate::pki::sealed::Sealed;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All units that have their place on a machine, as they are wanted there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignmentSet {
    pub machine: MachineId,
    /// Of the change that it comes from. Of two sets of one machine the greater is the newer.
    pub index: u64,
    /// By name.
    pub units: BTreeMap<String, Assigned>,
    /// What its units may read, sealed to the host; none: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Sealed>,
    /// What it has to know of its fleet; none in a fleet of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<View>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assigned {
    pub entry: Arc<Entry>,
    /// [`super::Place::epoch`].
    pub epoch: u64,
}

impl Decided {
    /// The set of a machine, without what is sealed to it; index 0 and empty where nothing was ever decided
    /// about it.
    pub fn set(&self, machine: MachineId) -> AssignmentSet {
        let index = self.sets.get(&machine).copied().unwrap_or(0);
        let mut units = BTreeMap::new();
        for (unit, places) in &self.places {
            let Ok(at) = places.binary_search_by_key(&machine, |place| place.machine) else {
                continue;
            };
            if let (Some(entry), Some(place)) = (self.units.get(unit), places.get(at))
                && !place.leaving
            {
                let (entry, epoch) = (Arc::clone(entry), place.epoch);
                units.insert(unit.clone(), Assigned { entry, epoch });
            }
        }
        AssignmentSet { machine, index, units, secrets: None, view: self.view() }
    }
}
