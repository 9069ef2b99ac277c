//! What the rest of fleetd holds of the gossip.

use super::stream;
use crate::core::gossip::exchange::Knowledge;
use crate::core::gossip::packet::Secret;
use crate::core::gossip::{Dropped, Event, Key, Kind, Member, Node, Record, Shared, Version, lock};
use crate::core::machine_id::MachineId;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};

/// A push-pull may take as long, whoever began it.
pub(super) const PUSH_PULL: Duration = Duration::from_secs(20);
/// Push-pulls of others that are answered at once.
pub(super) const SERVED: usize = 16;

/// Who is there.
#[derive(Debug, Clone)]
pub struct Seen {
    /// This host, as the others know it.
    pub own: Node,
    /// The other hosts.
    pub members: BTreeMap<MachineId, Member>,
    pub(super) present: Vec<(Node, u16)>,
}

pub(super) enum Command {
    Join(Vec<Node>),
    Write { kind: Kind, name: String, value: Option<Vec<u8>> },
    WriteSet { host: MachineId, version: Version, value: Vec<u8> },
    Listeners(Vec<MachineId>),
    Heard(Vec<(Node, u16)>),
    Keys { generation: u64, secrets: Vec<Secret> },
    Signers(Vec<String>),
    Dropped(oneshot::Sender<Dropped>),
    Leave(oneshot::Sender<()>),
}

/// Of a gossip that runs until the last handle is dropped, or it has left.
#[derive(Clone)]
pub struct Handle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) seen: watch::Receiver<Arc<Seen>>,
    pub(super) events: broadcast::Sender<Event>,
    pub(super) records: Shared,
    pub(super) served: Arc<Semaphore>,
}

impl Handle {
    /// Hosts of the fleet to find. Their lives and renewals do not matter.
    pub async fn join(&self, nodes: Vec<Node>) {
        self.command(Command::Join(nodes)).await;
    }

    /// Writes a record about this host. Sent only if it differs from the one that there is.
    pub async fn write(&self, kind: Kind, name: &str, value: &[u8]) {
        let (name, value) = (name.to_owned(), Some(value.to_vec()));
        self.command(Command::Write { kind, name, value }).await;
    }

    pub async fn delete(&self, kind: Kind, name: &str) {
        self.command(Command::Write { kind, name: name.to_owned(), value: None }).await;
    }

    /// For voters: the digest of a host's assignment set, as of (generation, index). The host itself
    /// is told at once, by a packet of its own.
    pub async fn write_set(&self, host: MachineId, version: Version, value: &[u8]) {
        self.command(Command::WriteSet { host, version, value: value.to_vec() }).await;
    }

    /// Who is told at once, by a packet of its own, of every record that this host writes about
    /// itself: the voters. Of more than 16 the first ones.
    pub async fn set_listeners(&self, hosts: Vec<MachineId>) {
        self.command(Command::Listeners(hosts)).await;
    }

    /// Other keys: the first one seals, all open. And the generation that this host knows of.
    pub async fn set_keys(&self, generation: u64, secrets: Vec<Secret>) {
        self.command(Command::Keys { generation, secrets }).await;
    }

    /// Whose signatures make the digest of a set one: 64 hex digits each. Before it is said all are taken.
    pub async fn set_signers(&self, keys: impl Iterator<Item = &str>) {
        self.command(Command::Signers(keys.map(str::to_owned).collect())).await;
    }

    /// Tells the others that this host leaves on purpose, and ends.
    pub async fn leave(&self) {
        let (done, ended) = oneshot::channel();
        self.command(Command::Leave(done)).await;
        // An end in between is the end, too.
        let _ = ended.await;
    }

    /// Who is there, now and whenever it changes.
    pub fn seen(&self) -> watch::Receiver<Arc<Seen>> {
        self.seen.clone()
    }

    /// What happens from now on. Who is too slow is told that it missed some, and looks at
    /// [`Handle::seen`] and [`Handle::records`] again.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    pub fn record(&self, key: &Key) -> Option<(Version, Arc<[u8]>)> {
        lock(&self.records).value(key)
    }

    /// All records of a kind, by host and name; of one host if it is given.
    pub fn records(&self, host: Option<MachineId>, kind: Kind) -> Vec<Record> {
        let records = lock(&self.records);
        match host {
            Some(host) => records.of_host(host, kind).collect(),
            None => records.of_kind(kind).collect(),
        }
    }

    /// What was dropped since the start; none: it has ended.
    pub async fn dropped(&self) -> Option<Dropped> {
        let (to, dropped) = oneshot::channel();
        self.command(Command::Dropped(to)).await;
        dropped.await.ok()
    }

    /// Answers another host on a stream that it has opened, until it closes it. The caller has made
    /// sure that it is a host of this fleet.
    pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&self, mut stream: S) -> io::Result<()> {
        let knowledge = self.knowledge();
        let answered = stream::answer(&mut stream, &knowledge, &self.served);
        let late = |_| io::Error::from(io::ErrorKind::TimedOut);
        let heard = tokio::time::timeout(PUSH_PULL, answered).await.map_err(late)??;
        // Also without anybody new: records may have come, and wait to be seen.
        self.command(Command::Heard(heard)).await;
        Ok(())
    }

    fn knowledge(&self) -> Knowledge {
        let seen = self.seen.borrow();
        Knowledge {
            own: seen.own.clone(),
            members: seen.present.clone(),
            records: Arc::clone(&self.records),
            peer: None,
        }
    }

    async fn command(&self, command: Command) {
        // After the end there is nobody to be told.
        let _ = self.commands.send(command).await;
    }
}
