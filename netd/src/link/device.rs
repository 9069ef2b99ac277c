//! The link that has the host's own addresses on its networks.
//!
//! It is a bridge without ports: every kernel has bridges, not every one dummies. Nothing is sent by
//! it; routes to addresses that no container has lead to it, and end there.

use super::dump::Address;
use super::message::{
    CHANGE, CREATE, IFLA_BR_MCAST_SNOOPING, REPLACE, UP, address_header, link_header,
    without_link_local,
};
use super::{Refused, addresses, links};
use crate::core::Network;
use crate::netlink::{Connection, Messages};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

/// Written into the link's alias, so that a netd that lost its journal knows it for one of ours.
const ALIAS: &str = "flotilla";

/// Makes the link what the networks want: there, up, with the networks' gateways as its addresses and
/// no others. Gives its index.
pub fn ensure_device<'a>(
    netlink: &mut Connection,
    name: &str,
    networks: impl IntoIterator<Item = &'a Network>,
) -> Result<u32, Refused> {
    let index = match find_device(netlink, name)? {
        Some(index) => index,
        None => create(netlink, name)?,
    };
    let subnets = networks.into_iter().flat_map(|network| network.subnets.clone());
    let wanted: BTreeSet<(IpAddr, u8)> = subnets
        .map(|subnet: IpNet| (crate::core::network::gateway(&subnet), subnet.prefix_len()))
        .collect();
    let there = addresses(netlink)?.into_iter().filter(|address| address.link == index);
    let there: BTreeSet<(IpAddr, u8)> = there.map(|a: Address| (a.address, a.prefix)).collect();
    let mut messages = Messages::new();
    for (address, prefix) in there.difference(&wanted) {
        let what = format!("delete address {address}/{prefix} of {name}");
        messages.push(what, libc::RTM_DELADDR, CHANGE, |b| {
            b.raw(&address_header(*address, *prefix, index)).address(libc::IFA_LOCAL, *address);
        });
    }
    messages.push(format!("set {name} up"), libc::RTM_NEWLINK, CHANGE, |b| {
        b.raw(&link_header(index, UP, UP));
    });
    for (address, prefix) in wanted.difference(&there) {
        let what = format!("add address {address}/{prefix} to {name}");
        messages.push(what, libc::RTM_NEWADDR, REPLACE, |b| {
            b.raw(&address_header(*address, *prefix, index))
                .address(libc::IFA_LOCAL, *address)
                .address(libc::IFA_ADDRESS, *address);
        });
    }
    netlink.acknowledged(messages)?;
    Ok(index)
}

/// Index of our link of that name. A link that is not ours is an error, and is left alone.
pub fn find_device(netlink: &mut Connection, name: &str) -> Result<Option<u32>, Refused> {
    match links(netlink)?.into_iter().find(|l| l.name == name) {
        Some(link) if link.kind == "bridge" && link.alias == ALIAS => Ok(Some(link.index)),
        Some(_) => {
            let cause = io::Error::other(
                "a link of that name is there and netd did not make it: remove it or choose \
                 another name with --device",
            );
            Err(Refused::new(format!("create link {name}"), cause))
        }
        None => Ok(None),
    }
}

fn create(netlink: &mut Connection, name: &str) -> Result<u32, Refused> {
    let mut messages = Messages::new();
    messages.push(format!("create link {name}"), libc::RTM_NEWLINK, CREATE, |b| {
        b.raw(&link_header(0, 0, 0)).text(libc::IFLA_IFNAME, name).nest(libc::IFLA_LINKINFO, |b| {
            b.text(libc::IFLA_INFO_KIND, "bridge").nest(libc::IFLA_INFO_DATA, |b| {
                b.bytes(IFLA_BR_MCAST_SNOOPING, &[0]);
            });
        });
    });
    // In a second message: the first ignores an alias.
    messages.push(format!("name link {name} as ours"), libc::RTM_NEWLINK, CHANGE, |b| {
        b.raw(&link_header(0, 0, 0))
            .text(libc::IFLA_IFNAME, name)
            .bytes(libc::IFLA_IFALIAS, ALIAS.as_bytes());
    });
    without_link_local(&mut messages, name);
    netlink.acknowledged(messages)?;
    links(netlink)?
        .into_iter()
        .find(|l| l.name == *name)
        .map(|l| l.index)
        .ok_or_else(|| Refused::new(format!("find link {name}"), io::ErrorKind::NotFound.into()))
}
