//! What the leader sees of this host: what it has, and what runs there.

use super::Progress;
use super::context::Context;
use crate::core::cluster::{Facts, Observed, Seen};
use crate::core::disk::Disk;
use crate::core::machine_id::MachineId;
use crate::core::schedule::Resources;
use std::sync::Arc;
use tokio::sync::watch;

/// What units can ask of this host.
pub fn offers(context: &Context) -> Facts {
    let cpu = u64::try_from(context.cpus).unwrap_or(u64::MAX).saturating_mul(1000);
    let capacity = Resources { cpu, memory: context.host.memory, tasks: context.host.tasks };
    Facts { capacity, ..Facts::default() }
}

/// What a fleet of one sees: itself.
pub fn of_itself(
    context: &Context,
    id: MachineId,
    mut progress: watch::Receiver<Progress>,
    mut disks: watch::Receiver<Disk>,
) -> watch::Receiver<Arc<Observed>> {
    let facts = offers(context);
    let see = move |progress: &Progress, disk: &Disk| {
        let Progress { index, kept, runs } = progress.clone();
        let facts = Some(Facts { disk: *disk, ..facts.clone() });
        let (alive, lost, authority) = (true, false, None);
        // Where there is one host, it is the best.
        let images = None;
        let seen = Seen { alive, lost, facts, obeys: index, kept, runs, images, authority };
        Arc::new(Observed { machines: [(id, seen)].into() })
    };
    let (show, observed) =
        watch::channel(see(&progress.borrow_and_update(), &disks.borrow_and_update()));
    tokio::spawn(async move {
        loop {
            tokio::select! {
                changed = progress.changed() => if changed.is_err() { return },
                changed = disks.changed() => if changed.is_err() { return },
            }
            let seen = see(&progress.borrow_and_update(), &disks.borrow_and_update());
            show.send_replace(seen);
        }
    });
    observed
}
