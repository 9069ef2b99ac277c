//! What goes into the state machine and what comes out of it.

use super::member::Event;
use super::node::Node;
use super::record::{Kind, Version};
use crate::core::machine_id::MachineId;
use std::net::SocketAddr;
use std::time::Duration;

/// What happens to a host.
#[derive(Debug)]
pub enum Input<'a> {
    /// It is time: after [`Turn::wake`] at the latest.
    Wake,
    /// A datagram that was opened, and the generation of its sender.
    Packet {
        packet: &'a [u8],
        generation: u64,
    },
    /// Hosts of the fleet that this host shall find. Their lives need not be known (0).
    Join(Vec<Node>),
    /// The end of [`Output::Check`]: as whom the host answered; none: it did not. No end is waited
    /// for beyond the time of the check.
    Checked {
        number: u64,
        answer: Option<Node>,
    },
    /// Hosts that a push-pull has told of, with their incarnations.
    Heard(Vec<(Node, u16)>),
    /// The end of [`Output::Sync`], good or bad.
    Synced(MachineId),
    /// This host writes a record about itself; none: deletes it. What is written by several inputs in
    /// a row is told together, with the next input of another kind.
    Write {
        kind: Kind,
        name: &'a str,
        value: Option<&'a [u8]>,
    },
    /// A voter writes the digest of a host's assignment set.
    WriteSet {
        host: MachineId,
        version: Version,
        value: &'a [u8],
    },
    /// Who is told at once of what this host writes about itself: 16 at most.
    /// Whose signatures make the digest of a set one: 64 hex digits each.
    Signers(Vec<String>),
    Listeners(Vec<MachineId>),
    /// This host leaves on purpose. Nothing else is done afterwards.
    Leave,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// To be sealed and sent. It may be lost.
    Send {
        to: SocketAddr,
        packet: Vec<u8>,
    },
    /// Ask a host over a reliable stream who it is now. The answer must come from its fleetd, not
    /// from its kernel.
    Check {
        number: u64,
        node: Node,
        within: Duration,
    },
    /// Compare records with a host over a reliable stream.
    Sync(Node),
    Event(Event),
}

/// What follows from one input.
#[derive(Debug, Default)]
pub struct Turn {
    pub outputs: Vec<Output>,
    /// In how long it wants to be woken at the latest.
    pub wake: Duration,
    /// Whether [`Gossip::members`] has changed.
    pub members: bool,
}

/// What is to happen at a time.
#[derive(Debug)]
pub(super) enum Timer {
    Foca(foca::Timer<Node>),
    /// Asks again what has not been answered: the number of the probe.
    Repeat(u64),
    /// Tells a host that it is suspected.
    Tell(MachineId),
    /// Passes urgent news on.
    Urgent,
    Check(MachineId),
    /// A check had its time.
    CheckLate(MachineId, u64),
    Call,
    Sync,
    Purge,
}

/// A probe that is on its way.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) count: u64,
    pub(super) node: Node,
    pub(super) number: foca::ProbeNumber,
    pub(super) packet: Vec<u8>,
    pub(super) answered: bool,
    pub(super) ends: Duration,
}
