//! Sets and their elements in the kernel's form.

use super::uapi::*;
use crate::core::Binding;
use crate::core::ruleset::{Element, Part, Set};
use crate::netlink::{Attributes, Builder};
use netd_api::Protocol;
use std::net::Ipv4Addr;

/// How many elements one message carries: far from the 64 KiB that an attribute can hold.
pub(super) const PER_MESSAGE: usize = 256;

/// Length in bytes, and the number that `nft` shows it by.
fn part(part: Part) -> (u32, u32) {
    match part {
        Part::Ipv4 => (4, TYPE_IPV4),
        Part::Mac => (8, TYPE_ETHER),
        Part::Protocol => (4, TYPE_PROTOCOL),
        Part::Port => (4, TYPE_SERVICE),
        Part::Link => (4, TYPE_IFINDEX),
    }
}

/// Length and type of a concatenation: six bits a part.
fn concatenation(parts: &[Part]) -> (u32, u32) {
    parts.iter().fold((0, 0), |(length, kind), p| {
        let (l, k) = part(*p);
        (length + l, kind << 6 | k)
    })
}

pub(super) fn set(b: &mut Builder<'_>, table: &str, set: &Set, id: u32) {
    let (key_length, key_type) = concatenation(&set.key);
    let flags = if set.data.is_some() { libc::NFT_SET_MAP as u32 } else { 0 };
    b.text(NFTA_SET_TABLE, table)
        .text(NFTA_SET_NAME, set.name)
        .be32(NFTA_SET_ID, id)
        .be32(NFTA_SET_FLAGS, flags)
        .be32(NFTA_SET_KEY_TYPE, key_type)
        .be32(NFTA_SET_KEY_LEN, key_length);
    if let Some(data) = &set.data {
        let (length, kind) = concatenation(data);
        b.be32(NFTA_SET_DATA_TYPE, kind).be32(NFTA_SET_DATA_LEN, length);
    }
}

/// The set that an element is in, and the family of that set's table.
pub(super) fn set_of(element: &Element) -> (&'static str, i32) {
    match element {
        Element::Port { .. } => ("ports", libc::NFPROTO_BRIDGE),
        Element::Source { .. } => ("sources", libc::NFPROTO_BRIDGE),
        Element::Published { binding, .. } if binding.host.is_some() => {
            ("published_on", libc::NFPROTO_INET)
        }
        Element::Published { .. } => ("published", libc::NFPROTO_INET),
    }
}

/// Every set, and the family of its table.
pub(super) const SETS: &[(&str, i32)] = &[
    ("ports", libc::NFPROTO_BRIDGE),
    ("sources", libc::NFPROTO_BRIDGE),
    ("published", libc::NFPROTO_INET),
    ("published_on", libc::NFPROTO_INET),
];

/// Reads an element of a dump: [`key`] and [`data`] the other way round.
pub(super) fn parse(set: &str, element: &Attributes<'_>) -> Option<Element> {
    let key = element.nested(NFTA_SET_ELEM_KEY)?.get(NFTA_DATA_VALUE)?;
    let index = |bytes: &[u8]| Some(u32::from_ne_bytes(bytes.try_into().ok()?));
    let address = |bytes: &[u8]| Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?));
    let port = |bytes: &[u8]| Some(u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?));
    let (host, rest) = match (set, key.len()) {
        ("ports", 4) => return Some(Element::Port { index: index(key)? }),
        ("sources", 16) => {
            let mac = key[4..10].try_into().ok()?;
            let address = address(&key[12..])?;
            return Some(Element::Source { index: index(&key[..4])?, mac, address });
        }
        ("published", 8) => (None, key),
        ("published_on", 12) => (Some(address(&key[..4])?), &key[4..]),
        _ => return None,
    };
    let protocol = match i32::from(rest[0]) {
        libc::IPPROTO_TCP => Protocol::Tcp,
        libc::IPPROTO_UDP => Protocol::Udp,
        _ => return None,
    };
    let binding = Binding { host, port: port(&rest[4..])?, protocol };
    let data = element.nested(NFTA_SET_ELEM_DATA)?.get(NFTA_DATA_VALUE)?;
    let (to, to_port) = (address(data.get(..4)?)?, port(data.get(4..)?)?);
    Some(Element::Published { binding, address: to, port: to_port })
}

/// Elements of one set.
pub(super) fn elements(b: &mut Builder<'_>, table: &str, set: &str, elements: &[&Element]) {
    b.text(NFTA_SET_ELEM_LIST_TABLE, table).text(NFTA_SET_ELEM_LIST_SET, set);
    b.nest(NFTA_SET_ELEM_LIST_ELEMENTS, |b| {
        for element in elements {
            b.nest(NFTA_LIST_ELEM, |b| {
                b.nest(NFTA_SET_ELEM_KEY, |b| {
                    b.bytes(NFTA_DATA_VALUE, &key(element));
                });
                if let Some(data) = data(element) {
                    b.nest(NFTA_SET_ELEM_DATA, |b| {
                        b.bytes(NFTA_DATA_VALUE, &data);
                    });
                }
            });
        }
    });
}

/// The key's parts, each padded to four bytes.
pub(super) fn key(element: &Element) -> Vec<u8> {
    match element {
        Element::Port { index } => index.to_ne_bytes().to_vec(),
        Element::Source { index, mac, address } => {
            let mut key = index.to_ne_bytes().to_vec();
            key.extend_from_slice(mac);
            key.extend_from_slice(&[0, 0]);
            key.extend_from_slice(&address.octets());
            key
        }
        Element::Published { binding, .. } => {
            let mut key = binding.host.map_or_else(Vec::new, |h| h.octets().to_vec());
            let protocol = match binding.protocol {
                Protocol::Tcp => libc::IPPROTO_TCP as u8,
                Protocol::Udp => libc::IPPROTO_UDP as u8,
            };
            key.extend_from_slice(&[protocol, 0, 0, 0]);
            key.extend_from_slice(&binding.port.to_be_bytes());
            key.extend_from_slice(&[0, 0]);
            key
        }
    }
}

/// What a map's element leads to: address and port.
fn data(element: &Element) -> Option<Vec<u8>> {
    let Element::Published { address, port, .. } = element else { return None };
    let mut data = address.octets().to_vec();
    data.extend_from_slice(&port.to_be_bytes());
    data.extend_from_slice(&[0, 0]);
    Some(data)
}
