//! foca's packets as bytes (postcard), and what is to be noticed while they are read and written.

use super::node::Node;
use super::reason::{Dropped, Reason};
use super::record::LEAP;
use crate::core::machine_id::MachineId;
use foca::{Codec, Header, Incarnation, Member, PostcardCodec, State};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the codec has to know, and what it noticed.
#[derive(Debug)]
pub(super) struct Noticed {
    pub(super) own: Node,
    /// Whether it takes it that it is down: only so often in a time, or two machines with one id
    /// would chase each other for ever.
    pub(super) may_renew: bool,
    /// The hosts that have a place with the life that they are in, and how many there may be.
    pub(super) known: BTreeMap<MachineId, u64>,
    pub(super) max_hosts: usize,
    /// foca writes a member when it has accepted news about it (or answers who there is): members
    /// may have changed.
    pub(super) members: bool,
    /// A second machine that uses this host's id.
    pub(super) twin: Option<SocketAddr>,
    /// A life of this host that is later than the one it is in: its store is younger than what the
    /// others remember.
    pub(super) later_life: Option<u64>,
    refused: bool,
    pub(super) dropped: Dropped,
}

pub(super) type Notes = Arc<Mutex<Noticed>>;

/// The codec of one host.
#[derive(Clone)]
pub(super) struct Wire(pub(super) Notes);

#[derive(Debug)]
pub(super) enum Unreadable {
    Bytes(postcard::Error),
    /// It tells of this host what it knows better, or of one host too many.
    Unbelievable,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(cause) => write!(f, "read a packet: {cause}"),
            Self::Unbelievable => f.write_str("read a packet: it tells what cannot be"),
        }
    }
}

impl std::error::Error for Unreadable {}

impl Noticed {
    pub(super) fn new(own: Node, max_hosts: usize) -> Self {
        Self {
            own,
            may_renew: true,
            known: BTreeMap::new(),
            max_hosts,
            members: false,
            twin: None,
            later_life: None,
            refused: false,
            dropped: Dropped::default(),
        }
    }

    pub(super) fn take(&mut self) -> News {
        News {
            members: std::mem::take(&mut self.members),
            twin: self.twin.take(),
            later_life: self.later_life.take(),
        }
    }

    /// Whether news was refused since this was last asked.
    pub(super) fn take_refusal(&mut self) -> bool {
        std::mem::take(&mut self.refused)
    }

    pub(super) fn has_room(&self, host: MachineId) -> bool {
        self.known.len() < self.max_hosts || self.known.contains_key(&host)
    }

    /// Whether a life is further from the last one that is known than starts of fleetd bring it: behind
    /// the last number there is none.
    pub(super) fn is_leap(&self, said: &Node) -> bool {
        let known = match said.host == self.own.host {
            true => self.own.life,
            false => self.known.get(&said.host).copied().unwrap_or(0),
        };
        said.life > known.saturating_add(LEAP)
    }

    /// Whether news about a host may be true.
    fn believes(&mut self, member: &Member<Node>) -> bool {
        let said = member.id();
        if self.is_leap(said) {
            return false;
        }
        if said.host != self.own.host {
            return self.has_room(said.host);
        }
        if !said.outranks(&self.own) {
            // Either makes it come back under a new identity: the highest incarnation has no refutation.
            let renews = member.state() == State::Down
                || member.state() == State::Suspect && member.incarnation() == Incarnation::MAX;
            return *said != self.own || !renews || self.may_renew;
        }
        if said.address == self.own.address {
            self.later_life = self.later_life.max(Some(said.life));
        } else {
            self.twin = Some(said.address);
        }
        false
    }
}

/// What is to be acted upon, taken once.
pub(super) struct News {
    pub(super) members: bool,
    pub(super) twin: Option<SocketAddr>,
    pub(super) later_life: Option<u64>,
}

pub(super) fn note(notes: &Notes) -> MutexGuard<'_, Noticed> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Codec<Node> for Wire {
    type Error = Unreadable;

    fn encode_header(
        &mut self,
        header: &Header<Node>,
        buf: impl bytes::BufMut,
    ) -> Result<(), Unreadable> {
        PostcardCodec.encode_header(header, buf).map_err(Unreadable::Bytes)
    }

    fn decode_header(&mut self, buf: impl bytes::Buf) -> Result<Header<Node>, Unreadable> {
        PostcardCodec.decode_header(buf).map_err(Unreadable::Bytes)
    }

    fn encode_member(
        &mut self,
        member: &Member<Node>,
        buf: impl bytes::BufMut,
    ) -> Result<(), Unreadable> {
        note(&self.0).members = true;
        PostcardCodec.encode_member(member, buf).map_err(Unreadable::Bytes)
    }

    fn decode_member(&mut self, buf: impl bytes::Buf) -> Result<Member<Node>, Unreadable> {
        let member = PostcardCodec.decode_member(buf).map_err(Unreadable::Bytes)?;
        let mut notes = note(&self.0);
        if notes.believes(&member) {
            return Ok(member);
        }
        notes.refused = true;
        notes.dropped.count(Reason::Unbelievable);
        Err(Unreadable::Unbelievable)
    }
}
