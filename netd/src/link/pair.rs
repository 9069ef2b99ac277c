//! A veth pair between a container and the host.
//!
//! Everything that a container sends goes to the host, which routes it: the container has its address
//! alone, without a network around it, and a route to the host's. So no container hears another one's
//! frames, and every packet between two passes the host's rules. Both ends know each other's hardware
//! address for good: nobody is asked, so nobody can lie.

use super::Refused;
use super::dump::parse_link;
use super::message::{
    CHANGE, CREATE, IF_OPER_UP, REPLACE, UP, VETH_INFO_PEER, address_header, family, link_header,
    neighbour_header, route_header, without_link_local,
};
use crate::netlink::{Connection, Messages, attributes};
use netd_api::Mac;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

/// `IFALIASZ` of linux/if.h.
const IFALIASZ: usize = 256;
/// The loopback device is the first link of every namespace.
const LOOPBACK: u32 = 1;
/// The hardware address of the host's end of every pair: there are only two on each wire. Locally
/// administered (IEEE 802, bit 1).
pub const HOST_MAC: Mac = Mac([0x02, 0xf1, 0, 0, 0, 1]);

/// Index of `eth0`, `eth1` and so on: they get it in an otherwise empty namespace, because the
/// message that makes them asks for it.
fn inside_index(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX - LOOPBACK - 1) + LOOPBACK + 1
}

/// A pair to be made.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// Name and place of the container's end.
    pub interface: &'a str,
    pub number: usize,
    pub mac: Mac,
    /// Name of the host's end.
    pub link: &'a str,
    pub mtu: u32,
}

/// Makes a pair in the namespace that `inside` was opened in, with its other end in the namespace
/// `host`, and sets `lo` and the container's end up. The pair carries nothing until the host's end is
/// up.
pub fn make_pair(
    inside: &mut Connection,
    host: BorrowedFd<'_>,
    pair: Pair<'_>,
) -> Result<(), Refused> {
    let Pair { interface, number, mac, link, mtu } = pair;
    let host = u32::try_from(host.as_raw_fd()).unwrap_or_default();
    let index = inside_index(number);
    let mut messages = Messages::new();
    messages.push(format!("create veth {link}"), libc::RTM_NEWLINK, CREATE, |b| {
        b.raw(&link_header(index, 0, 0))
            .text(libc::IFLA_IFNAME, interface)
            .bytes(libc::IFLA_ADDRESS, &mac.0)
            .u32(libc::IFLA_MTU, mtu)
            .nest(libc::IFLA_LINKINFO, |b| {
                b.text(libc::IFLA_INFO_KIND, "veth").nest(libc::IFLA_INFO_DATA, |b| {
                    b.nest(VETH_INFO_PEER, |b| {
                        b.raw(&link_header(0, 0, 0))
                            .text(libc::IFLA_IFNAME, link)
                            .bytes(libc::IFLA_ADDRESS, &HOST_MAC.0)
                            .u32(libc::IFLA_MTU, mtu)
                            .u32(libc::IFLA_NET_NS_FD, host);
                    });
                });
            });
    });
    without_link_local(&mut messages, interface);
    for (index, name) in [(LOOPBACK, "lo"), (index, interface)] {
        messages.push(format!("set {name} up"), libc::RTM_NEWLINK, CHANGE, |b| {
            b.raw(&link_header(index, UP, UP));
        });
    }
    inside.acknowledged(messages)
}

/// Puts the host's end of a pair into a group, sets it up and gives its index.
pub fn open_host_end(netlink: &mut Connection, name: &str, group: u32) -> Result<u32, Refused> {
    let mut messages = Messages::new();
    without_link_local(&mut messages, name);
    messages.push(format!("set {name} up"), libc::RTM_NEWLINK, CHANGE, |b| {
        b.raw(&link_header(0, UP, UP)).text(libc::IFLA_IFNAME, name).u32(libc::IFLA_GROUP, group);
    });
    messages.push(format!("find link {name}"), libc::RTM_GETLINK, CHANGE, |b| {
        b.raw(&link_header(0, 0, 0)).text(libc::IFLA_IFNAME, name);
    });
    let mut index = None;
    netlink.answered(messages, |payload| index = parse_link(payload).map(|l| l.index))?;
    index.ok_or_else(|| Refused::new(format!("find link {name}"), io::ErrorKind::NotFound.into()))
}

/// Waits until the container's end carries something, when the host's end is open.
///
/// The end that was opened first had no carrier then. It gets its queue from a work queue of the
/// kernel at some time after the carrier came (linkwatch_run_queue in net/core/link_watch.c), and what
/// is sent before is lost; its state says when that has been. The other end was complete at once.
pub fn await_carrier(inside: &mut Connection, number: usize) -> Result<(), Refused> {
    /// What the kernel needs is a tenth of it.
    const BETWEEN: Duration = Duration::from_micros(100);
    /// A kernel this busy has other troubles: the container is started all the same.
    const PATIENCE: Duration = Duration::from_secs(1);
    let start = Instant::now();
    while !is_up(inside, number)? && start.elapsed() < PATIENCE {
        std::thread::park_timeout(BETWEEN);
    }
    Ok(())
}

fn is_up(inside: &mut Connection, number: usize) -> Result<bool, Refused> {
    let mut messages = Messages::new();
    messages.push("look at the link of a container", libc::RTM_GETLINK, CHANGE, |b| {
        b.raw(&link_header(inside_index(number), 0, 0));
    });
    let mut up = false;
    inside.answered(messages, |payload| {
        let state = payload.get(16..).and_then(|p| attributes(p).get(libc::IFLA_OPERSTATE));
        up = state == Some(&[IF_OPER_UP]);
    })?;
    Ok(up)
}

/// What a container finds at one of its links.
#[derive(Debug, Clone)]
pub struct Inside<'a> {
    /// Which of its links: the default routes lead through the first.
    pub number: usize,
    pub addresses: &'a [IpAddr],
    /// The host's addresses, one for each family.
    pub gateways: &'a [IpAddr],
    /// Of the whole network, for links other than the first.
    pub subnets: &'a [ipnet::IpNet],
}

/// Gives a container's link its addresses and routes, in one exchange.
pub fn configure(inside: &mut Connection, wanted: &Inside<'_>) -> Result<(), Refused> {
    let index = inside_index(wanted.number);
    let mut messages = Messages::new();
    for address in wanted.addresses {
        let prefix = whole(*address);
        messages.push(format!("add address {address}"), libc::RTM_NEWADDR, CREATE, |b| {
            b.raw(&address_header(*address, prefix, index))
                .address(libc::IFA_LOCAL, *address)
                .address(libc::IFA_ADDRESS, *address);
        });
    }
    for gateway in wanted.gateways {
        neighbour(&mut messages, index, *gateway, HOST_MAC);
        let what = format!("add route to {gateway}");
        messages.push(what, libc::RTM_NEWROUTE, CREATE, |b| {
            b.raw(&route_header(*gateway, whole(*gateway), libc::RT_SCOPE_LINK))
                .address(libc::RTA_DST, *gateway)
                .u32(libc::RTA_OIF, index);
        });
        let subnet = wanted.subnets.iter().find(|net| net.addr().is_ipv4() == gateway.is_ipv4());
        let beyond = if wanted.number == 0 { None } else { subnet };
        let prefix = beyond.map_or(0, ipnet::IpNet::prefix_len);
        let what = format!("add route through {gateway}");
        messages.push(what, libc::RTM_NEWROUTE, CREATE, |b| {
            b.raw(&route_header(*gateway, prefix, libc::RT_SCOPE_UNIVERSE))
                .address(libc::RTA_GATEWAY, *gateway)
                .u32(libc::RTA_OIF, index);
            if let Some(subnet) = beyond {
                b.address(libc::RTA_DST, subnet.network());
            }
        });
    }
    inside.acknowledged(messages)
}

/// Renames a container's link, or gives it another hardware address or MTU.
pub fn alter(
    inside: &mut Connection,
    number: usize,
    name: Option<&str>,
    mac: Option<Mac>,
    mtu: Option<u32>,
) -> Result<(), Refused> {
    let index = inside_index(number);
    let mut messages = Messages::new();
    // A link that is up keeps its name before Linux 6.2.
    let up = |messages: &mut Messages, flags| {
        messages.push("set the link of a container up or down", libc::RTM_NEWLINK, CHANGE, |b| {
            b.raw(&link_header(index, flags, UP));
        });
    };
    if name.is_some() {
        up(&mut messages, 0);
    }
    messages.push("change the link of a container", libc::RTM_NEWLINK, CHANGE, |b| {
        b.raw(&link_header(index, 0, 0));
        if let Some(name) = name {
            b.text(libc::IFLA_IFNAME, name);
        }
        if let Some(mac) = mac {
            b.bytes(libc::IFLA_ADDRESS, &mac.0);
        }
        if let Some(mtu) = mtu {
            b.u32(libc::IFLA_MTU, mtu);
        }
    });
    if name.is_some() {
        up(&mut messages, UP);
    }
    inside.acknowledged(messages)
}

/// The host's end of a pair.
#[derive(Debug, Clone)]
pub struct Outside<'a> {
    pub index: u32,
    pub group: u32,
    pub addresses: &'a [IpAddr],
    /// What this host calls itself to the container, one for each family.
    pub gateways: &'a [IpAddr],
    /// The other end's.
    pub mac: Mac,
    /// None: the one that the pair was made with.
    pub mtu: Option<u32>,
    /// For operators, and for a netd without a journal. One that is too long for an alias is left
    /// away.
    pub label: &'a str,
}

/// Routes to the container, whatever was there; also to repair what somebody has changed.
pub fn lead(netlink: &mut Connection, end: &Outside<'_>) -> Result<(), Refused> {
    let Outside { index, group, addresses, gateways, mac, mtu, label } = end;
    let mut messages = Messages::new();
    messages.push(format!("open the link of {label}"), libc::RTM_NEWLINK, CHANGE, |b| {
        b.raw(&link_header(*index, UP, UP)).u32(libc::IFLA_GROUP, *group);
        if let Some(mtu) = mtu {
            b.u32(libc::IFLA_MTU, *mtu);
        }
        if label.len() < IFALIASZ {
            b.bytes(libc::IFLA_IFALIAS, label.as_bytes());
        }
    });
    for address in *addresses {
        neighbour(&mut messages, *index, *address, *mac);
        messages.push(format!("add route to {address}"), libc::RTM_NEWROUTE, REPLACE, |b| {
            b.raw(&route_header(*address, whole(*address), libc::RT_SCOPE_LINK))
                .address(libc::RTA_DST, *address)
                .u32(libc::RTA_OIF, *index);
            if let Some(own) = gateways.iter().find(|own| own.is_ipv4() == address.is_ipv4()) {
                b.address(libc::RTA_PREFSRC, *own);
            }
        });
    }
    netlink.acknowledged(messages)
}

/// Puts a link into a group.
pub fn regroup(netlink: &mut Connection, index: u32, group: u32) -> Result<(), Refused> {
    let mut messages = Messages::new();
    messages.push("put a link into its network's group", libc::RTM_NEWLINK, CHANGE, |b| {
        b.raw(&link_header(index, 0, 0)).u32(libc::IFLA_GROUP, group);
    });
    netlink.acknowledged(messages)
}

fn neighbour(messages: &mut Messages, index: u32, address: IpAddr, mac: Mac) {
    messages.push(format!("add neighbour {address}"), libc::RTM_NEWNEIGH, REPLACE, |b| {
        b.raw(&neighbour_header(address, index))
            .address(libc::NDA_DST, address)
            .bytes(libc::NDA_LLADDR, &mac.0);
    });
}

/// The prefix length of one address.
fn whole(address: IpAddr) -> u8 {
    if i32::from(family(address)) == libc::AF_INET { 32 } else { 128 }
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
