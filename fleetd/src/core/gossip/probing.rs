//! Beside foca's probes: a question is asked again while it is not answered, and a suspected host is
//! told so.
//!
//! A fifth of all packets lost means that more than a third of single questions go unanswered. To
//! ask again makes a false suspicion rare, and costs nothing where nothing is lost.

use super::interface::{Output, Timer};
use super::machine::Gossip;
use super::node::Node;
use super::wire::Wire;
use foca::{Codec as _, Header, Message, State};
use std::sync::Arc;

impl Gossip {
    /// Looks at what came in: is it the answer to the probe?
    pub(super) fn answered(&mut self, header: &Header<Node>) {
        let Some(probe) = &mut self.probe else { return };
        let is_it = match &header.message {
            Message::Ack(number) => *number == probe.number && header.src == probe.node,
            Message::ForwardedAck { origin, probe_number } => {
                *probe_number == probe.number && *origin == probe.node
            }
            _ => false,
        };
        if is_it && !probe.answered {
            probe.answered = true;
            self.health.probe_was_answered();
        }
    }

    pub(super) fn repeat(&mut self, count: u64) {
        let wait = self.parameters.probe_repeat * self.health.factor();
        let Some(probe) = self.probe.as_ref().filter(|probe| probe.count == count) else { return };
        // The last one needs time for its answer, too.
        if probe.answered || self.now + wait / 2 >= probe.ends {
            return;
        }
        self.outputs.push(Output::Send { to: probe.node.address, packet: probe.packet.clone() });
        self.timers.set(self.now + wait, Timer::Repeat(count));
    }

    /// This host's own probe failed: it tells the suspected host until it answers or is down.
    pub(super) fn tell_from_now(&mut self, host: crate::core::machine_id::MachineId) {
        if let Some(tracked) = self.members.get_mut(&host)
            && !std::mem::replace(&mut tracked.told, true)
        {
            self.timers.set(self.now, Timer::Tell(host));
        }
    }

    /// A ping that carries the suspicion: its answer carries the refutation.
    pub(super) fn tell(&mut self, host: crate::core::machine_id::MachineId) {
        let Some(tracked) = self.members.get_mut(&host) else { return };
        if tracked.swim != State::Suspect {
            tracked.told = false;
            return;
        }
        let header = Header {
            src: self.own.clone(),
            src_incarnation: self.incarnation,
            dst: tracked.node.clone(),
            message: Message::Ping(0),
        };
        let suspected =
            foca::Member::new(tracked.node.clone(), tracked.incarnation, State::Suspect);
        let mut wire = Wire(Arc::clone(&self.notes));
        let mut packet = Vec::new();
        let encoded = wire.encode_header(&header, &mut packet).and_then(|()| {
            packet.extend_from_slice(&1_u16.to_be_bytes());
            wire.encode_member(&suspected, &mut packet)
        });
        if encoded.is_ok() {
            self.outputs.push(Output::Send { to: tracked.node.address, packet });
        }
        self.timers.set(self.now + self.parameters.tell, Timer::Tell(host));
    }
}
