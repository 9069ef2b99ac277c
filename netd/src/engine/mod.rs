//! The one writer: takes requests and news of the kernel one by one, decides with `core/`, and makes
//! the kernel match.
//!
//! It is a thread of its own, because the kernel's locks for links may make it wait, and neither the
//! name server nor the published ports shall wait with it. The order of an attachment is such that a
//! death at any point is repaired by the next start: the journal first, then the kernel, then the
//! reply.

mod apply;
mod attach;
mod detach;
mod diff;
mod networks;
mod parameters;
mod ports;
mod reaper;
mod repair;
mod services;
mod start;

pub use start::{Settings, StartError, Started, start};

use crate::core::difference;
use crate::core::ipam::Ipams;
use crate::core::ruleset::ruleset;
use crate::core::{Desired, Network, Record, failure};
use crate::dns::{Listeners, SharedZone};
use crate::link::Changed;
use crate::netlink::{Connection, Refused};
use crate::nft::Nftables;
use crate::pool::{Maker, Pool};
use crate::proxy::Proxies;
use crate::store::{Entry, Header, Journal, StoreError};
use netd_api::{
    Call, Counts, EndpointId, ErrorKind, Failure, Finding, NetworkStatus, OwnerName, Reply, Status,
};
use reaper::Reaper;
use std::collections::{BTreeMap, HashMap};
use std::os::fd::OwnedFd;
use std::sync::{Arc, mpsc};
use tokio::sync::oneshot;

/// A reply, and the descriptor that goes with it.
pub struct Answer {
    pub reply: Reply,
    pub descriptor: Option<Arc<OwnedFd>>,
}

impl Answer {
    fn plain(reply: Reply) -> Self {
        Self { reply, descriptor: None }
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        Self::plain(Reply::Failed(failure))
    }
}

/// What the engine is told.
pub enum News {
    Call(OwnerName, Call, oneshot::Sender<Answer>),
    /// Something about the host's links has changed that we did not do.
    Changed(Changed),
    /// Somebody else changed our nftables table.
    Touched,
    /// The reaper has deleted the links of this endpoint.
    Buried(EndpointId),
}

/// Gives the engine its news, from any thread.
pub type Inbox = mpsc::Sender<News>;

pub struct Engine {
    inbox: mpsc::Receiver<News>,
    header: Header,
    /// Index of the link with the host's own addresses.
    device: u32,
    /// The uplink's.
    mtu: u32,
    desired: Desired,
    ipams: Ipams,
    journal: Journal,
    /// Namespaces that were handed out since this start.
    held: HashMap<EndpointId, Arc<OwnedFd>>,
    /// For containers with and without IPv6; made when the first network needs it.
    pools: Vec<Pool>,
    /// How many namespaces each of them holds.
    pool_size: usize,
    maker: Maker,
    route: Connection,
    nft: Nftables,
    zone: SharedZone,
    listeners: Listeners,
    proxies: Proxies,
    /// Detached, and not yet taken out of the kernel.
    dying: Vec<Record>,
    /// Ports of the loopback addresses that are being given back.
    closing: Vec<mpsc::Receiver<()>>,
    reaper: Reaper,
    /// Groups of the links that are being deleted, by endpoint: no network gets such a group.
    reaping: BTreeMap<EndpointId, Vec<u32>>,
    /// What was found at the start and stays true.
    findings: Vec<Finding>,
}

impl Engine {
    /// Runs until nobody can give it news any more.
    pub fn run(mut self) {
        loop {
            let news = match self.inbox.try_recv() {
                Ok(news) => news,
                Err(mpsc::TryRecvError::Disconnected) => return,
                Err(mpsc::TryRecvError::Empty) => {
                    self.tidy();
                    match self.inbox.recv() {
                        Ok(news) => news,
                        Err(mpsc::RecvError) => return,
                    }
                }
            };
            match news {
                News::Call(owner, call, answer) => {
                    // An error means that the peer has gone; what it asked for is done all the same.
                    let _ = answer.send(self.handle(&owner, call));
                    self.pools.iter().for_each(Pool::refill);
                }
                News::Changed(changed) => self.link_changed(&changed),
                News::Touched => self.restore_table(),
                News::Buried(id) => {
                    self.reaping.remove(&id);
                }
            }
        }
    }

    fn handle(&mut self, owner: &OwnerName, call: Call) -> Answer {
        match call {
            Call::Attach { endpoint } => self.attach(owner, endpoint).unwrap_or_else(Answer::from),
            Call::Detach { id } => match self.detach(owner, &id) {
                Ok(()) => Answer::plain(Reply::Detached),
                Err(failure) => failure.into(),
            },
            Call::Apply { document } => match self.apply(owner, document) {
                Ok(missing) => Answer::plain(Reply::Applied { missing }),
                Err(failure) => failure.into(),
            },
            Call::PutService { service } => match self.put_service(owner, service) {
                Ok(()) => Answer::plain(Reply::ServicePut),
                Err(failure) => failure.into(),
            },
            Call::List => {
                let records = self.desired.endpoints.values();
                let endpoints = records.map(Record::endpoint).collect();
                Answer::plain(Reply::Endpoints { endpoints })
            }
            Call::Status => Answer::plain(Reply::Status(self.status())),
            Call::Diff => match self.difference() {
                Ok(differences) => Answer::plain(Reply::Difference { differences }),
                Err(e) => failure(ErrorKind::System, format!("look at the kernel: {e}")).into(),
            },
        }
    }

    fn status(&self) -> Status {
        let mut findings = self.findings.clone();
        findings.extend(self.listeners.findings());
        findings.extend(crate::findings::look(self.desired.has_ipv6()));
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            counts: Counts {
                endpoints: self.desired.endpoints.len(),
                ready: self.pools.iter().map(Pool::count).sum(),
                published: self.desired.published(),
                services: self.desired.services.len(),
                free_addresses: self.ipams.free_count(),
            },
            networks: self.desired.networks.values().map(|n| self.network_status(n)).collect(),
            findings,
        }
    }

    fn network_status(&self, network: &Network) -> NetworkStatus {
        let Network { name, owner, subnets, internal, .. } = network.clone();
        let endpoints = self.desired.on(&network.name).count();
        NetworkStatus { name, owner, subnets, internal, endpoints }
    }

    /// Makes our nftables table what it should be, whatever it is.
    fn replace_table(&mut self) -> Result<(), Refused> {
        self.nft.replace(
            &ruleset(&self.header.device, self.header.groups()),
            &difference::elements(&self.desired),
        )
    }

    /// Everything that the journal should say, after its header.
    fn entries(&self) -> Vec<Entry> {
        let own = &self.header.network.name;
        let others = self.desired.networks.values().filter(|network| network.name != *own);
        let remembered = self.ipams.remembered();
        let remembered = remembered.map(|(network, name, address)| {
            Entry::Remember(network.clone(), name.clone(), address)
        });
        let networks = others.cloned().map(Entry::Network);
        let records = self.desired.endpoints.values().cloned().map(Entry::Attach);
        let services = self.desired.services.values().cloned().map(Entry::Service);
        remembered.chain(networks).chain(records).chain(services).collect()
    }
}

/// A refusal of the kernel, in the words of a reply.
fn refused(verb: &str, id: &EndpointId, e: &Refused) -> Failure {
    failure(ErrorKind::System, format!("{verb} {id}: {e}"))
}

fn not_written(verb: &str, id: &EndpointId, e: &StoreError) -> Failure {
    failure(ErrorKind::System, format!("{verb} {id}: {e}"))
}
