//! What nftables has: our tables, and other programs' chains that drop what is forwarded.

use super::batch::{INET, header, kind};
use super::element;
use super::uapi::*;
use crate::core::ruleset::{Element, SETS};
use crate::netlink::{Connection, Family, Refused, attributes, body};

use std::collections::{BTreeMap, BTreeSet};

const NFGENMSG: usize = 4;

/// The families in which a table of that name is.
pub(super) fn tables(connection: &mut Connection, name: &str) -> Result<Vec<i32>, Refused> {
    let mut families = Vec::new();
    let request = kind(libc::NFT_MSG_GETTABLE);
    connection.dump("list tables", request, &header(libc::NFPROTO_UNSPEC), |_, payload| {
        let (Some(family), Some(rest)) = (payload.first(), payload.get(NFGENMSG..)) else { return };
        let family = i32::from(*family);
        if attributes(rest).text(NFTA_TABLE_NAME) == Some(name) && !families.contains(&family) {
            families.push(family);
        }
    })?;
    Ok(families)
}

/// The elements of our sets, as far as they have the form that we write.
pub(super) fn elements(connection: &mut Connection, table: &str) -> Result<Vec<Element>, Refused> {
    let mut found = Vec::new();
    if !tables(connection, table)?.contains(&INET) {
        return Ok(found);
    }
    for set in SETS {
        let request = body(|b| {
            b.raw(&header(INET))
                .text(NFTA_SET_ELEM_LIST_TABLE, table)
                .text(NFTA_SET_ELEM_LIST_SET, set.name);
        });
        let kind = kind(libc::NFT_MSG_GETSETELEM);
        let mut elements = Vec::new();
        let dumped = connection.dump("list set elements", kind, &request, |_, payload| {
            let list = payload.get(NFGENMSG..).map(attributes);
            let list = list.and_then(|a| a.nested(NFTA_SET_ELEM_LIST_ELEMENTS));
            for (_, one) in list.into_iter().flatten() {
                elements.extend(element::parse(set, &attributes(one)));
            }
        });
        match dumped {
            // An older netd's table may lack the set.
            Err(e) if e.is(libc::ENOENT) => {}
            other => other?,
        }
        found.extend(element::assemble(set, elements));
    }
    Ok(found)
}

/// How many rules each chain of our table has; none: there is no table.
pub(super) fn rules(
    connection: &mut Connection,
    table: &str,
) -> Result<Option<BTreeMap<String, usize>>, Refused> {
    if !tables(connection, table)?.contains(&INET) {
        return Ok(None);
    }
    let request = body(|b| {
        b.raw(&header(INET)).text(NFTA_RULE_TABLE, table);
    });
    let mut handles = BTreeSet::new();
    connection.dump("list rules", kind(libc::NFT_MSG_GETRULE), &request, |_, payload| {
        let Some(found) = payload.get(NFGENMSG..).map(attributes) else { return };
        // Before Linux 5.3 the rules of other tables come along.
        if found.text(NFTA_RULE_TABLE) == Some(table)
            && let (Some(chain), Some(handle)) =
                (found.text(NFTA_RULE_CHAIN), found.get(NFTA_RULE_HANDLE))
        {
            handles.insert((handle.to_vec(), chain.to_owned()));
        }
    })?;
    let mut rules = BTreeMap::new();
    for (_, chain) in handles {
        *rules.entry(chain).or_default() += 1;
    }
    Ok(Some(rules))
}

/// A chain at the forward hook whose policy is to drop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignChain {
    pub family: &'static str,
    pub table: String,
    pub chain: String,
}

/// Chains that drop forwarded packets which none of their rules accepts, as those of Docker and of
/// ufw do. Ours accept by policy and are never among them.
pub fn dropping_forward_chains() -> Result<Vec<ForeignChain>, Refused> {
    let open = |e| Refused::new("open netlink", e);
    let mut connection = Connection::open(Family::Netfilter).map_err(open)?;
    let mut found = Vec::new();
    let request = kind(libc::NFT_MSG_GETCHAIN);
    connection.dump("list chains", request, &header(libc::NFPROTO_UNSPEC), |_, payload| {
        if let Some(chain) = parse_dropping(payload)
            && !found.contains(&chain)
        {
            found.push(chain);
        }
    })?;
    Ok(found)
}

fn parse_dropping(payload: &[u8]) -> Option<ForeignChain> {
    let family = match i32::from(*payload.first()?) {
        libc::NFPROTO_IPV4 => "ip",
        libc::NFPROTO_INET => "inet",
        libc::NFPROTO_BRIDGE => "bridge",
        _ => return None,
    };
    let found = attributes(payload.get(NFGENMSG..)?);
    let point = found.nested(NFTA_CHAIN_HOOK)?.be32(NFTA_HOOK_HOOKNUM)?;
    let drops = found.be32(NFTA_CHAIN_POLICY)? == libc::NF_DROP as u32;
    (drops && point == libc::NF_INET_FORWARD as u32).then(|| ForeignChain {
        family,
        table: found.text(NFTA_CHAIN_TABLE).unwrap_or_default().to_owned(),
        chain: found.text(NFTA_CHAIN_NAME).unwrap_or_default().to_owned(),
    })
}
