//! The leader's own decisions: places for units, as soon as something has changed.

use super::{Consensus, Decision, Error};
use crate::core::cluster::{self, Observed, Read};
use crate::core::decided::{Command, Outcome, Refusal};
use crate::core::schedule::{Options, Unplaced};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// After a decision that could not be taken.
const REST: Duration = Duration::from_secs(1);

/// What the leader has done, for those who wait for it.
#[derive(Debug, Clone, Default)]
pub struct Settled {
    /// Nothing is left to decide about what was decided up to this index.
    pub index: u64,
    pub unplaced: Arc<Vec<Unplaced>>,
}

/// Decides until fleetd ends.
pub async fn lead(
    consensus: Consensus,
    mut observed: watch::Receiver<Arc<Observed>>,
    settled: watch::Sender<Settled>,
) {
    let mut changes = consensus.changes();
    let mut files = Read::default();
    loop {
        if !consensus.leads() {
            // Nobody waits here for what another host decides.
            settled.send_replace(Settled::default());
            if !consensus.wait_leads().await {
                return;
            }
            tracing::info!("this host leads the fleet from now on");
        }
        let decided = changes.borrow_and_update().clone();
        let seen = observed.borrow_and_update().clone();
        let next = cluster::next(&decided, &seen, Options::default(), &mut files);
        let unplaced = Arc::new(next.unplaced);
        if next.commands.is_empty() {
            settled.send_replace(Settled { index: decided.index, unplaced });
            files.forget(|name| decided.units.contains_key(name));
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                changed = observed.changed() => if changed.is_err() { return },
                () = consensus.leads_not() => {}
            }
            continue;
        }
        let mut commands = vec![Command::Expect { index: decided.index }];
        commands.extend(next.commands);
        match consensus.propose(Command::All(commands)).await {
            Ok(Decision { outcome: Outcome::Same, .. }) => {
                // It would be the same again.
                tracing::warn!(
                    "place units: what was decided at {} changes nothing",
                    decided.index
                );
                if changes.changed().await.is_err() {
                    return;
                }
            }
            Ok(_) | Err(Error::Refused(Refusal::Newer { .. }) | Error::NotLeader(_)) => {}
            // Said once, where the disk was found to be full.
            Err(Error::Full(_)) => {
                let unplaced = Arc::default();
                settled.send_replace(Settled { index: decided.index, unplaced });
                tokio::time::sleep(REST).await;
            }
            Err(Error::Ending) => return,
            Err(error) => {
                tracing::warn!("place units: {error}");
                tokio::time::sleep(REST).await;
            }
        }
    }
}
