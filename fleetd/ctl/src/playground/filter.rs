//! What the switch drops: an nftables table of the family `bridge` in its namespace, with a rule for
//! each sender and receiver that are cut from each other. The hosts see nothing of it.

use super::cuts::Cuts;
use super::netlink::{Attributes, Messages, exchange, namespace_of, open_in};
use super::process::Process;
use crate::failure::Failure;
use rustix::net::netlink::NETFILTER;

const TABLE: &str = "cuts";
const CHAIN: &str = "forward";
/// `NFPROTO_BRIDGE` and `NF_BR_FORWARD` of linux/netfilter*.h.
const BRIDGE_FAMILY: u8 = 7;
const FORWARD_HOOK: u32 = 2;
/// `NFNL_SUBSYS_NFTABLES`, in the high byte of a message's type (linux/netfilter/nfnetlink.h).
const NFTABLES: u16 = 10;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
/// Of linux/netfilter/nf_tables.h: messages.
const NEW_TABLE: u16 = NFTABLES << 8;
const DELETE_TABLE: u16 = NFTABLES << 8 | 2;
const NEW_CHAIN: u16 = NFTABLES << 8 | 3;
const NEW_RULE: u16 = NFTABLES << 8 | 6;
/// Registers and values of expressions.
const REGISTER: u32 = 1;
const VERDICT_REGISTER: u32 = 0;
const IN_NAME: u32 = 6;
const OUT_NAME: u32 = 7;
const EQUAL: u32 = 0;
const DROP: u32 = 0;
const ACCEPT: u32 = 1;
/// The kernel compares names of links in full (`IFNAMSIZ`).
const LINK_NAME: usize = 16;
/// `NLM_F_CREATE` and `NLM_F_APPEND` of linux/netlink.h.
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;

/// Makes the switch drop what the cuts say and nothing else, in one transaction.
pub(super) fn apply(switch: &Process, cuts: &Cuts) -> Result<(), Failure> {
    let namespace = namespace_of(switch).map_err(|e| Failure::io("enter the switch", &e))?;
    let socket = open_in(&namespace, Some(NETFILTER))
        .map_err(|e| Failure::io("open a netlink socket", &e))?;
    exchange(&socket, &transaction(cuts)).map_err(|(what, e)| Failure::io(what, &e))
}

fn transaction(cuts: &Cuts) -> Messages {
    let mut messages = Messages::default();
    messages.push("change what the switch drops", BATCH_BEGIN, 0, &header(0, NFTABLES), |_| {});
    let table = |messages: &mut Messages, what: &str, kind, flags| {
        let what = format!("{what} table bridge {TABLE}");
        messages.push(what, kind, flags, &header(BRIDGE_FAMILY, 0), |a| {
            a.text(1, TABLE);
        });
    };
    // One that is not there cannot be deleted, so it is made first.
    table(&mut messages, "create", NEW_TABLE, CREATE);
    table(&mut messages, "delete", DELETE_TABLE, 0);
    if cuts.pairs().next().is_some() {
        table(&mut messages, "create", NEW_TABLE, CREATE);
        let what = format!("create chain {CHAIN}");
        messages.push(what, NEW_CHAIN, CREATE, &header(BRIDGE_FAMILY, 0), |a| {
            let hook = |a: &mut Attributes<'_>| {
                a.be32(1, FORWARD_HOOK).be32(2, 0);
            };
            a.text(1, TABLE).text(3, CHAIN).nest(4, hook).be32(5, ACCEPT).text(7, "filter");
        });
    }
    for (from, to) in cuts.pairs() {
        let what = format!("drop what {from} sends to {to}");
        messages.push(what, NEW_RULE, CREATE | APPEND, &header(BRIDGE_FAMILY, 0), |a| {
            a.text(1, TABLE).text(2, CHAIN).nest(4, |a| {
                link_is(a, IN_NAME, &from.to_string());
                link_is(a, OUT_NAME, &to.to_string());
                drop(a);
            });
        });
    }
    messages.push("change what the switch drops", BATCH_END, 0, &header(0, NFTABLES), |_| {});
    messages
}

/// Goes on with the next expression if the port has this name.
fn link_is(a: &mut Attributes<'_>, key: u32, name: &str) {
    let mut whole = [0; LINK_NAME];
    for (to, from) in whole.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    expression(a, "meta", |a| {
        a.be32(1, REGISTER).be32(2, key);
    });
    expression(a, "cmp", |a| {
        a.be32(1, REGISTER).be32(2, EQUAL).nest(3, |a| {
            a.bytes(1, &whole);
        });
    });
}

fn drop(a: &mut Attributes<'_>) {
    expression(a, "immediate", |a| {
        a.be32(1, VERDICT_REGISTER).nest(2, |a| {
            a.nest(2, |a| {
                a.be32(1, DROP);
            });
        });
    });
}

fn expression(a: &mut Attributes<'_>, name: &str, data: impl FnOnce(&mut Attributes<'_>)) {
    a.nest(1, |a| {
        a.text(1, name).nest(2, data);
    });
}

/// `nfgenmsg`: family, version, a number in the network's order.
fn header(family: u8, number: u16) -> [u8; 4] {
    let [high, low] = number.to_be_bytes();
    [family, 0, high, low]
}
