//! What is known about units, for whoever asks over HTTP.

use crate::core::run::RunId;
use fleetd_api::UnitState;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

#[derive(Clone, Default)]
pub struct Board(Arc<RwLock<BTreeMap<String, Posted>>>);

#[derive(Clone)]
pub struct Posted {
    pub state: UnitState,
    /// Digest of the image that its run is made from.
    pub image: Option<String>,
    /// The run, while its program runs.
    pub run: Option<RunId>,
}

impl Board {
    /// Posts a unit's state; true if it is another than before.
    pub fn post(&self, unit: &str, posted: Posted) -> bool {
        let mut units = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let changed = units.get(unit).is_none_or(|before| before.state != posted.state);
        units.insert(unit.to_owned(), posted);
        changed
    }

    pub fn remove(&self, unit: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(unit);
    }

    pub fn names(&self) -> BTreeSet<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    pub fn get(&self, unit: &str) -> Option<UnitState> {
        let units = self.0.read().unwrap_or_else(PoisonError::into_inner);
        units.get(unit).map(|posted| posted.state.clone())
    }

    /// The run of a unit whose program runs, and its first process.
    pub fn run(&self, unit: &str) -> Option<(RunId, i32)> {
        let units = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let posted = units.get(unit)?;
        Some((posted.run.clone()?, posted.state.pid?))
    }

    /// By digest: the units that run from an image.
    pub fn images(&self) -> HashMap<String, Vec<String>> {
        let units = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut used: HashMap<String, Vec<String>> = HashMap::new();
        for (unit, posted) in units.iter() {
            if let Some(digest) = &posted.image {
                used.entry(digest.clone()).or_default().push(unit.clone());
            }
        }
        used
    }
}
