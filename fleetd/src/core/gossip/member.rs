//! What is known about the other hosts.

use super::node::Node;
use crate::core::machine_id::MachineId;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// What the rest of fleetd acts upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Alive,
    /// It does not answer datagrams. It may be dead, or only its datagrams are lost.
    Suspected,
    /// It answers neither datagrams, to nobody, nor the reliable check of this host.
    Dead,
    /// It said that it leaves.
    Left,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub node: Node,
    pub state: State,
    /// Since when it is in this state, on the clock that this host has lived through.
    pub since: Duration,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Joined(MachineId),
    /// It is in another life than before, and nobody had taken it for dead meanwhile.
    Restarted(MachineId),
    Suspected(MachineId),
    /// It was suspected, and answers.
    Cleared(MachineId),
    Dead(MachineId),
    /// It was dead or had left, and is there again.
    Returned(MachineId),
    Left(MachineId),
    /// It was dead for so long that nothing is kept about it.
    Forgotten(MachineId),
    Record(super::record::Key),
    /// Two machines use the id of a host, which may be this one: one of them is at this address.
    Twin(MachineId, SocketAddr),
    /// The others call this host down as often as it comes back: most likely a second machine uses
    /// its id, in a later life.
    Outdone,
    /// A host knows of a later generation of the fleet than this one.
    Generation(u64),
}

/// How far the reliable check of a suspected host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// It has not begun.
    None,
    /// Its number.
    Runs(u64),
    Answered,
    Failed(Duration),
}

#[derive(Debug, Clone)]
pub(super) struct Tracked {
    pub(super) node: Node,
    pub(super) incarnation: foca::Incarnation,
    /// What foca says; [`Tracked::state`] is what we make of it.
    pub(super) swim: foca::State,
    pub(super) state: State,
    pub(super) since: Duration,
    pub(super) check: Check,
    /// Whether it is this host's own probe that it did not answer.
    pub(super) told: bool,
}

impl Tracked {
    pub(super) fn new(member: &foca::Member<Node>, now: Duration) -> Self {
        Self {
            node: member.id().clone(),
            incarnation: member.incarnation(),
            swim: member.state(),
            state: State::Alive,
            since: now,
            check: Check::None,
            told: false,
        }
    }

    pub(super) fn is(&self, member: &foca::Member<Node>) -> bool {
        self.node == *member.id()
            && self.incarnation == member.incarnation()
            && self.swim == member.state()
    }

    pub(super) fn enter(&mut self, state: State, now: Duration) {
        if self.state != state {
            self.state = state;
            self.since = now;
        }
    }

    pub(super) fn member(&self) -> Member {
        Member { node: self.node.clone(), state: self.state, since: self.since }
    }
}

pub(super) type Members = BTreeMap<MachineId, Tracked>;
