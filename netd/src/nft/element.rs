//! Sets and their elements in the kernel's form.

use super::uapi::*;
use crate::core::ruleset::{Element, Part, Set, Value, values};
use crate::netlink::{Attributes, Builder};

/// How many elements one message carries: far from the 64 KiB that an attribute can hold.
pub(super) const PER_MESSAGE: usize = 256;

/// The number that `nft` shows a part by.
fn shown_as(part: Part) -> u32 {
    match part {
        Part::Ipv4 => TYPE_IPV4,
        Part::Ipv6 => TYPE_IPV6,
        Part::Protocol => TYPE_PROTOCOL,
        Part::Port => TYPE_SERVICE,
        Part::Link => TYPE_IFINDEX,
        Part::Group => TYPE_DEVGROUP,
        Part::Slot => TYPE_INTEGER,
    }
}

/// Length and type of a concatenation: six bits a part.
fn concatenation(parts: &[Part]) -> (u32, u32) {
    parts.iter().fold((0, 0), |(length, kind), part| {
        (length + part.length() as u32, kind << 6 | shown_as(*part))
    })
}

pub(super) fn set(b: &mut Builder<'_>, table: &str, set: &Set, id: u32) {
    let (key_length, key_type) = concatenation(set.key);
    let mut flags = 0;
    if set.ranges {
        flags |= libc::NFT_SET_INTERVAL as u32;
    }
    if !set.data.is_empty() || set.chains {
        flags |= libc::NFT_SET_MAP as u32;
    }
    b.text(NFTA_SET_TABLE, table)
        .text(NFTA_SET_NAME, set.name)
        .be32(NFTA_SET_ID, id)
        .be32(NFTA_SET_FLAGS, flags)
        .be32(NFTA_SET_KEY_TYPE, key_type)
        .be32(NFTA_SET_KEY_LEN, key_length);
    if matches!(set.key, [Part::Link | Part::Group]) {
        b.bytes(NFTA_SET_USERDATA, &HOST_ORDER);
    }
    if set.chains {
        b.be32(NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
    } else if !set.data.is_empty() {
        let (length, kind) = concatenation(set.data);
        b.be32(NFTA_SET_DATA_TYPE, kind).be32(NFTA_SET_DATA_LEN, length);
    }
}

/// For `nft`, which otherwise shows a lone number of these kinds with its bytes the wrong way round:
/// the order of the key's bytes is the host's (NFTNL_UDATA_SET_KEYBYTEORDER of libnftnl; type,
/// length, BYTEORDER_HOST_ENDIAN).
const HOST_ORDER: [u8; 6] = [0, 4, 1, 0, 0, 0];

/// Elements of one set.
pub(super) fn elements(b: &mut Builder<'_>, table: &str, set: &str, elements: &[&Element]) {
    b.text(NFTA_SET_ELEM_LIST_TABLE, table).text(NFTA_SET_ELEM_LIST_SET, set);
    b.nest(NFTA_SET_ELEM_LIST_ELEMENTS, |b| {
        for element in elements {
            b.nest(NFTA_LIST_ELEM, |b| {
                value(b, NFTA_SET_ELEM_KEY, &bytes(&element.key));
                if !element.data.is_empty() {
                    value(b, NFTA_SET_ELEM_DATA, &bytes(&element.data));
                }
                if let Some(chain) = &element.chain {
                    b.nest(NFTA_SET_ELEM_DATA, |b| {
                        b.nest(NFTA_DATA_VERDICT, |b| {
                            b.be32(NFTA_VERDICT_CODE, libc::NFT_GOTO as u32)
                                .text(NFTA_VERDICT_CHAIN, chain);
                        });
                    });
                }
            });
            if let Some(after) = after(element) {
                b.nest(NFTA_LIST_ELEM, |b| {
                    value(b, NFTA_SET_ELEM_KEY, &after);
                    b.be32(NFTA_SET_ELEM_FLAGS, INTERVAL_END);
                });
            }
        }
    });
}

const INTERVAL_END: u32 = libc::NFT_SET_ELEM_INTERVAL_END as u32;

fn value(b: &mut Builder<'_>, kind: u16, bytes: &[u8]) {
    b.nest(kind, |b| {
        b.bytes(NFTA_DATA_VALUE, bytes);
    });
}

fn bytes(values: &[Value]) -> Vec<u8> {
    values.iter().flat_map(Value::bytes).collect()
}

/// What follows an element's range: in the kernel a range of one part is two elements. The last of
/// all has nothing after it, and one that is no range neither.
fn after(element: &Element) -> Option<Vec<u8>> {
    let mut bytes = if element.end.is_empty() { return None } else { bytes(&element.end) };
    for byte in bytes.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return Some(bytes);
        }
    }
    None
}

/// One element of a dump.
pub(super) struct Dumped {
    key: Vec<u8>,
    data: Vec<Value>,
    chain: Option<String>,
    /// It is what follows a range.
    ends: bool,
}

/// Reads an element of a dump, if it has the form that we write.
pub(super) fn parse(set: &Set, element: &Attributes<'_>) -> Option<Dumped> {
    let key = element.nested(NFTA_SET_ELEM_KEY)?.get(NFTA_DATA_VALUE)?.to_vec();
    let flags = element.be32(NFTA_SET_ELEM_FLAGS).unwrap_or_default();
    let found = element.nested(NFTA_SET_ELEM_DATA);
    let (mut data, mut chain) = (Vec::new(), None);
    if set.chains {
        let verdict = found?.nested(NFTA_DATA_VERDICT)?;
        chain = Some(verdict.text(NFTA_VERDICT_CHAIN)?.to_owned());
    } else if let Some(found) = found {
        data = values(set.data, found.get(NFTA_DATA_VALUE)?)?;
    }
    Some(Dumped { key, data, chain, ends: flags & INTERVAL_END != 0 })
}

/// Puts a set's dumped elements together: [`elements`] the other way round.
pub(super) fn assemble(set: &Set, mut dumped: Vec<Dumped>) -> Vec<Element> {
    // The kernel gives ranges in no order that it promises.
    dumped.sort_by(|a, b| (&a.key, !a.ends).cmp(&(&b.key, !b.ends)));
    // A dump that was torn by a change is read again.
    dumped.dedup_by(|a, b| (&a.key, a.ends) == (&b.key, b.ends));
    let mut found: Vec<Element> = Vec::new();
    let mut open = false;
    for Dumped { key, data, chain, ends } in dumped {
        if ends {
            if let Some(begun) = found.last_mut().filter(|_| open) {
                begun.end = values(set.key, &before(key)).unwrap_or_default();
            }
            open = false;
        } else if let Some(key) = values(set.key, &key) {
            open = set.ranges;
            found.push(Element { set: set.name, key, end: Vec::new(), data, chain });
        }
    }
    found
}

fn before(mut bytes: Vec<u8>) -> Vec<u8> {
    for byte in bytes.iter_mut().rev() {
        let borrow = *byte == 0;
        *byte = byte.wrapping_sub(1);
        if !borrow {
            break;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ruleset::SUBNETS;

    #[test]
    fn a_range_is_two_elements_and_comes_back_as_one() {
        let nets = ["10.0.0.0/24", "10.0.1.0/24", "10.255.0.0/16"];
        let elements = nets.map(|net| Element::subnet(net.parse().unwrap()));
        let dumped = |element: &Element| {
            let begin = Dumped { key: bytes(&element.key), data: vec![], chain: None, ends: false };
            let end =
                Dumped { key: after(element).unwrap(), data: vec![], chain: None, ends: true };
            [end, begin]
        };
        let dump = elements.iter().rev().flat_map(dumped).collect();
        assert_eq!(assemble(&SUBNETS[0], dump), elements);
    }

    #[test]
    fn the_last_range_of_all_has_nothing_after_it() {
        let element = Element::subnet("255.255.255.0/24".parse().unwrap());
        assert_eq!(after(&element), None);
    }
}
