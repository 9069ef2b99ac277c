//! What links, addresses and routes the kernel has.

use super::Refused;
use super::message::{PROTOCOL, link_header};
use crate::netlink::{Connection, attributes};
use ipnet::IpNet;
use netd_api::Mac;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A link of the namespace that the socket is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    pub name: String,
    /// `bridge`, `veth`...; empty for hardware.
    pub kind: String,
    pub alias: String,
    pub group: u32,
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
        group: found.u32(libc::IFLA_GROUP).unwrap_or_default(),
        mtu: found.u32(libc::IFLA_MTU).unwrap_or(0),
        up: word(8)? & super::message::UP != 0,
    })
}

/// An address of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    pub link: u32,
    pub address: IpAddr,
    pub prefix: u8,
}

/// The addresses of all links, of both families.
pub fn addresses(netlink: &mut Connection) -> Result<Vec<Address>, Refused> {
    let mut found = Vec::new();
    netlink.dump("list addresses", libc::RTM_GETADDR, &[0; 8], |_, payload| {
        if let Some(address) = parse_address(payload)
            && !found.contains(&address)
        {
            found.push(address);
        }
    })?;
    Ok(found)
}

/// Reads an `RTM_NEWADDR` or `RTM_DELADDR`.
pub(super) fn parse_address(payload: &[u8]) -> Option<Address> {
    let link = u32::from_ne_bytes(payload.get(4..8)?.try_into().ok()?);
    let found = attributes(payload.get(8..)?);
    // In IPv4 the other one is the far end's; IPv6 has only the other one.
    let address = found.get(libc::IFA_LOCAL).or_else(|| found.get(libc::IFA_ADDRESS));
    Some(Address { link, address: address.and_then(parse_ip)?, prefix: *payload.get(1)? })
}

/// A unicast route of any table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub destination: IpNet,
    /// Index of the link it leads out of.
    pub link: Option<u32>,
    /// Whether netd made it.
    pub ours: bool,
}

/// The routes of both families.
pub fn routes(netlink: &mut Connection) -> Result<Vec<Route>, Refused> {
    let mut routes = Vec::new();
    netlink.dump("list routes", libc::RTM_GETROUTE, &[0; 12], |_, payload| {
        routes.extend(parse_route(payload));
    })?;
    Ok(routes)
}

/// Reads an `RTM_NEWROUTE` or `RTM_DELROUTE`.
pub(super) fn parse_route(payload: &[u8]) -> Option<Route> {
    let header = payload.get(..12)?;
    let found = attributes(payload.get(12..)?);
    let any: IpAddr = match i32::from(header[0]) {
        libc::AF_INET => Ipv4Addr::UNSPECIFIED.into(),
        libc::AF_INET6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return None,
    };
    let address = found.get(libc::RTA_DST).and_then(parse_ip).unwrap_or(any);
    let destination = IpNet::new(address, header[1]).ok()?;
    let ours = header[5] == PROTOCOL;
    (header[7] == libc::RTN_UNICAST).then(|| Route {
        destination,
        link: found.u32(libc::RTA_OIF),
        ours,
    })
}

/// The neighbours that were told for good, of both families.
pub fn neighbours(netlink: &mut Connection) -> Result<Vec<(IpAddr, Mac)>, Refused> {
    let mut neighbours = Vec::new();
    netlink.dump("list neighbours", libc::RTM_GETNEIGH, &[0; 12], |_, payload| {
        let Some(found) = payload.get(12..).map(attributes) else { return };
        let address = found.get(libc::NDA_DST).and_then(parse_ip);
        let mac = found.get(libc::NDA_LLADDR).and_then(|mac| Some(Mac(mac.try_into().ok()?)));
        neighbours.extend(address.zip(mac));
    })?;
    Ok(neighbours)
}

pub(super) fn parse_ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => None,
    }
}
