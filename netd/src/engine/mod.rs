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
mod reaper;
mod repair;
mod start;

pub use start::{Settings, StartError, Started, start};

use crate::core::ipam::Ipam;
use crate::core::plan;
use crate::core::ruleset::{Element, ruleset};
use crate::core::{Desired, Network, Record, failure};
use crate::dns::SharedZone;
use crate::link::Gone;
use crate::netlink::{Connection, Refused};
use crate::nft::Nftables;
use crate::pool::{Pool, Target};
use crate::proxy::Proxies;
use crate::store::{Header, Journal, StoreError};
use netd_api::{Call, Counts, EndpointId, ErrorKind, Failure, Finding, Reply, Status};
use reaper::Reaper;
use std::collections::HashMap;
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
    Call(Call, oneshot::Sender<Answer>),
    /// A link of the host has disappeared.
    Gone(Gone),
    /// Somebody else changed our nftables tables.
    Touched,
    /// The reaper has deleted the link with this index.
    Buried(u32),
}

/// Gives the engine its news, from any thread.
pub type Inbox = mpsc::Sender<News>;

pub struct Engine {
    inbox: mpsc::Receiver<News>,
    network: Network,
    header: Header,
    target: Target,
    desired: Desired,
    ipam: Ipam,
    journal: Journal,
    /// Namespaces that were handed out since this start.
    held: HashMap<EndpointId, Arc<OwnedFd>>,
    pool: Pool,
    route: Connection,
    nft: Nftables,
    zone: SharedZone,
    proxies: Proxies,
    /// Detached, and not yet taken out of the kernel.
    dying: Vec<Record>,
    /// Ports of 127.0.0.1 that are being given back.
    closing: Vec<mpsc::Receiver<()>>,
    reaper: Reaper,
    /// Links that are being deleted: their elements in `ports` stay until then.
    reaping: Vec<u32>,
    /// Links that have been deleted; their elements are left.
    buried: Vec<u32>,
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
                News::Call(call, answer) => {
                    // An error means that the peer has gone; what it asked for is done all the same.
                    let _ = answer.send(self.handle(call));
                    self.pool.refill();
                }
                News::Gone(gone) => self.link_gone(&gone),
                News::Touched => self.restore_tables(),
                News::Buried(index) => self.buried.push(index),
            }
        }
    }

    /// Remembers something that an operator should know, for as long as this process runs.
    pub fn find(&mut self, finding: Finding) {
        crate::say::say(&finding.message);
        self.findings.push(finding);
    }

    fn handle(&mut self, call: Call) -> Answer {
        match call {
            Call::Attach { endpoint } => self.attach(endpoint).unwrap_or_else(Answer::from),
            Call::Detach { id } => match self.detach(&id) {
                Ok(()) => Answer::plain(Reply::Detached),
                Err(failure) => failure.into(),
            },
            Call::Apply { document } => match self.apply(document) {
                Ok(missing) => Answer::plain(Reply::Applied { missing }),
                Err(failure) => failure.into(),
            },
            Call::List => {
                let records = self.desired.endpoints.values();
                let endpoints = records.map(|r| r.endpoint(&self.network)).collect();
                Answer::plain(Reply::Endpoints { endpoints })
            }
            Call::Status => Answer::plain(Reply::Status(self.status())),
        }
    }

    fn status(&self) -> Status {
        let mut findings = self.findings.clone();
        findings.extend(crate::findings::look());
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            counts: Counts {
                endpoints: self.desired.endpoints.len(),
                ready: self.pool.count(),
                published: self.desired.published(),
                free_addresses: self.ipam.free_count(),
            },
            findings,
        }
    }

    /// Every element that the sets should have.
    fn elements(&self) -> Vec<Element> {
        let records = self.desired.endpoints.values();
        let mut elements: Vec<Element> = records.flat_map(plan::elements).collect();
        elements.extend(self.reaping.iter().map(|index| Element::Port { index: *index }));
        elements
    }

    /// Makes our nftables tables what they should be, whatever they are.
    fn replace_tables(&mut self) -> Result<(), Refused> {
        self.nft.replace(&ruleset(&self.network), &self.elements())
    }
}

/// A refusal of the kernel, in the words of a reply.
fn refused(verb: &str, id: &EndpointId, e: &Refused) -> Failure {
    failure(ErrorKind::System, format!("{verb} {id}: {e}"))
}

fn not_written(verb: &str, id: &EndpointId, e: &StoreError) -> Failure {
    failure(ErrorKind::System, format!("{verb} {id}: {e}"))
}
