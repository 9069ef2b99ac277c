//! What clients hear of what was decided.

use super::leader::Settled;
use crate::agent::context::Context;
use crate::core::decided::{self, Decided};
use fleetd_api::EventKind;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// Units that were destroyed and are gone.
pub async fn tell_of_ends(context: Arc<Context>, mut changes: watch::Receiver<Arc<Decided>>) {
    let mut before = changes.borrow_and_update().clone();
    while changes.changed().await.is_ok() {
        let after = changes.borrow_and_update().clone();
        for name in decided::changed(&before.units, &after.units) {
            if !after.units.contains_key(&name) {
                context.event(&name, EventKind::Destroyed);
            }
        }
        before = after;
    }
}

/// Units that wait for a host, once for each reason.
pub async fn tell_of_unplaced(context: Arc<Context>, mut settled: watch::Receiver<Settled>) {
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    while settled.changed().await.is_ok() {
        let unplaced = settled.borrow_and_update().unplaced.clone();
        let now: BTreeMap<String, String> =
            unplaced.iter().map(|one| (one.unit.clone(), one.to_string())).collect();
        for (unit, why) in now.iter().filter(|(unit, why)| told.get(*unit) != Some(*why)) {
            let message = format!("no host takes it: {why}");
            context.event(unit, EventKind::Step { step: "place".to_owned(), message });
        }
        told = now;
    }
}
