//! What foca asks for while it is called, gathered to be done afterwards.

use super::interface::{Output, Probe, Timer};
use super::machine::Gossip;
use super::node::Node;
use super::wire::Wire;
use foca::{Codec as _, Header, Message, Notification, Runtime};
use std::sync::Arc;
use std::time::Duration;

#[derive(Default)]
pub(super) struct Collected {
    sends: Vec<(Node, Vec<u8>)>,
    timers: Vec<(foca::Timer<Node>, Duration)>,
}

impl Runtime<Node> for Collected {
    /// Members are compared as a whole: foca does not tell of suspicions.
    fn notify(&mut self, _: Notification<'_, Node>) {}

    fn send_to(&mut self, to: Node, data: &[u8]) {
        self.sends.push((to, data.to_vec()));
    }

    fn submit_after(&mut self, event: foca::Timer<Node>, after: Duration) {
        self.timers.push((event, after));
    }
}

impl Gossip {
    pub(super) fn follow(&mut self, collected: Collected) {
        for (timer, after) in collected.timers {
            use foca::Timer::{ChangeSuspectToDown, ProbeRandomMember, SendIndirectProbe};
            let judges = matches!(
                timer,
                ProbeRandomMember(_) | SendIndirectProbe { .. } | ChangeSuspectToDown { .. }
            );
            let factor = if judges { self.health.factor() } else { 1 };
            if let ChangeSuspectToDown { member_id, .. } = &timer {
                self.tell_from_now(member_id.host);
            }
            let at = self.now + after * factor;
            if let foca::Timer::RemoveDown(node) = &timer {
                // One for each host, however often it came back: `purge` looks at them.
                self.removals.insert(node.host, (at, timer));
            } else {
                self.timers.set(at, Timer::Foca(timer));
            }
        }
        for (to, packet) in collected.sends {
            self.send(to, packet);
        }
    }

    fn send(&mut self, to: Node, packet: Vec<u8>) {
        if to.host == self.own.host {
            return;
        }
        if let Ok(header) = Wire(Arc::clone(&self.notes)).decode_header(packet.as_slice()) {
            self.sends(&header, &to, &packet);
        }
        self.outputs.push(Output::Send { to: to.address, packet });
    }

    /// Looks at what foca sends: it does not tell its incarnation, nor which probe is on its way.
    fn sends(&mut self, header: &Header<Node>, to: &Node, packet: &[u8]) {
        if header.src_incarnation > self.incarnation {
            // Somebody suspected this host.
            self.health.sign_of_trouble();
        }
        self.incarnation = header.src_incarnation;
        if let Message::Ping(number) = header.message {
            self.probes += 1;
            let factor = self.health.factor();
            self.probe = Some(Probe {
                count: self.probes,
                node: to.clone(),
                number,
                packet: packet.to_vec(),
                answered: false,
                ends: self.now + self.parameters.probe_period * factor,
            });
            let next = self.now + self.parameters.probe_repeat * factor;
            self.timers.set(next, Timer::Repeat(self.probes));
        }
    }
}
