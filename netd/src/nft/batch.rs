//! One transaction: a list of messages between a begin and an end (linux/netfilter/nfnetlink.h).

use super::element::{self, PER_MESSAGE};
use super::expression::expression;
use super::uapi::*;
use crate::core::ruleset::{Chain, Element, Table};
use crate::netlink::{Builder, Messages};
use std::collections::BTreeMap;

const SUBSYSTEM: u16 = (libc::NFNL_SUBSYS_NFTABLES as u16) << 8;
/// The family of our table. A netd before this one had one of the bridge family too.
pub(super) const INET: i32 = libc::NFPROTO_INET;
const CREATE: i32 = libc::NLM_F_CREATE | libc::NLM_F_EXCL;

pub(super) struct Batch<'a> {
    table: &'a str,
    messages: Messages,
    sets: u32,
}

/// The type of an nftables message.
pub(super) fn kind(message: i32) -> u16 {
    SUBSYSTEM | message as u16
}

/// `nfgenmsg`: family, version 0, resource id in network order.
pub(super) fn header(family: i32) -> [u8; 4] {
    [family as u8, 0, 0, 0]
}

impl<'a> Batch<'a> {
    pub(super) fn new(table: &'a str) -> Self {
        let mut batch = Self { table, messages: Messages::new(), sets: 0 };
        batch.mark("begin transaction", libc::NFNL_MSG_BATCH_BEGIN);
        batch
    }

    pub(super) fn finish(mut self) -> Messages {
        self.mark("commit transaction", libc::NFNL_MSG_BATCH_END);
        self.messages
    }

    fn mark(&mut self, what: &str, kind: i32) {
        self.messages.push(what, kind as u16, 0, |b| {
            b.raw(&[0, 0, 0, libc::NFNL_SUBSYS_NFTABLES as u8]);
        });
    }

    fn push(
        &mut self,
        what: String,
        message: i32,
        flags: i32,
        family: i32,
        fill: impl FnOnce(&mut Builder<'_>),
    ) {
        self.messages.push(what, kind(message), flags, |b| fill(b.raw(&header(family))));
    }

    pub(super) fn delete_table(&mut self, family: i32) {
        let table = self.table;
        self.push(format!("delete table {table}"), libc::NFT_MSG_DELTABLE, 0, family, |b| {
            b.text(NFTA_TABLE_NAME, table);
        });
    }

    pub(super) fn add_empty_table(&mut self, flags: u32) {
        let table = self.table;
        self.push(format!("add table {table}"), libc::NFT_MSG_NEWTABLE, CREATE, INET, |b| {
            b.text(NFTA_TABLE_NAME, table).be32(NFTA_TABLE_FLAGS, flags);
        });
    }

    pub(super) fn add_table(&mut self, description: &Table, flags: u32) {
        let (table, family) = (self.table, INET);
        self.add_empty_table(flags);
        for set in description.sets {
            self.sets += 1;
            let id = self.sets;
            let what = format!("add set {}", set.name);
            self.push(what, libc::NFT_MSG_NEWSET, CREATE, family, |b| {
                element::set(b, table, set, id);
            });
        }
        for chain in &description.chains {
            self.add_chain(chain);
        }
        for chain in &description.chains {
            for (number, rule) in (1..).zip(&chain.rules) {
                let what = format!("add rule {number} of chain {}", chain.name);
                let flags = CREATE | libc::NLM_F_APPEND;
                self.push(what, libc::NFT_MSG_NEWRULE, flags, family, |b| {
                    b.text(NFTA_RULE_TABLE, table).text(NFTA_RULE_CHAIN, &chain.name);
                    b.nest(NFTA_RULE_EXPRESSIONS, |b| {
                        for step in rule {
                            expression(b, step);
                        }
                    });
                });
            }
        }
    }

    fn add_chain(&mut self, chain: &Chain) {
        let (table, family) = (self.table, INET);
        let what = format!("add chain {}", chain.name);
        self.push(what, libc::NFT_MSG_NEWCHAIN, CREATE, family, |b| {
            b.text(NFTA_CHAIN_TABLE, table).text(NFTA_CHAIN_NAME, &chain.name);
            if let Some(hook) = chain.hook {
                b.text(NFTA_CHAIN_TYPE, hook.kind);
                b.be32(NFTA_CHAIN_POLICY, libc::NF_ACCEPT as u32);
                b.nest(NFTA_CHAIN_HOOK, |b| {
                    b.be32(NFTA_HOOK_HOOKNUM, hook.point as u32)
                        .be32(NFTA_HOOK_PRIORITY, hook.priority.cast_unsigned());
                });
            }
        });
    }

    pub(super) fn add_elements<'e>(&mut self, elements: impl IntoIterator<Item = &'e Element>) {
        self.elements("add to", libc::NFT_MSG_NEWSETELEM, libc::NLM_F_CREATE, elements);
    }

    pub(super) fn delete_elements<'e>(&mut self, elements: impl IntoIterator<Item = &'e Element>) {
        self.elements("delete from", libc::NFT_MSG_DELSETELEM, 0, elements);
    }

    fn elements<'e>(
        &mut self,
        verb: &str,
        message: i32,
        flags: i32,
        elements: impl IntoIterator<Item = &'e Element>,
    ) {
        let mut by_set: BTreeMap<&'static str, Vec<&Element>> = BTreeMap::new();
        for element in elements {
            by_set.entry(element.set).or_default().push(element);
        }
        let table = self.table;
        for (set, elements) in by_set {
            for some in elements.chunks(PER_MESSAGE) {
                self.push(format!("{verb} set {set}"), message, flags, INET, |b| {
                    element::elements(b, table, set, some);
                });
            }
        }
    }
}
