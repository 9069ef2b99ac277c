//! A veth pair, made inside its namespace, and what the container finds there.

use super::Refused;
use super::message::{UP, VETH_INFO_PEER, address_header, link_header, route_header};
use crate::core::Mac;
use crate::netlink::{Connection, Messages};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

const CREATE: i32 = libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL;

/// The loopback device is the first link of every namespace.
const LOOPBACK: u32 = 1;
/// `eth0` gets this index in an otherwise empty namespace, because the message asks for it.
const ETH0: u32 = 2;

/// Makes `eth0` in the namespace that `inside` was opened in, with its peer called `peer` in the
/// namespace `host`. Only `lo` and `eth0` are in it afterwards, both up; the pair carries nothing
/// until the peer is up.
pub fn make_pair(
    inside: &mut Connection,
    host: BorrowedFd<'_>,
    peer: &str,
    mtu: u32,
) -> Result<(), Refused> {
    let host = u32::try_from(host.as_raw_fd()).unwrap_or_default();
    let mut messages = Messages::new();
    messages.push(format!("create veth {peer}"), libc::RTM_NEWLINK, CREATE, |b| {
        b.raw(&link_header(ETH0, 0, 0))
            .text(libc::IFLA_IFNAME, "eth0")
            .u32(libc::IFLA_MTU, mtu)
            .nest(libc::IFLA_LINKINFO, |b| {
                b.text(libc::IFLA_INFO_KIND, "veth").nest(libc::IFLA_INFO_DATA, |b| {
                    b.nest(VETH_INFO_PEER, |b| {
                        b.raw(&link_header(0, 0, 0))
                            .text(libc::IFLA_IFNAME, peer)
                            .u32(libc::IFLA_MTU, mtu)
                            .u32(libc::IFLA_NET_NS_FD, host);
                    });
                });
            });
    });
    for (index, name) in [(LOOPBACK, "lo"), (ETH0, "eth0")] {
        messages.push(format!("set {name} up"), libc::RTM_NEWLINK, libc::NLM_F_ACK, |b| {
            b.raw(&link_header(index, UP, UP));
        });
    }
    inside.acknowledged(messages)
}

/// Where an endpoint is on its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub address: Ipv4Addr,
    pub prefix: u8,
    pub gateway: Ipv4Addr,
}

/// Gives `eth0` its hardware address, address and default route, in one exchange.
pub fn configure(inside: &mut Connection, place: Place) -> Result<(), Refused> {
    let Place { address, prefix, gateway } = place;
    let mut messages = Messages::new();
    messages.push("set the hardware address of eth0", libc::RTM_NEWLINK, libc::NLM_F_ACK, |b| {
        b.raw(&link_header(ETH0, 0, 0)).bytes(libc::IFLA_ADDRESS, &Mac::of(address).0);
    });
    messages.push(format!("add address {address}/{prefix}"), libc::RTM_NEWADDR, CREATE, |b| {
        b.raw(&address_header(prefix, ETH0))
            .bytes(libc::IFA_LOCAL, &address.octets())
            .bytes(libc::IFA_ADDRESS, &address.octets());
    });
    messages.push(format!("add route through {gateway}"), libc::RTM_NEWROUTE, CREATE, |b| {
        b.raw(&route_header(0))
            .bytes(libc::RTA_GATEWAY, &gateway.octets())
            .u32(libc::RTA_OIF, ETH0);
    });
    inside.acknowledged(messages)
}
