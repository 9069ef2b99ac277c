//! The leader's own decisions: places for units, as soon as something has changed.

use super::{Consensus, Decision, Error};
use crate::core::cluster::{self, Files, Observed};
use crate::core::decided::{Command, Entry, Outcome, Refusal};
use crate::core::schedule::{self, Options, Unplaced};
use crate::core::unit::{UnitName, placement};
use std::collections::HashMap;
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
            Err(Error::Ending) => return,
            Err(error) => {
                tracing::warn!("place units: {error}");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// What unit files say, each read once.
#[derive(Default)]
pub struct Read(HashMap<String, Known>);

struct Known {
    hash: String,
    asks: schedule::Unit,
    replicas: Option<u32>,
}

impl Read {
    fn known(&mut self, name: &str, entry: &Entry) -> &Known {
        let known = self.0.entry(name.to_owned()).or_insert_with(|| read(name, entry));
        if known.hash != entry.hash {
            *known = read(name, entry);
        }
        known
    }

    fn forget(&mut self, is_known: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| is_known(name));
    }
}

impl Files for Read {
    fn asks(&mut self, name: &str, entry: &Entry) -> schedule::Unit {
        self.known(name, entry).asks.clone()
    }

    fn replicas(&mut self, name: &str, entry: &Entry) -> Option<u32> {
        self.known(name, entry).replicas
    }
}

/// A file that cannot be read asks for nothing: the host that it comes to says what is wrong with it.
fn read(name: &str, entry: &Entry) -> Known {
    let hash = entry.hash.clone();
    let (mut asks, mut replicas) = (schedule::Unit::default(), None);
    if let Ok(name) = UnitName::new(name) {
        if name.is_template() {
            let says = placement::replicas(&name, &entry.text, &entry.drop_ins);
            replicas = says.ok().flatten();
        } else {
            let says = placement::placement(&name, &entry.text, &entry.drop_ins);
            asks = says.unwrap_or_default();
        }
    }
    Known { hash, asks, replicas }
}
