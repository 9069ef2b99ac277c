//! The leader's own decisions: places for units, as soon as something has changed.

use super::{Consensus, Decision, Error};
use crate::core::cluster::{self, Observed};
use crate::core::decided::{Command, Entry, Outcome, Refusal};
use crate::core::schedule::{self, Options, Unplaced};
use crate::core::unit::{self, UnitName};
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
    let mut asks = Asks::default();
    loop {
        let decided = changes.borrow_and_update().clone();
        let seen = observed.borrow_and_update().clone();
        let next = cluster::next(&decided, &seen, Options::default(), &mut |name, entry| {
            asks.of(name, entry)
        });
        let unplaced = Arc::new(next.unplaced);
        if next.commands.is_empty() {
            settled.send_replace(Settled { index: decided.index, unplaced });
            asks.forget(|name| decided.units.contains_key(name));
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                changed = observed.changed() => if changed.is_err() { return },
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
            Ok(_) | Err(Error::Refused(Refusal::Newer { .. })) => {}
            Err(Error::Ending) => return,
            Err(error) => {
                tracing::warn!("place units: {error}");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// What units ask for, read once from each file.
#[derive(Default)]
pub struct Asks(HashMap<String, (String, schedule::Unit)>);

impl Asks {
    pub fn of(&mut self, name: &str, entry: &Entry) -> schedule::Unit {
        match self.0.get(name) {
            Some((hash, asks)) if *hash == entry.hash => asks.clone(),
            _ => {
                let asks = read(name, entry);
                self.0.insert(name.to_owned(), (entry.hash.clone(), asks.clone()));
                asks
            }
        }
    }

    fn forget(&mut self, known: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| known(name));
    }
}

/// A file that cannot be read asks for nothing: the host that it comes to says what is wrong with it.
fn read(name: &str, entry: &Entry) -> schedule::Unit {
    let name = UnitName::new(name).ok();
    let asks = name.map(|name| unit::placement::placement(&name, &entry.text, &entry.drop_ins));
    asks.and_then(Result::ok).unwrap_or_default()
}
