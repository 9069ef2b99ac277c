//! What was decided: the order of changes and who has to agree to them.
//!
//! A [`raft`] group decides: a command is in the log of most of its members, on disk, before it
//! counts, and then changes [`Decided`]. A fleet of one is a group of one. When the disk fails the
//! group on this host ends and is started again from what is on disk; nothing that was answered is
//! lost, and what was published does not go back. What is decided is also the work of its
//! [`leader`]; [`news`] is what clients hear of it.

pub mod leader;
pub mod news;
pub mod raft;

use crate::core::decided::{self, Command, Decided, Outcome, Refusal};
use crate::core::machine_id::MachineId;
use crate::store::{self, Opened, Store};
use openraft::error::RaftError;
use raft::network::Nobody;
use raft::node::Node;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The handle that proposes and reads. Clones share one group.
#[derive(Clone)]
pub struct Consensus {
    group: watch::Receiver<State>,
    decided: watch::Receiver<Arc<Decided>>,
}

/// Of the group on this host.
#[derive(Clone)]
enum State {
    Runs(Node),
    /// It is started again as soon as that is possible.
    Failed(store::Error),
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
    /// Whether it was decided shows when the group is there again.
    #[error("{0}")]
    Store(store::Error),
    #[error("decide: this fleetd does not lead the fleet")]
    NotLeader,
    #[error("decide: fleetd is ending")]
    Ending,
}

/// Until a group that failed is started again; then as long after each attempt.
const REST: Duration = Duration::from_secs(1);

impl Consensus {
    /// Opens the database, or makes it with `new_machine_id`, and decides alone. It ends with the last
    /// handle.
    pub async fn start(path: &Path, new_machine_id: &str) -> Result<(Self, Opened), String> {
        let (store, opened) = Store::open(path, new_machine_id).map_err(|e| e.to_string())?;
        let id: MachineId = opened.machine_id.parse()?;
        let (publish, decided) = watch::channel(Arc::new(store.decided.clone()));
        let node = start(store, id, publish.clone()).await?;
        let (show, group) = watch::channel(State::Runs(node.clone()));
        tokio::spawn(keep(Host { path: path.to_owned(), id, publish, show }, node));
        Ok((Self { group, decided }, opened))
    }

    /// Proposes a command. When this returns it is on disk and visible in [`Self::decided`].
    pub async fn propose(&self, command: Command) -> Result<Decision, Error> {
        let state = self.group.borrow().clone();
        let node = match state {
            State::Runs(node) => node,
            State::Failed(error) => return Err(Error::Store(error)),
        };
        let applied = match node.raft.client_write(command).await {
            Ok(response) => response.data,
            Err(RaftError::APIError(_)) => return Err(Error::NotLeader),
            Err(RaftError::Fatal(_)) => return Err(self.why_failed(&node).await),
        };
        match applied.result {
            Some(Ok(outcome)) => Ok(Decision { index: applied.index, outcome }),
            Some(Err(refusal)) => Err(Error::Refused(refusal)),
            None => Err(Error::Ending),
        }
    }

    async fn why_failed(&self, node: &Node) -> Error {
        let mut group = self.group.clone();
        let other = group.wait_for(|state| !matches!(state, State::Runs(now) if now.is(node)));
        match other.await.as_deref() {
            Ok(State::Failed(error)) => Error::Store(error.clone()),
            Ok(State::Runs(_)) | Err(_) => Error::Ending,
        }
    }

    /// A fleet has at least this host.
    pub async fn join(&self, machine: MachineId) -> Result<(), Error> {
        if self.decided().machines.contains_key(&machine) {
            return Ok(());
        }
        let join = decided::machine::Command::Join { machine, address: String::new() };
        self.propose(join.into()).await.map(|_| ())
    }

    /// A copy of the database that was put in its place knows less than this host has obeyed: what is
    /// decided from here on is to be newer than that.
    pub async fn rise_above(&self, obeyed: u64) -> Result<(), Error> {
        let known = self.decided().index;
        if obeyed <= known {
            return Ok(());
        }
        tracing::warn!(
            "the database is at {known} and this host at {obeyed}: it holds from here on"
        );
        self.propose(Command::Raise { above: obeyed }).await.map(|_| ())
    }

    pub fn decided(&self) -> Arc<Decided> {
        self.decided.borrow().clone()
    }

    /// Tells of every change.
    pub fn changes(&self) -> watch::Receiver<Arc<Decided>> {
        self.decided.clone()
    }
}

async fn start(
    store: Store,
    id: MachineId,
    publish: watch::Sender<Arc<Decided>>,
) -> Result<Node, String> {
    let node = Node::start(store, id, Nobody, publish).await?;
    node.found(id).await?;
    node.lead_alone().await?;
    Ok(node)
}

/// What the task that keeps the group going needs.
struct Host {
    path: PathBuf,
    id: MachineId,
    publish: watch::Sender<Arc<Decided>>,
    show: watch::Sender<State>,
}

async fn keep(host: Host, mut node: Node) {
    loop {
        let reason = tokio::select! {
            reason = node.failed() => reason,
            () = host.show.closed() => return end(node).await,
        };
        tracing::warn!("decide: {reason}; it is tried again");
        host.show.send_replace(State::Failed(node.error(&host.path)));
        end(node).await;
        node = loop {
            tokio::select! {
                () = tokio::time::sleep(REST) => {}
                () = host.show.closed() => return,
            }
            match again(&host).await {
                Ok(node) => break node,
                Err(error) => tracing::warn!("{error}"),
            }
        };
        tracing::info!("decide: the disk can be written again");
        host.show.send_replace(State::Runs(node.clone()));
    }
}

async fn again(host: &Host) -> Result<Node, String> {
    let path = host.path.clone();
    let store = tokio::task::spawn_blocking(move || Store::reopen(&path)).await;
    let store = store.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
    start(store, host.id, host.publish.clone()).await
}

/// Lets go of the database.
async fn end(node: Node) {
    // It may have failed already.
    let _ = node.raft.shutdown().await;
}

#[cfg(test)]
mod tests;
