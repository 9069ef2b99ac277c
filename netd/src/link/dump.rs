//! What links, addresses and routes the kernel has.

use super::Refused;
use super::message::{address_header, link_header};
use crate::netlink::{Connection, attributes};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// A link of the namespace that the socket is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    pub name: String,
    /// `bridge`, `veth`...; empty for hardware.
    pub kind: String,
    pub alias: String,
    /// Index of the bridge it is a port of.
    pub controller: Option<u32>,
    pub mtu: u32,
    pub up: bool,
}

pub fn links(netlink: &mut Connection) -> Result<Vec<Link>, Refused> {
    let mut links: Vec<Link> = Vec::new();
    netlink.dump("list links", libc::RTM_GETLINK, &link_header(0, 0, 0), |kind, payload| {
        if kind == libc::RTM_NEWLINK
            && let Some(link) = parse_link(payload)
            && links.iter().all(|l| l.index != link.index)
        {
            links.push(link);
        }
    })?;
    Ok(links)
}

/// Reads an `RTM_NEWLINK` or `RTM_DELLINK`.
pub(super) fn parse_link(payload: &[u8]) -> Option<Link> {
    let word = |at: usize| Some(u32::from_ne_bytes(payload.get(at..at + 4)?.try_into().ok()?));
    let found = attributes(payload.get(16..)?);
    let kind = found.nested(libc::IFLA_LINKINFO).and_then(|i| i.text(libc::IFLA_INFO_KIND));
    Some(Link {
        index: word(4)?,
        name: found.text(libc::IFLA_IFNAME)?.to_owned(),
        kind: kind.unwrap_or_default().to_owned(),
        alias: found.text(libc::IFLA_IFALIAS).unwrap_or_default().to_owned(),
        controller: found.u32(libc::IFLA_MASTER),
        mtu: found.u32(libc::IFLA_MTU).unwrap_or(0),
        up: word(8)? & super::message::UP != 0,
    })
}

/// An IPv4 address of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    pub link: u32,
    pub address: Ipv4Addr,
    pub prefix: u8,
}

/// The IPv4 addresses of all links.
pub fn addresses(netlink: &mut Connection) -> Result<Vec<Address>, Refused> {
    let mut found = Vec::new();
    netlink.dump("list addresses", libc::RTM_GETADDR, &address_header(0, 0), |_, payload| {
        if let Some(address) = parse_address(payload)
            && !found.contains(&address)
        {
            found.push(address);
        }
    })?;
    Ok(found)
}

fn parse_address(payload: &[u8]) -> Option<Address> {
    let link = u32::from_ne_bytes(payload.get(4..8)?.try_into().ok()?);
    let address = attributes(payload.get(8..)?).get(libc::IFA_LOCAL).and_then(ipv4)?;
    Some(Address { link, address, prefix: *payload.get(1)? })
}

/// An IPv4 route of any table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub destination: Ipv4Net,
    /// Index of the link it leads out of.
    pub link: Option<u32>,
}

pub fn routes(netlink: &mut Connection) -> Result<Vec<Route>, Refused> {
    let mut header = [0; 12];
    header[0] = libc::AF_INET as u8;
    let mut routes = Vec::new();
    netlink.dump("list routes", libc::RTM_GETROUTE, &header, |_, payload| {
        let (Some(header), Some(rest)) = (payload.get(..12), payload.get(12..)) else { return };
        let found = attributes(rest);
        let address = found.get(libc::RTA_DST).and_then(ipv4).unwrap_or(Ipv4Addr::UNSPECIFIED);
        if header[7] == libc::RTN_UNICAST
            && let Ok(destination) = Ipv4Net::new(address, header[1])
        {
            routes.push(Route { destination, link: found.u32(libc::RTA_OIF) });
        }
    })?;
    Ok(routes)
}

fn ipv4(bytes: &[u8]) -> Option<Ipv4Addr> {
    Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?))
}
