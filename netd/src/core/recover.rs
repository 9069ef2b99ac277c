//! Networks and endpoints without a journal: what the kernel still knows of them.
//!
//! A lost state directory must not cost a running container its network. Its links carry its id and
//! the names of its networks, and are in their groups; the host's own link has the networks' subnets,
//! the sets have addresses and ports, the neighbours hardware addresses. The endpoints' names come with
//! the next document.

use super::network::OURS;
use super::plan::ObservedLink;
use super::ruleset::{Element, INTERNAL, PUBLISHED, PUBLISHED_ON, SOURCES, Set, Value};
use super::{Binding, Network, Place, Record};
use ipnet::IpNet;
use netd_api::{
    Attachment, EndpointId, EndpointSpec, LinkName, Mac, NetworkName, OwnerName, PortMapping,
    Protocol,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What the alias of an endpoint's link says. It holds 255 bytes: a longer one is left away, and the
/// endpoint is not found again.
pub fn label(id: &EndpointId, network: &NetworkName) -> String {
    format!("{id} {network}")
}

/// What a netd left in the kernel.
#[derive(Debug, Default)]
pub struct Left {
    /// With their aliases.
    pub links: Vec<(ObservedLink, String)>,
    pub elements: Vec<Element>,
    pub neighbours: Vec<(IpAddr, Mac)>,
    /// Of the addresses of the host's own link.
    pub subnets: Vec<IpNet>,
}

/// A link of an endpoint.
struct Found<'a> {
    link: &'a ObservedLink,
    id: EndpointId,
    network: NetworkName,
    addresses: Vec<IpAddr>,
}

impl Left {
    /// The links in groups of ours that are endpoints'. One without an address in the sets is of the
    /// pool, or was being attached or detached: nobody has it.
    fn found(&self, groups: u32) -> impl Iterator<Item = Found<'_>> {
        let ours = self.links.iter().filter(move |(link, _)| link.group & OURS == groups);
        ours.filter_map(|(link, alias)| {
            let (id, network) = alias.split_once(' ')?;
            let (id, network) = (EndpointId::new(id).ok()?, NetworkName::new(network).ok()?);
            let addresses = sources(&self.elements, link.index);
            (!addresses.is_empty()).then_some(Found { link, id, network, addresses })
        })
    }

    /// The subnets that a network had, as far as endpoints on it show them.
    fn subnets_of(&self, network: &NetworkName, groups: u32) -> Vec<IpNet> {
        let on = self.found(groups).filter(|found| found.network == *network);
        let addresses: Vec<IpAddr> = on.flat_map(|found| found.addresses).collect();
        let has = |net: &&IpNet| addresses.iter().any(|address| net.contains(address));
        let mut subnets: Vec<IpNet> = self.subnets.iter().filter(has).copied().collect();
        subnets.sort();
        subnets
    }

    /// Those of the host's own network: also without endpoints on it, unless somebody else's are.
    pub fn own_subnets(&self, own: &NetworkName, groups: u32) -> Vec<IpNet> {
        let shown = self.subnets_of(own, groups);
        if !shown.is_empty() {
            return shown;
        }
        let others: Vec<IpAddr> = self.found(groups).flat_map(|found| found.addresses).collect();
        let free = |net: &&IpNet| !others.iter().any(|address| net.contains(address));
        let mut subnets: Vec<IpNet> = self.subnets.iter().filter(free).copied().collect();
        subnets.sort();
        subnets.dedup_by_key(|net| net.addr().is_ipv4());
        subnets
    }

    /// The networks beside the host's own one.
    pub fn networks(&self, own: &Network, owner: &OwnerName) -> Vec<Network> {
        let groups = own.group & OURS;
        let mut networks = BTreeMap::new();
        for Found { link, network: name, .. } in self.found(groups) {
            if name == own.name || networks.contains_key(&name) {
                continue;
            }
            let is_internal =
                |e: &Element| e.set == INTERNAL.name && e.key == [Value::Group(link.group)];
            let network = Network {
                name: name.clone(),
                group: link.group,
                owner: Some(owner.clone()),
                subnets: self.subnets_of(&name, groups),
                services: Vec::new(),
                internal: self.elements.iter().any(is_internal),
                mtu: None,
                search: own.search.clone(),
            };
            networks.insert(name, network);
        }
        networks.into_values().collect()
    }

    /// The endpoints on these networks.
    pub fn endpoints<'a>(
        &self,
        networks: impl IntoIterator<Item = &'a Network>,
        owner: &OwnerName,
    ) -> Vec<Record> {
        let networks: Vec<&Network> = networks.into_iter().collect();
        let Some(groups) = networks.first().map(|network| network.group & OURS) else {
            return Vec::new();
        };
        let mut places: BTreeMap<EndpointId, Vec<Place>> = BTreeMap::new();
        for Found { link, id, network, addresses } in self.found(groups) {
            let of = networks.iter().find(|of| of.name == network && of.group == link.group);
            let mac = self.neighbours.iter().find(|(address, _)| addresses.contains(address));
            let (Some(of), Some((_, mac)), Ok(name)) = (of, mac, LinkName::new(&*link.name)) else {
                continue;
            };
            let places = places.entry(id).or_default();
            places.push(Place {
                network,
                group: of.group,
                internal: of.internal,
                gateways: addresses.iter().filter_map(|a| of.gateway_for(*a)).collect(),
                addresses,
                mac: *mac,
                interface: LinkName::eth(places.len()),
                link: name,
                index: link.index,
            });
        }
        places.into_iter().map(|(id, places)| self.record(id, places, owner)).collect()
    }

    fn record(&self, id: EndpointId, places: Vec<Place>, owner: &OwnerName) -> Record {
        let networks = places.iter().map(|place| Attachment::to(place.network.clone()));
        let (networks, names) = (networks.collect(), Vec::new());
        let addresses: Vec<IpAddr> = places.iter().flat_map(|p| p.addresses.clone()).collect();
        let ports = published(&self.elements, &addresses);
        let spec = EndpointSpec { id, networks, names, ports };
        Record { owner: owner.clone(), spec, places }
    }
}

/// The addresses of a link, IPv4 first.
fn sources(elements: &[Element], index: u32) -> Vec<IpAddr> {
    let of = |element: &Element| match element.key.as_slice() {
        [Value::Link(link), address] if *link == index => address.address(),
        _ => None,
    };
    let of_sources = elements.iter().filter(|e| SOURCES.iter().any(|set| set.name == e.set));
    let mut addresses: Vec<IpAddr> = of_sources.filter_map(of).collect();
    addresses.sort();
    addresses
}

/// The mappings to these addresses. One that is there for all addresses of both families was one.
fn published(elements: &[Element], to: &[IpAddr]) -> Vec<PortMapping> {
    let mut found: Vec<PortMapping> = Vec::new();
    for (binding, target) in elements.iter().filter_map(leads) {
        if !to.contains(&target.ip()) {
            continue;
        }
        let Binding { host, port, protocol } = binding;
        let mapping = |host_ip| PortMapping {
            host_ip,
            host_port: port,
            container_port: target.port(),
            protocol,
        };
        let host_ip = (!host.is_unspecified()).then_some(host);
        if !found.contains(&mapping(host_ip)) {
            found.push(mapping(host_ip));
        }
    }
    found
}

fn leads(element: &Element) -> Option<(Binding, SocketAddr)> {
    let is_of = |sets: &[Set; 2]| sets.iter().any(|set| set.name == element.set);
    let [address, Value::Port(to)] = element.data.as_slice() else { return None };
    let target = SocketAddr::new(address.address()?, *to);
    let (host, key) = match element.key.as_slice() {
        key if is_of(&PUBLISHED) && target.is_ipv4() => (Ipv4Addr::UNSPECIFIED.into(), key),
        key if is_of(&PUBLISHED) => (Ipv6Addr::UNSPECIFIED.into(), key),
        [host, key @ ..] if is_of(&PUBLISHED_ON) => (host.address()?, key),
        _ => return None,
    };
    let [Value::Protocol(protocol), Value::Port(port)] = key else { return None };
    let protocol = match i32::from(*protocol) {
        libc::IPPROTO_TCP => Protocol::Tcp,
        libc::IPPROTO_UDP => Protocol::Udp,
        _ => return None,
    };
    Some((Binding { host, port: *port, protocol }, target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{plan, samples};

    #[test]
    fn what_was_put_into_the_kernel_comes_back() {
        let own = samples::network("bridge", 0, &["10.0.0.0/24", "fd00::/64"]);
        let back = Network {
            owner: Some(OwnerName::new("fleetd").unwrap()),
            internal: true,
            ..samples::network("back", 1, &["10.1.0.0/24"])
        };
        let port = |host_ip: Option<[u8; 4]>, host_port| PortMapping {
            host_ip: host_ip.map(Into::into),
            host_port,
            container_port: 80,
            protocol: Protocol::Udp,
        };
        let on: [(&Network, &[&str]); 2] =
            [(&own, &["10.0.0.2", "fd00::2"]), (&back, &["10.1.0.2"])];
        let mut record = samples::record("web:1", &[], &on);
        record.spec.ports = vec![port(None, 8080), port(Some([192, 0, 2, 1]), 8081)];
        let mut left = Left::default();
        for place in &record.places {
            let Place { index, link, group, network, addresses, mac, .. } = place.clone();
            let link = ObservedLink { index, name: link.to_string(), group };
            left.links.push((link, label(&record.spec.id, &network)));
            left.neighbours.extend(addresses.iter().map(|address| (*address, mac)));
        }
        left.links
            .push((ObservedLink { index: 99, name: "fl9".into(), group: own.group }, "".into()));
        left.subnets = back.subnets.iter().chain(&own.subnets).copied().collect();
        left.elements = plan::elements(&record).into_iter().collect();
        left.elements.extend([&own, &back].into_iter().flat_map(plan::network_elements));
        let owner = record.owner.clone();
        assert_eq!(left.own_subnets(&own.name, own.group & OURS), own.subnets);
        assert_eq!(left.networks(&own, &owner), std::slice::from_ref(&back));
        assert_eq!(left.endpoints([&own, &back], &owner), [record]);
        left.elements.clear();
        assert_eq!(left.endpoints([&own, &back], &owner), [], "nobody has an address");
    }
}
