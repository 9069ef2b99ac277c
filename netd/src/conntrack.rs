//! Connections that the kernel tracks (linux/netfilter/nfnetlink_conntrack.h).
//!
//! A UDP flow keeps the translation of its first datagram for as long as datagrams follow. When a
//! published port begins or ceases to lead somewhere, its flows must be forgotten, or a busy client
//! never notices. A TCP connection ends with its container, but the kernel would remember it for days
//! if nobody closes it.

use crate::netlink::{Attributes, Connection, Messages, Refused, attributes};
use std::collections::BTreeSet;
use std::net::IpAddr;

const SUBSYSTEM: u16 = (libc::NFNL_SUBSYS_CTNETLINK as u16) << 8;
const IPCTNL_MSG_CT_GET: u16 = SUBSYSTEM | 1;
const IPCTNL_MSG_CT_DELETE: u16 = SUBSYSTEM | 2;

const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_IP_V4_SRC: u16 = 1;
const CTA_IP_V4_DST: u16 = 2;
const CTA_IP_V6_SRC: u16 = 3;
const CTA_IP_V6_DST: u16 = 4;
const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_DST_PORT: u16 = 3;
const CTA_ID: u16 = 12;

/// `nfgenmsg` of any family.
const ANY: [u8; 4] = [libc::AF_UNSPEC as u8, 0, 0, 0];

/// A connection as it is tracked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// `IPPROTO_TCP` and so on.
    pub protocol: u8,
    pub source: IpAddr,
    pub destination: IpAddr,
    pub port: u16,
    /// Who answers: after a translation another one than `destination`.
    pub answers: IpAddr,
}

impl Flow {
    pub fn is_udp(&self) -> bool {
        i32::from(self.protocol) == libc::IPPROTO_UDP
    }

    /// Whether one of the addresses is at either end.
    pub fn is_of(&self, addresses: &BTreeSet<IpAddr>) -> bool {
        [self.source, self.destination, self.answers].iter().any(|end| addresses.contains(end))
    }
}

/// Deletes the flows of which `wrong` is true.
pub fn forget(netfilter: &mut Connection, wrong: impl Fn(&Flow) -> bool) -> Result<(), Refused> {
    let mut messages = Messages::new();
    netfilter.dump("list connections", IPCTNL_MSG_CT_GET, &ANY, |_, payload| {
        let (Some(header), Some(rest)) = (payload.get(..4), payload.get(4..)) else { return };
        let found = attributes(rest);
        if let (Some(tuple), Some(id)) = (found.get(CTA_TUPLE_ORIG), found.get(CTA_ID))
            && parse(&found).is_some_and(|flow| wrong(&flow))
        {
            messages.push("delete connection", IPCTNL_MSG_CT_DELETE, libc::NLM_F_ACK, |b| {
                // The id makes sure that it is this flow and not a later one between the same ends.
                b.raw(header)
                    .nest(CTA_TUPLE_ORIG, |b| {
                        b.raw(tuple);
                    })
                    .bytes(CTA_ID, id);
            });
        }
    })?;
    match netfilter.acknowledged(messages) {
        // It ended by itself.
        Err(e) if e.is(libc::ENOENT) => Ok(()),
        other => other,
    }
}

fn parse(flow: &Attributes<'_>) -> Option<Flow> {
    let original = flow.nested(CTA_TUPLE_ORIG)?;
    let protocol = original.nested(CTA_TUPLE_PROTO)?;
    Some(Flow {
        protocol: *protocol.get(CTA_PROTO_NUM)?.first()?,
        source: address(&original, CTA_IP_V4_SRC, CTA_IP_V6_SRC)?,
        destination: address(&original, CTA_IP_V4_DST, CTA_IP_V6_DST)?,
        port: protocol.be16(CTA_PROTO_DST_PORT).unwrap_or_default(),
        answers: address(&flow.nested(CTA_TUPLE_REPLY)?, CTA_IP_V4_SRC, CTA_IP_V6_SRC)?,
    })
}

fn address(tuple: &Attributes<'_>, four: u16, six: u16) -> Option<IpAddr> {
    let ip = tuple.nested(CTA_TUPLE_IP)?;
    match (ip.get(four), ip.get(six)) {
        (Some(bytes), _) => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        (_, Some(bytes)) => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => None,
    }
}
