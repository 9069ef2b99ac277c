//! The link that has the host's own addresses on its networks.
//!
//! It is a bridge without ports: every kernel has bridges, not every one dummies. Nothing is sent by
//! it; routes to addresses that no container has lead to it, and end there.

use super::dump::Address;
use super::message::{
    CHANGE, CREATE, IFLA_BR_MCAST_SNOOPING, REPLACE, UP, address_header, link_header, route_header,
    without_link_local,
};
use super::{Refused, addresses, links, routes};
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
    let networks: Vec<&Network> = networks.into_iter().collect();
    let wanted: BTreeSet<(IpAddr, u8)> = networks
        .iter()
        .flat_map(|network| network.subnets.clone())
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
    match_routes(netlink, &mut messages, name, index, &networks)?;
    netlink.acknowledged(messages)?;
    Ok(index)
}

/// Routes to the networks' virtual addresses. What is sent to one is translated before it gets here;
/// the route is there so that it is sent at all, and from this host with an address that is answered.
fn match_routes(
    netlink: &mut Connection,
    messages: &mut Messages,
    name: &str,
    index: u32,
    networks: &[&Network],
) -> Result<(), Refused> {
    let of = |network: &&Network| {
        let network = (*network).clone();
        let ranges = network.services.clone().into_iter();
        ranges.filter_map(move |range| Some((range, network.gateway_for(range.addr())?)))
    };
    let wanted: Vec<(IpNet, IpAddr)> = networks.iter().flat_map(of).collect();
    let there =
        routes(netlink)?.into_iter().filter(|route| route.ours && route.link == Some(index));
    let stale = there.map(|r| r.destination).filter(|d| wanted.iter().all(|(net, _)| net != d));
    for net in stale {
        messages.push(format!("delete route to {net}"), libc::RTM_DELROUTE, CHANGE, |b| {
            b.raw(&route_header(net.addr(), net.prefix_len(), libc::RT_SCOPE_LINK))
                .address(libc::RTA_DST, net.addr())
                .u32(libc::RTA_OIF, index);
        });
    }
    for (net, own) in wanted {
        let what = format!("add route to {net} by {name}");
        messages.push(what, libc::RTM_NEWROUTE, REPLACE, |b| {
            b.raw(&route_header(net.addr(), net.prefix_len(), libc::RT_SCOPE_LINK))
                .address(libc::RTA_DST, net.addr())
                .u32(libc::RTA_OIF, index)
                .address(libc::RTA_PREFSRC, own);
        });
    }
    Ok(())
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
