//! What this host writes is told at once to those who act upon it: a set to the host that it is
//! about, a record about this host to its listeners.
//!
//! One packet, which may be lost: everything spreads as usual besides. What is too large for packets,
//! or too much, is owed, and paid by a push-pull.

use super::interface::Output;
use super::machine::Gossip;
use super::node::Node;
use super::packet::MAX_PACKET;
use super::record::{Key, Kind, MAX_BROADCAST, Record};
use super::relay::lock;
use super::wire::Wire;
use crate::core::machine_id::MachineId;
use foca::{Codec as _, Header, Message};
use std::collections::BTreeMap;
use std::sync::Arc;

const MAX_LISTENERS: usize = 16;
/// To one host in one go: more is sooner there by a push-pull, and would crowd out other packets.
const MAX_PACKETS: usize = 16;

impl Gossip {
    pub(super) fn set_listeners(&mut self, hosts: Vec<MachineId>) {
        self.listeners.clear();
        for host in hosts {
            let is_new = host != self.own.host && !self.listeners.contains(&host);
            if is_new && self.listeners.len() < MAX_LISTENERS {
                self.listeners.push(host);
            }
        }
    }

    pub(super) fn tell_at_once(&mut self) {
        let written = lock(&self.records).take_written();
        let mut told: BTreeMap<MachineId, Vec<&Record>> = BTreeMap::new();
        for record in &written {
            for host in self.concerns(&record.key) {
                told.entry(*host).or_default().push(record);
            }
        }
        for (host, records) in told {
            if let Some(node) = self.there(host) {
                self.tell_records(&node, &records);
            }
        }
        self.pay();
    }

    fn concerns<'a>(&'a self, key: &'a Key) -> &'a [MachineId] {
        if key.kind == Kind::Set { std::slice::from_ref(&key.host) } else { &self.listeners }
    }

    fn there(&self, host: MachineId) -> Option<Node> {
        let tracked = self.members.get(&host)?;
        (tracked.swim != foca::State::Down).then(|| tracked.node.clone())
    }

    fn tell_records(&mut self, to: &Node, records: &[&Record]) {
        let header = Header {
            src: self.own.clone(),
            src_incarnation: self.incarnation,
            dst: to.clone(),
            message: Message::Broadcast,
        };
        let mut start = Vec::new();
        if Wire(Arc::clone(&self.notes)).encode_header(&header, &mut start).is_err() {
            return;
        }
        let small = records.iter().filter(|record| record.size() <= MAX_BROADCAST);
        let items = small.map(|record| record.encode()).collect::<Vec<_>>();
        let mut owes = items.len() < records.len();
        let mut packets = pack(&start, items);
        if packets.len() > MAX_PACKETS {
            packets.truncate(MAX_PACKETS);
            owes = true;
        }
        let send = |packet| Output::Send { to: to.address, packet };
        self.outputs.extend(packets.into_iter().map(send));
        if owes {
            self.owed.insert(to.host);
        }
    }

    /// Begins the push-pulls that are owed, as many as may run at once.
    pub(super) fn pay(&mut self) {
        for host in std::mem::take(&mut self.owed) {
            let Some(node) = self.there(host) else { continue };
            // One that runs may have passed the record already.
            if self.syncing.len() >= self.parameters.syncs || self.syncing.contains_key(&host) {
                self.owed.insert(host);
            } else {
                self.begin_sync(node);
            }
        }
    }
}

/// Puts items into as few packets as it can: the largest first, each where there is room. Each has
/// its length before it, as foca reads it.
fn pack(start: &[u8], mut items: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    items.sort_by_key(|item| std::cmp::Reverse(item.len()));
    let mut packets: Vec<Vec<u8>> = Vec::new();
    for item in items {
        let Ok(length) = u16::try_from(item.len()) else { continue };
        let fits = |packet: &&mut Vec<u8>| packet.len() + 2 + item.len() <= MAX_PACKET;
        let bytes = [&length.to_be_bytes(), item.as_slice()].concat();
        match packets.iter_mut().find(fits) {
            Some(packet) => packet.extend_from_slice(&bytes),
            None => packets.push([start, &bytes].concat()),
        }
    }
    packets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_packed_closely_and_none_is_lost() {
        // Two of 700 and 600, one of 1,000 with three of 100: in this order they need four.
        let sizes = [700, 100, 1_000, 600, 700, 100, 600, 100];
        let items = sizes.map(|size| vec![7; size]).to_vec();
        let packets = pack(b"start", items);
        assert_eq!(packets.len(), 3);
        assert!(packets.iter().all(|packet| packet.len() <= MAX_PACKET));
        let bytes: usize = packets.iter().map(|packet| packet.len() - 5).sum();
        assert_eq!(bytes, sizes.iter().sum::<usize>() + 2 * sizes.len());
    }
}
