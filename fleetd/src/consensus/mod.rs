//! What was decided: the order of changes and who has to agree to them.
//!
//! A [`raft`] group decides: a command is in the log of most of its members, on disk, before it
//! counts, and then changes [`Decided`]. A fleet of one is a group of one. When the disk fails the
//! group on this host ends and is started again from what is on disk; nothing that was answered is
//! lost, and what was published does not go back. What is decided is also the work of its
//! [`leader`]; [`news`] is what clients hear of it, [`full`] what becomes of it where disks are full.

pub mod full;
pub mod leader;
pub mod news;
mod opening;
pub mod raft;
pub mod voters;

use crate::blocking::blocking;
use crate::core::decided::{self, Command, Decided, Outcome, Refusal};
use crate::core::disk::Disk;
use crate::core::machine_id::MachineId;
use crate::store::space::Space;
use crate::store::{self, Opened, Store};
pub use opening::until_there_is_room;
use openraft::error::{ClientWriteError, RaftError};
use openraft::{Raft, RaftMetrics};
use raft::network::{Nobody, Wire};
use raft::node::Node;
use raft::{Group, LogId, Voter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The handle that proposes and reads. Clones share one group.
#[derive(Clone)]
pub struct Consensus {
    id: MachineId,
    group: watch::Receiver<State>,
    decided: watch::Receiver<Arc<Decided>>,
    disk: watch::Receiver<Disk>,
    /// Whether most of the voters have used up their reserves: by [`full`].
    others: Arc<watch::Sender<bool>>,
}

/// How this host is in the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// It is the group, for as long as nobody joins.
    Alone,
    /// As its members have decided; a host that is new waits for them.
    Member,
}

impl Form {
    /// What to do about a database that cannot be read.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Alone => {
                "put a copy of a backup in its place, or move the file away and submit the units again"
            }
            // An earlier copy does not know how this host has voted since.
            Self::Member => {
                "on another host: fleetctl remove-machine this one, then let it join with a new state \
                 directory"
            }
        }
    }
}

type Metrics = RaftMetrics<MachineId, Voter>;

/// Of the group on this host.
#[derive(Clone)]
enum State {
    Starts,
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
    /// With the one that does, as far as is known.
    /// Who has to write it down could not.
    #[error(
        "decide: {0} full: only what ends or removes something is decided until there is space again"
    )]
    Full(&'static str),
    #[error("decide: this fleetd does not lead the fleet")]
    NotLeader(Option<MachineId>),
    #[error("decide: most of the voters do not answer; it may have been decided all the same")]
    NoQuorum,
    #[error("decide: fleetd is ending")]
    Ending,
}

/// Until a group that failed is started again; then as long after each attempt.
const REST: Duration = Duration::from_secs(1);
/// Longer than the others wait before they elect another leader, twice.
const MAKES_WAY: Duration = Duration::from_secs(4);
/// A decision takes no longer where most of the voters are there.
const DECIDED: Duration = Duration::from_secs(10);
/// A leader that has not heard of most of the voters for so long may be none any more.
const LEADS: Duration = Duration::from_secs(2);
/// How often that is looked at while nothing else tells of it.
const LOOK: Duration = Duration::from_millis(500);

impl Consensus {
    /// Opens the database, or makes it with `new_machine_id`, and decides alone. It ends with the last
    /// handle.
    pub async fn start(path: &Path, new_machine_id: &str) -> Result<(Self, Opened), String> {
        Self::start_by(path, new_machine_id, Nobody, Form::Alone).await
    }

    /// The same as one of a group, whose other members are reached by `wire`.
    pub async fn start_by<W: Wire>(
        path: &Path,
        new_machine_id: &str,
        wire: W,
        form: Form,
    ) -> Result<(Self, Opened), String> {
        let space = Space::of(path);
        let (store, opened) = opening::open(path, new_machine_id, (form, &space)).await?;
        let id: MachineId = opened.machine_id.parse()?;
        let (publish, decided) = watch::channel(Arc::new(store.decided.clone()));
        let (show, group) = watch::channel(State::Starts);
        let disk = space.subscribe();
        tokio::spawn(space.clone().look_after());
        let host = Host { path: path.to_owned(), id, publish, show, wire, form, space };
        let node = host.start(store).await?;
        host.show.send_replace(State::Runs(node.clone()));
        tokio::spawn(keep(host, node));
        Ok((Self { id, group, decided, disk, others: Arc::default() }, opened))
    }

    /// Proposes a command. When this returns it is on disk and visible in [`Self::decided`].
    pub async fn propose(&self, command: Command) -> Result<Decision, Error> {
        if command.grows() && self.leads() {
            self.has_room()?;
        }
        let state = self.group.borrow().clone();
        let node = match state {
            State::Runs(node) => node,
            State::Failed(error) => return Err(Error::Store(error)),
            State::Starts => return Err(Error::NotLeader(None)),
        };
        let write = tokio::time::timeout(DECIDED, node.raft.client_write(command));
        let applied = match write.await.map_err(|_| Error::NoQuorum)? {
            Ok(response) => response.data,
            Err(RaftError::APIError(error)) => {
                let leader = match error {
                    ClientWriteError::ForwardToLeader(to) => to.leader_id,
                    ClientWriteError::ChangeMembershipError(_) => None,
                };
                return Err(Error::NotLeader(leader));
            }
            Err(RaftError::Fatal(_)) => return Err(self.why_failed(&node).await),
        };
        match applied.result {
            Some(Ok(outcome)) => Ok(Decision { index: applied.index, outcome }),
            Some(Err(refusal)) => Err(Error::Refused(refusal)),
            None => Err(Error::Ending),
        }
    }

    fn has_room(&self) -> Result<(), Error> {
        match () {
            () if self.disk() == Disk::ReserveUsed => {
                Err(Error::Full("the disk of the host that leads is"))
            }
            () if *self.others.borrow() => Err(Error::Full("the disks of most voters are")),
            () => Ok(()),
        }
    }

    /// How full the disk below the database is.
    pub fn disk(&self) -> Disk {
        *self.disk.borrow()
    }

    /// Tells whenever that changes.
    pub fn disks(&self) -> watch::Receiver<Disk> {
        self.disk.clone()
    }

    async fn why_failed(&self, node: &Node) -> Error {
        let mut group = self.group.clone();
        let other = group.wait_for(|state| !matches!(state, State::Runs(now) if now.is(node)));
        match other.await.as_deref() {
            Ok(State::Failed(error)) => Error::Store(error.clone()),
            Ok(State::Starts | State::Runs(_)) | Err(_) => Error::Ending,
        }
    }

    /// The group's present run; none while it is started again.
    pub fn raft(&self) -> Option<Raft<Group>> {
        match &*self.group.borrow() {
            State::Runs(node) => Some(node.raft.clone()),
            State::Starts | State::Failed(_) => None,
        }
    }

    /// Of the newest entry of the log, decided or not: of two members the one with the greater has all
    /// that the other may have acknowledged.
    pub fn last_log_id(&self) -> Option<LogId> {
        match &*self.group.borrow() {
            State::Runs(node) => node.log.last(),
            State::Starts | State::Failed(_) => None,
        }
    }

    /// Who leads, as far as this host knows. A leader that has not heard of most of the voters does
    /// not say so of itself.
    pub fn leader(&self) -> Option<MachineId> {
        leader_by(&self.raft()?.metrics().borrow())
    }

    pub fn leads(&self) -> bool {
        self.leader() == Some(self.id)
    }

    /// Whether a host is one of the group, as voter or learner.
    pub fn has_member(&self, machine: MachineId) -> bool {
        self.raft().is_some_and(|raft| {
            let metrics = raft.metrics();
            let metrics = metrics.borrow();
            metrics.membership_config.nodes().any(|(id, _)| *id == machine)
        })
    }

    /// Whether a host is a voter of the group now.
    pub fn has_voter(&self, machine: MachineId) -> bool {
        self.raft().is_some_and(|raft| {
            let metrics = raft.metrics();
            let metrics = metrics.borrow();
            metrics.membership_config.membership().voter_ids().any(|id| id == machine)
        })
    }

    /// Until this host leads. False: fleetd ends.
    pub async fn wait_leads(&self) -> bool {
        self.wait_leader(|leader| leader == Some(self.id)).await.is_some()
    }

    /// Until it does not lead any more.
    pub async fn leads_not(&self) {
        self.wait_leader(|leader| leader != Some(self.id)).await;
    }

    /// Until the leader is such a one; none: fleetd ends.
    pub async fn wait_leader(
        &self,
        is: impl Fn(Option<MachineId>) -> bool,
    ) -> Option<Option<MachineId>> {
        let mut group = self.group.clone();
        loop {
            let raft = match &*group.borrow_and_update() {
                State::Runs(node) => Some(node.raft.clone()),
                State::Starts | State::Failed(_) => None,
            };
            let mut metrics = raft.map(|raft| raft.metrics());
            let leader = metrics.as_mut().and_then(|m| leader_by(&m.borrow_and_update()));
            if is(leader) {
                return Some(leader);
            }
            let changed = async {
                let changed = match &mut metrics {
                    Some(metrics) => metrics.changed().await.is_ok(),
                    None => false,
                };
                if !changed {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                changed = group.changed() => changed.ok()?,
                () = changed => {}
                // That nobody answers is told by nothing.
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// A fleet has at least this host.
    pub async fn join(&self, machine: MachineId) -> Result<(), Error> {
        if self.decided().machines.contains_key(&machine) {
            return Ok(());
        }
        let join = decided::machine::Command::Join { machine, address: String::new(), key: None };
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

    /// The decided facts, with all that was acknowledged anywhere before this was asked: most of the
    /// voters have answered since. None: this host does not lead.
    pub async fn newest(&self) -> Option<Arc<Decided>> {
        let raft = self.raft()?;
        let heard = async {
            raft.ensure_linearizable().await.ok()?;
            // A leader that was restarted leads on at once, and openraft 0.9 takes for decided what was
            // so when it last wrote that down. All that was acknowledged is in its log.
            let last = self.last_log_id()?.index;
            raft.wait(None)
                .applied_index_at_least(Some(last), "the leader's log is applied")
                .await
                .ok()
        };
        tokio::time::timeout(DECIDED, heard).await.ok()??;
        Some(self.decided())
    }

    /// Tells of every change.
    pub fn changes(&self) -> watch::Receiver<Arc<Decided>> {
        self.decided.clone()
    }
}

fn leader_by(metrics: &Metrics) -> Option<MachineId> {
    let leader = metrics.current_leader?;
    let quorum = metrics.millis_since_quorum_ack.map(Duration::from_millis);
    let is_heard = leader != metrics.id || quorum.is_some_and(|since| since < LEADS);
    is_heard.then_some(leader)
}

/// What the task that keeps the group going needs.
struct Host<W> {
    path: PathBuf,
    id: MachineId,
    publish: watch::Sender<Arc<Decided>>,
    show: watch::Sender<State>,
    wire: W,
    form: Form,
    space: Space,
}

impl<W: Wire> Host<W> {
    async fn start(&self, store: Store) -> Result<Node, String> {
        let (id, publish) = (self.id, self.publish.clone());
        let node = Node::start(store, id, self.wire.clone(), publish).await?;
        if self.form == Form::Alone {
            node.found(id).await?;
        }
        if node.is_alone(id).await? {
            node.lead_alone().await?;
        }
        Ok(node)
    }

    async fn again(&self) -> Result<Node, String> {
        let path = self.path.clone();
        let store = blocking(move || Store::reopen(&path)).await;
        let store = store.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
        self.start(store).await
    }
}

async fn keep<W: Wire>(host: Host<W>, mut node: Node) {
    // A disk that stays full is told of once.
    let mut said = None;
    loop {
        let reason = tokio::select! {
            reason = node.failed() => reason,
            () = host.show.closed() => return end(node).await,
        };
        if said.as_ref() != Some(&reason) {
            tracing::warn!("decide: {reason}; it is tried again");
        }
        said = Some(reason);
        let error = node.error(&host.path);
        host.show.send_replace(State::Failed(error.clone()));
        end(node).await;
        if error.no_space() {
            host.space.give_up_reserve();
        }
        // A leader that comes back at once leads on: the others are to have elected one of them.
        let makes_way = error.no_space() && host.form == Form::Member;
        let mut rest = if makes_way { MAKES_WAY } else { REST };
        node = loop {
            tokio::select! {
                () = tokio::time::sleep(std::mem::replace(&mut rest, REST)) => {}
                () = host.show.closed() => return,
            }
            match host.again().await {
                Ok(node) => break node,
                Err(error) => tracing::warn!("{error}"),
            }
        };
        tracing::debug!("decide: the group of this host runs again");
        host.show.send_replace(State::Runs(node.clone()));
    }
}

/// Lets go of the database.
async fn end(node: Node) {
    // It may have failed already.
    let _ = node.raft.shutdown().await;
}

#[cfg(test)]
mod tests;
