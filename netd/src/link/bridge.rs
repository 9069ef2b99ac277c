//! The bridge, and the host's side of the veth pairs on it.

use super::dump::parse_link;
use super::message::{
    IFLA_BR_MCAST_SNOOPING, IFLA_BRPORT_MODE, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE, UP,
    address_header, link_header,
};
use super::{Address, Refused, addresses, links};
use crate::core::{Mac, Network};
use crate::netlink::{Connection, Messages};
use crate::sysctl;
use std::io;

/// `IFALIASZ` of linux/if.h.
const IFALIASZ: usize = 256;
/// Written into the bridge's alias, so that a netd that lost its journal knows it for one of ours.
const ALIAS: &str = "flotilla";
const CHANGE: i32 = libc::NLM_F_ACK;
const CREATE: i32 = libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL;

/// Makes the bridge what the network wants: there, with the gateway's address only, up. Gives its
/// index.
///
/// Its hardware address is fixed: a bridge without one takes the lowest of its ports', which would
/// change under the containers' neighbour tables.
pub fn ensure_bridge(
    netlink: &mut Connection,
    network: &Network,
    mtu: u32,
) -> Result<u32, Refused> {
    let name = &network.bridge;
    let index = match find_bridge(netlink, name)? {
        Some(index) => index,
        None => create(netlink, network)?,
    };
    let wanted = (network.gateway(), network.subnet.prefix_len());
    let stale: Vec<Address> = addresses(netlink)?
        .into_iter()
        .filter(|a| a.link == index && (a.address, a.prefix) != wanted)
        .collect();
    let mut messages = Messages::new();
    for Address { address, prefix, .. } in stale {
        let what = format!("delete address {address}/{prefix} of {name}");
        messages.push(what, libc::RTM_DELADDR, CHANGE, |b| {
            b.raw(&address_header(prefix, index)).bytes(libc::IFA_LOCAL, &address.octets());
        });
    }
    let prefix = network.subnet.prefix_len();
    let what = format!("add address {}/{prefix} to {name}", network.gateway());
    let flags = libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
    messages.push(what, libc::RTM_NEWADDR, flags, |b| {
        b.raw(&address_header(prefix, index))
            .bytes(libc::IFA_LOCAL, &network.gateway().octets())
            .bytes(libc::IFA_ADDRESS, &network.gateway().octets())
            .bytes(libc::IFA_BROADCAST, &network.subnet.broadcast().octets());
    });
    without_link_local(&mut messages, name);
    messages.push(format!("set {name} up"), libc::RTM_NEWLINK, CHANGE, |b| {
        b.raw(&link_header(index, UP, UP))
            .bytes(libc::IFLA_ADDRESS, &Mac::of(network.gateway()).0)
            .u32(libc::IFLA_MTU, mtu);
    });
    netlink.acknowledged(messages)?;
    Ok(index)
}

/// The index of our bridge of that name, if it is there. A link of that name that is not ours is an
/// error.
pub fn find_bridge(netlink: &mut Connection, name: &str) -> Result<Option<u32>, Refused> {
    match links(netlink)?.into_iter().find(|l| l.name == name) {
        Some(link) if link.kind == "bridge" && link.alias == ALIAS => Ok(Some(link.index)),
        Some(_) => {
            let cause = io::Error::other(
                "a link of that name is there and netd did not make it: remove it or choose \
                 another name with --bridge",
            );
            Err(Refused::new(format!("create bridge {name}"), cause))
        }
        None => Ok(None),
    }
}

fn create(netlink: &mut Connection, network: &Network) -> Result<u32, Refused> {
    let name = &network.bridge;
    let mut messages = Messages::new();
    messages.push(format!("create bridge {name}"), libc::RTM_NEWLINK, CREATE, |b| {
        b.raw(&link_header(0, 0, 0))
            .text(libc::IFLA_IFNAME, name)
            .bytes(libc::IFLA_ADDRESS, &Mac::of(network.gateway()).0)
            .nest(libc::IFLA_LINKINFO, |b| {
                b.text(libc::IFLA_INFO_KIND, "bridge").nest(libc::IFLA_INFO_DATA, |b| {
                    b.bytes(IFLA_BR_MCAST_SNOOPING, &[0]);
                });
            });
    });
    // In a second message: the first ignores an alias.
    messages.push(format!("name bridge {name} as ours"), libc::RTM_NEWLINK, CHANGE, |b| {
        b.raw(&link_header(0, 0, 0))
            .text(libc::IFLA_IFNAME, name)
            .bytes(libc::IFLA_IFALIAS, ALIAS.as_bytes());
    });
    netlink.acknowledged(messages)?;
    links(netlink)?
        .into_iter()
        .find(|l| l.name == *name)
        .map(|l| l.index)
        .ok_or_else(|| Refused::new(format!("find bridge {name}"), io::ErrorKind::NotFound.into()))
}

/// Puts a link on the bridge, sets it up and gives its index. In the message that makes a pair, the
/// peer's part ignores the bridge and refuses `up`, so this is a message of its own.
pub fn join_bridge(netlink: &mut Connection, bridge: u32, name: &str) -> Result<u32, Refused> {
    let mut messages = Messages::new();
    without_link_local(&mut messages, name);
    messages.push(format!("put {name} on the bridge"), libc::RTM_NEWLINK, CHANGE, |b| {
        b.raw(&link_header(0, UP, UP)).text(libc::IFLA_IFNAME, name).u32(libc::IFLA_MASTER, bridge);
    });
    // A container through a published port to itself: with br_netfilter such a frame does not come
    // up to the host, and has to leave by the port that it came in by.
    messages.push(format!("turn frames round at {name}"), libc::RTM_NEWLINK, CHANGE, |b| {
        b.raw(&link_header(0, 0, 0)).text(libc::IFLA_IFNAME, name);
        b.nest(libc::IFLA_LINKINFO, |b| {
            b.text(libc::IFLA_INFO_SLAVE_KIND, "bridge").nest(libc::IFLA_INFO_SLAVE_DATA, |b| {
                b.bytes(IFLA_BRPORT_MODE, &[1]);
            });
        });
    });
    messages.push(format!("find link {name}"), libc::RTM_GETLINK, CHANGE, |b| {
        b.raw(&link_header(0, 0, 0)).text(libc::IFLA_IFNAME, name);
    });
    let mut index = None;
    netlink.answered(messages, |payload| index = parse_link(payload).map(|l| l.index))?;
    index.ok_or_else(|| Refused::new(format!("find link {name}"), io::ErrorKind::NotFound.into()))
}

/// The host has no IPv6 address on the containers' network. To be said before the link is up: one
/// message with both gives the address first.
fn without_link_local(messages: &mut Messages, name: &str) {
    if !sysctl::has_ipv6() {
        return;
    }
    messages.push(format!("keep {name} without IPv6"), libc::RTM_NEWLINK, CHANGE, |b| {
        b.raw(&link_header(0, 0, 0)).text(libc::IFLA_IFNAME, name);
        b.nest(libc::IFLA_AF_SPEC, |b| {
            b.nest(libc::AF_INET6 as u16, |b| {
                b.bytes(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE]);
            });
        });
    });
}

/// Writes onto a link which endpoint it is of: for operators, and for a netd without a journal. An
/// alias holds 255 bytes, an id may have one more and then leaves none.
pub fn label(netlink: &mut Connection, index: u32, id: &str) -> Result<(), Refused> {
    if id.len() >= IFALIASZ {
        return Ok(());
    }
    let mut messages = Messages::new();
    messages.push(format!("label the link of {id}"), libc::RTM_NEWLINK, CHANGE, |b| {
        b.raw(&link_header(index, 0, 0)).bytes(libc::IFLA_IFALIAS, id.as_bytes());
    });
    netlink.acknowledged(messages)
}

/// Deletes a link, with its peer if it is one of a pair; one that is gone already is no error.
pub fn delete(netlink: &mut Connection, index: u32, name: &str) -> Result<(), Refused> {
    let mut messages = Messages::new();
    messages.push(format!("delete link {name}"), libc::RTM_DELLINK, CHANGE, |b| {
        b.raw(&link_header(index, 0, 0));
    });
    match netlink.acknowledged(messages) {
        Err(e) if e.is(libc::ENODEV) => Ok(()),
        other => other,
    }
}
