//! Connections that the kernel tracks (linux/netfilter/nfnetlink_conntrack.h).
//!
//! A UDP flow keeps the translation of its first datagram for as long as datagrams follow. When a
//! published port begins or ceases to lead somewhere, its flows must be forgotten, or a busy client
//! never notices. TCP needs none of that: its connections end with their container.

use crate::netlink::{Attributes, Connection, Messages, Refused, attributes};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

const SUBSYSTEM: u16 = (libc::NFNL_SUBSYS_CTNETLINK as u16) << 8;
const IPCTNL_MSG_CT_GET: u16 = SUBSYSTEM | 1;
const IPCTNL_MSG_CT_DELETE: u16 = SUBSYSTEM | 2;
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_IP_V4_SRC: u16 = 1;
const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_DST_PORT: u16 = 3;
const CTA_ID: u16 = 12;
/// `nfgenmsg` of IPv4.
const IPV4: [u8; 4] = [libc::AF_INET as u8, 0, 0, 0];

/// Deletes the UDP flows to one of these ports that somebody answers from an address of which
/// `wrong` is true. A flow that is translated already is answered from the container's address.
pub fn forget_udp(
    netfilter: &mut Connection,
    ports: &[u16],
    wrong: impl Fn(Ipv4Addr) -> bool,
) -> Result<(), Refused> {
    let ports: BTreeSet<u16> = ports.iter().copied().collect();
    let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    netfilter.dump("list connections", IPCTNL_MSG_CT_GET, &IPV4, |_, payload| {
        let Some(flow) = payload.get(IPV4.len()..).map(attributes) else { return };
        if let (Some(tuple), Some(id)) = (flow.get(CTA_TUPLE_ORIG), flow.get(CTA_ID))
            && is_udp_to(&attributes(tuple), &ports)
            && answered_from(&flow).is_some_and(&wrong)
        {
            found.push((tuple.to_vec(), id.to_vec()));
        }
    })?;
    let mut messages = Messages::new();
    for (tuple, id) in &found {
        messages.push("delete connection", IPCTNL_MSG_CT_DELETE, libc::NLM_F_ACK, |b| {
            // The id makes sure that it is this flow and not a later one between the same ends.
            b.raw(&IPV4)
                .nest(CTA_TUPLE_ORIG, |b| {
                    b.raw(tuple);
                })
                .bytes(CTA_ID, id);
        });
    }
    match netfilter.acknowledged(messages) {
        // It ended by itself.
        Err(e) if e.is(libc::ENOENT) => Ok(()),
        other => other,
    }
}

fn answered_from(flow: &Attributes<'_>) -> Option<Ipv4Addr> {
    let source = flow.nested(CTA_TUPLE_REPLY)?.nested(CTA_TUPLE_IP)?.get(CTA_IP_V4_SRC)?;
    Some(Ipv4Addr::from(<[u8; 4]>::try_from(source).ok()?))
}

fn is_udp_to(tuple: &Attributes<'_>, ports: &BTreeSet<u16>) -> bool {
    let Some(protocol) = tuple.nested(CTA_TUPLE_PROTO) else { return false };
    protocol.get(CTA_PROTO_NUM) == Some(&[libc::IPPROTO_UDP as u8])
        && protocol.be16(CTA_PROTO_DST_PORT).is_some_and(|port| ports.contains(&port))
}
