//! A rule's steps as the kernel's expressions.
//!
//! Each step loads into registers from `R0` on and uses them at once, so steps do not depend on
//! each other. Registers are four bytes; a field takes as many as it needs.

use super::uapi::*;
use crate::core::ruleset::{Draw, Expression, Field, Version};
use crate::netlink::Builder;
use ipnet::Ipv4Net;

const R0: u32 = libc::NFT_REG32_00 as u32;
const IFNAMSIZ: usize = 16;
/// Any number but 0, for which the kernel draws one by chance.
const SEED: u32 = 0x666c_6565;
const EQUAL: u32 = libc::NFT_CMP_EQ as u32;
const DIFFERENT: u32 = libc::NFT_CMP_NEQ as u32;

pub(super) fn expression(b: &mut Builder<'_>, step: &Expression) {
    match step {
        Expression::Is(version) => {
            meta(b, libc::NFT_META_NFPROTO, R0);
            compare(b, true, &[family(*version) as u8]);
        }
        Expression::InName { name, is } => link_name(b, libc::NFT_META_IIFNAME, name, *is),
        Expression::OutName { name, is } => link_name(b, libc::NFT_META_OIFNAME, name, *is),
        Expression::Equals { field, value, is } => {
            load(b, *field, R0);
            compare(b, *is, value);
        }
        Expression::Within { field, net, is } => within(b, *field, *net, *is),
        Expression::InGroups { field, groups, is } => {
            load(b, *field, R0);
            mask(b, crate::core::network::OURS.to_ne_bytes());
            compare(b, *is, &groups.to_ne_bytes());
        }
        Expression::ToThisHost => {
            one(b, "fib", |b| {
                b.be32(NFTA_FIB_DREG, R0)
                    .be32(NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE)
                    .be32(NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
            });
            compare(b, true, &u32::from(libc::RTN_LOCAL).to_ne_bytes());
        }
        Expression::OriginallyTo { version, set } => {
            one(b, "ct", |b| {
                let key = match version {
                    Version::Four => NFT_CT_DST_IP,
                    Version::Six => NFT_CT_DST_IP6,
                };
                b.be32(NFTA_CT_DREG, R0).be32(NFTA_CT_KEY, key);
                b.bytes(NFTA_CT_DIRECTION, &[ORIGINAL]);
            });
            one(b, "lookup", |b| {
                b.text(NFTA_LOOKUP_SET, set).be32(NFTA_LOOKUP_SREG, R0);
            });
        }
        Expression::GotoBy { fields, map } => {
            load_all(b, fields);
            one(b, "lookup", |b| {
                b.text(NFTA_LOOKUP_SET, map)
                    .be32(NFTA_LOOKUP_SREG, R0)
                    .be32(NFTA_LOOKUP_DREG, libc::NFT_REG_VERDICT as u32);
            });
        }
        Expression::Draw { version, by, places, map } => draw(b, *version, *by, *places, map),
        Expression::State(bits) => connection(b, libc::NFT_CT_STATE, *bits),
        Expression::Translated => connection(b, libc::NFT_CT_STATUS, IPS_DST_NAT),
        Expression::InSet { fields, set, is } => {
            load_all(b, fields);
            let flags = if *is { 0 } else { libc::NFT_LOOKUP_F_INV as u32 };
            one(b, "lookup", |b| {
                b.text(NFTA_LOOKUP_SET, set)
                    .be32(NFTA_LOOKUP_SREG, R0)
                    .be32(NFTA_LOOKUP_FLAGS, flags);
            });
        }
        Expression::TranslateBy { version, fields, map } => translate(b, *version, fields, map),
        Expression::SourceBy { version, fields, map } => translate_source(b, *version, fields, map),
        Expression::Masquerade => one(b, "masq", |_| {}),
        Expression::Accept => verdict(b, libc::NF_ACCEPT, None),
        Expression::Drop => verdict(b, libc::NF_DROP, None),
        Expression::Unreachable => unreachable(b, libc::NFT_REJECT_ICMPX_HOST_UNREACH),
        Expression::Refuse => unreachable(b, libc::NFT_REJECT_ICMPX_PORT_UNREACH),
        Expression::Reset => one(b, "reject", |b| {
            b.be32(NFTA_REJECT_TYPE, libc::NFT_REJECT_TCP_RST as u32)
                .bytes(NFTA_REJECT_ICMP_CODE, &[0]);
        }),
        Expression::Return => verdict(b, libc::NFT_RETURN, None),
        Expression::Jump(chain) => verdict(b, libc::NFT_JUMP, Some(chain)),
    }
}

fn unreachable(b: &mut Builder<'_>, code: i32) {
    one(b, "reject", |b| {
        b.be32(NFTA_REJECT_TYPE, libc::NFT_REJECT_ICMPX_UNREACH as u32)
            .bytes(NFTA_REJECT_ICMP_CODE, &[code as u8]);
    });
}

fn one(b: &mut Builder<'_>, name: &str, data: impl FnOnce(&mut Builder<'_>)) {
    b.nest(NFTA_LIST_ELEM, |b| {
        b.text(NFTA_EXPR_NAME, name).nest(NFTA_EXPR_DATA, data);
    });
}

fn meta(b: &mut Builder<'_>, key: i32, register: u32) {
    one(b, "meta", |b| {
        b.be32(NFTA_META_KEY, key as u32).be32(NFTA_META_DREG, register);
    });
}

fn payload(b: &mut Builder<'_>, base: i32, offset: u32, length: u32, register: u32) {
    one(b, "payload", |b| {
        b.be32(NFTA_PAYLOAD_DREG, register)
            .be32(NFTA_PAYLOAD_BASE, base as u32)
            .be32(NFTA_PAYLOAD_OFFSET, offset)
            .be32(NFTA_PAYLOAD_LEN, length);
    });
}

fn compare(b: &mut Builder<'_>, is: bool, value: &[u8]) {
    one(b, "cmp", |b| {
        b.be32(NFTA_CMP_SREG, R0).be32(NFTA_CMP_OP, if is { EQUAL } else { DIFFERENT });
        b.nest(NFTA_CMP_DATA, |b| {
            b.bytes(NFTA_DATA_VALUE, value);
        });
    });
}

fn mask(b: &mut Builder<'_>, mask: [u8; 4]) {
    one(b, "bitwise", |b| {
        b.be32(NFTA_BITWISE_SREG, R0).be32(NFTA_BITWISE_DREG, R0).be32(NFTA_BITWISE_LEN, 4);
        for (kind, value) in [(NFTA_BITWISE_MASK, mask), (NFTA_BITWISE_XOR, [0; 4])] {
            b.nest(kind, |b| {
                b.bytes(NFTA_DATA_VALUE, &value);
            });
        }
    });
}

/// Loads a field and gives how many registers it takes.
fn load(b: &mut Builder<'_>, field: Field, register: u32) -> u32 {
    use libc::{NFT_PAYLOAD_NETWORK_HEADER, NFT_PAYLOAD_TRANSPORT_HEADER};
    let mut address = |at: [u32; 2], version| {
        let (offset, length) = match version {
            Version::Four => (at[0], 4),
            Version::Six => (at[1], 16),
        };
        payload(b, NFT_PAYLOAD_NETWORK_HEADER, offset, length, register);
    };
    match field {
        Field::Source(version) => address([12, 8], version),
        Field::Destination(version) => address([16, 24], version),
        Field::Protocol => meta(b, libc::NFT_META_L4PROTO, register),
        Field::PortDestination => payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, register),
        Field::InLink => meta(b, libc::NFT_META_IIF, register),
        Field::InGroup => meta(b, libc::NFT_META_IIFGROUP, register),
        Field::OutGroup => meta(b, libc::NFT_META_OIFGROUP, register),
    }
    match field {
        Field::Source(Version::Six) | Field::Destination(Version::Six) => 4,
        _ => 1,
    }
}

fn load_all(b: &mut Builder<'_>, fields: &[Field]) {
    let mut register = R0;
    for field in fields {
        register += load(b, *field, register);
    }
}

fn link_name(b: &mut Builder<'_>, key: i32, name: &str, is: bool) {
    let mut value = [0; IFNAMSIZ];
    let length = name.len().min(IFNAMSIZ - 1);
    value[..length].copy_from_slice(&name.as_bytes()[..length]);
    meta(b, key, R0);
    compare(b, is, &value);
}

fn within(b: &mut Builder<'_>, field: Field, net: Ipv4Net, is: bool) {
    load(b, field, R0);
    mask(b, net.netmask().octets());
    compare(b, is, &net.network().octets());
}

fn connection(b: &mut Builder<'_>, key: i32, bits: u32) {
    one(b, "ct", |b| {
        b.be32(NFTA_CT_DREG, R0).be32(NFTA_CT_KEY, key as u32);
    });
    mask(b, bits.to_ne_bytes());
    compare(b, false, &[0; 4]);
}

/// The map gives address and port, which land in two registers and go from there to the NAT.
fn translate(b: &mut Builder<'_>, version: Version, fields: &[Field], map: &str) {
    load_all(b, fields);
    look_up_and_translate(b, version, map);
}

fn look_up_and_translate(b: &mut Builder<'_>, version: Version, map: &str) {
    one(b, "lookup", |b| {
        b.text(NFTA_LOOKUP_SET, map).be32(NFTA_LOOKUP_SREG, R0).be32(NFTA_LOOKUP_DREG, R0);
    });
    let registers = match version {
        Version::Four => 1,
        Version::Six => 4,
    };
    one(b, "nat", |b| {
        b.be32(NFTA_NAT_TYPE, libc::NFT_NAT_DNAT as u32)
            .be32(NFTA_NAT_FAMILY, family(version) as u32)
            .be32(NFTA_NAT_REG_ADDR_MIN, R0)
            .be32(NFTA_NAT_REG_PROTO_MIN, R0 + registers);
    });
}

/// The place is the last part of the key.
fn draw(b: &mut Builder<'_>, version: Version, by: Draw, places: u32, map: &str) {
    let key = [Field::Destination(version), Field::Protocol, Field::PortDestination];
    let mut place = R0;
    for field in key {
        place += load(b, field, place);
    }
    match by {
        Draw::Chance => one(b, "numgen", |b| {
            b.be32(NFTA_NG_DREG, place)
                .be32(NFTA_NG_MODULUS, places)
                .be32(NFTA_NG_TYPE, NFT_NG_RANDOM);
        }),
        Draw::Source => {
            let client = place + 1;
            let registers = load(b, Field::Source(version), client);
            one(b, "hash", |b| {
                // With a seed of our own: the same client gets the same place on every host.
                b.be32(NFTA_HASH_SREG, client)
                    .be32(NFTA_HASH_DREG, place)
                    .be32(NFTA_HASH_LEN, registers * 4)
                    .be32(NFTA_HASH_MODULUS, places)
                    .be32(NFTA_HASH_SEED, SEED);
            });
        }
    }
    look_up_and_translate(b, version, map);
}

fn translate_source(b: &mut Builder<'_>, version: Version, fields: &[Field], map: &str) {
    load_all(b, fields);
    one(b, "lookup", |b| {
        b.text(NFTA_LOOKUP_SET, map).be32(NFTA_LOOKUP_SREG, R0).be32(NFTA_LOOKUP_DREG, R0);
    });
    one(b, "nat", |b| {
        b.be32(NFTA_NAT_TYPE, libc::NFT_NAT_SNAT as u32)
            .be32(NFTA_NAT_FAMILY, family(version) as u32)
            .be32(NFTA_NAT_REG_ADDR_MIN, R0);
    });
}

fn family(version: Version) -> i32 {
    match version {
        Version::Four => libc::NFPROTO_IPV4,
        Version::Six => libc::NFPROTO_IPV6,
    }
}

fn verdict(b: &mut Builder<'_>, code: i32, chain: Option<&str>) {
    one(b, "immediate", |b| {
        b.be32(NFTA_IMMEDIATE_DREG, libc::NFT_REG_VERDICT as u32);
        b.nest(NFTA_IMMEDIATE_DATA, |b| {
            b.nest(NFTA_DATA_VERDICT, |b| {
                b.be32(NFTA_VERDICT_CODE, code as u32);
                if let Some(chain) = chain {
                    b.text(NFTA_VERDICT_CHAIN, chain);
                }
            });
        });
    });
}
