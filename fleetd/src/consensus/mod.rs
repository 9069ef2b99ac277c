//! What was decided: the order of changes and who has to agree to them.
//!
//! A fleet of one decides at once: a command is applied to [`Decided`], written and then published.
//! With more hosts a Raft group stands between the proposal and the application; who proposes and
//! who reads notices nothing of it.

pub mod raft;

use crate::core::decided::{Command, Decided, Entry, Outcome, Refusal};
use crate::store::{self, Store};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// The handle that proposes and reads. Clones share one group.
#[derive(Clone)]
pub struct Consensus {
    proposals: mpsc::Sender<Proposal>,
    decided: watch::Receiver<Arc<Decided>>,
}

struct Proposal {
    command: Command,
    answer: oneshot::Sender<Result<Decision, Error>>,
}

/// A command that was decided and is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    pub index: u64,
    pub outcome: Outcome,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Refused(Refusal),
    /// Nothing was decided.
    #[error("{message}")]
    Store { message: String, no_space: bool },
    #[error("decide: fleetd is ending")]
    Ending,
}

/// As many commands wait at most; whoever comes then waits to be let in.
const QUEUE: usize = 256;

impl Consensus {
    /// A group of one. Its thread ends with the last handle.
    pub fn local(mut store: Store, decided: Decided) -> std::io::Result<Self> {
        let (proposals, queue) = mpsc::channel(QUEUE);
        let (publish, decided) = watch::channel(Arc::new(decided));
        std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || decide_all(&mut store, queue, &publish))?;
        Ok(Self { proposals, decided })
    }

    /// Proposes a command. When this returns it is on disk and visible in [`Self::decided`].
    pub async fn propose(&self, command: Command) -> Result<Decision, Error> {
        let (answer, decision) = oneshot::channel();
        self.proposals.send(Proposal { command, answer }).await.map_err(|_| Error::Ending)?;
        decision.await.map_err(|_| Error::Ending)?
    }

    pub fn decided(&self) -> Arc<Decided> {
        self.decided.borrow().clone()
    }

    /// Tells of every change.
    pub fn changes(&self) -> watch::Receiver<Arc<Decided>> {
        self.decided.clone()
    }
}

/// Decides what waits together in one transaction: a sync of the disk costs as much for one as for
/// many.
fn decide_all(
    store: &mut Store,
    mut queue: mpsc::Receiver<Proposal>,
    publish: &watch::Sender<Arc<Decided>>,
) {
    while let Some(first) = queue.blocking_recv() {
        let mut batch = vec![first];
        while let Ok(next) = queue.try_recv() {
            batch.push(next);
        }
        decide(store, batch, publish);
    }
}

fn decide(store: &mut Store, batch: Vec<Proposal>, publish: &watch::Sender<Arc<Decided>>) {
    let mut decided = publish.borrow().as_ref().clone();
    let before = decided.index;
    let mut answers = Vec::new();
    let mut changed: Vec<(String, Option<Arc<Entry>>)> = Vec::new();
    for Proposal { command, answer } in batch {
        let result = match decided.apply(&command) {
            Ok(outcome) => {
                if outcome != Outcome::Same {
                    let unit = command.unit();
                    changed.push((unit.to_owned(), decided.units.get(unit).cloned()));
                }
                Ok(Decision { index: decided.index, outcome })
            }
            Err(refusal) => Err(Error::Refused(refusal)),
        };
        answers.push((answer, result));
    }
    let written = if decided.index == before { Ok(()) } else { store.write(&decided, &changed) };
    if written.is_ok() && decided.index != before {
        publish.send_replace(Arc::new(decided));
    }
    for (answer, result) in answers {
        let result = match (&written, result) {
            // What changes nothing needs no disk; it may build on what was not written, though.
            (Err(e), Ok(_)) => Err(of_store(e)),
            (_, result) => result,
        };
        // Whoever asked may be gone: the decision stands.
        let _ = answer.send(result);
    }
}

fn of_store(error: &store::Error) -> Error {
    Error::Store { message: error.to_string(), no_space: error.no_space() }
}
