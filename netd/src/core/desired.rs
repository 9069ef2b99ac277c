//! The networks and endpoints that are wanted.

use super::ruleset::Element;
use super::{Network, Service};
use netd_api::{
    Attachment, DnsName, Endpoint, EndpointId, EndpointSpec, ErrorKind, Failure, LinkName,
    MOST_NETWORKS, Mac, NetworkName, OwnerName, PortMapping, Protocol,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub fn failure(kind: ErrorKind, message: impl Into<String>) -> Failure {
    Failure { kind, message: message.into(), hint: None }
}

/// An endpoint that is wanted, and what was chosen for it. This is what the journal holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub owner: OwnerName,
    pub spec: EndpointSpec,
    /// In the order of `spec.networks`.
    pub places: Vec<Place>,
}

/// What an endpoint has on one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub network: NetworkName,
    /// The network's group, and whether it is internal: neither changes while somebody is on it.
    pub group: u32,
    pub internal: bool,
    /// At most one of each family, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// The host's own address for each of them.
    pub gateways: Vec<IpAddr>,
    pub mac: Mac,
    /// The container's side of the pair.
    pub interface: LinkName,
    /// Name and index of the host's side.
    pub link: LinkName,
    pub index: u32,
}

/// A port of the host and where it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Published {
    pub binding: Binding,
    pub target: SocketAddr,
}

impl Published {
    /// The kernel translates within a family; between them only our own listener passes on.
    pub fn element(&self) -> Option<Element> {
        let Self { binding, target } = self;
        (binding.host.is_ipv4() == target.is_ipv4())
            .then(|| Element::published(binding, target.ip(), target.port()))
    }
}

impl Record {
    pub fn id(&self) -> &EndpointId {
        &self.spec.id
    }

    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.places.iter().flat_map(|place| place.addresses.iter().copied())
    }

    /// The ports of the host that lead to it: to an address of a port's own family, else to the
    /// other one, and on no internal network.
    pub fn published(&self) -> impl Iterator<Item = Published> {
        let open = self.places.iter().filter(|place| !place.internal);
        let addresses: Vec<IpAddr> = open.flat_map(|place| place.addresses.clone()).collect();
        let lead = move |binding: Binding, port: u16| {
            let of_family = addresses.iter().find(|a| a.is_ipv4() == binding.host.is_ipv4());
            let address = of_family.or(addresses.first())?;
            Some(Published { binding, target: SocketAddr::new(*address, port) })
        };
        let ports = self.spec.ports.iter();
        let pairs = ports.flat_map(|m| Binding::of(m).into_iter().map(|b| (b, m.container_port)));
        pairs.filter_map(move |(binding, port)| lead(binding, port))
    }

    pub fn bindings(&self) -> impl Iterator<Item = Binding> {
        self.published().map(|published| published.binding)
    }

    pub fn endpoint(&self) -> Endpoint {
        let place = |place: &Place| {
            let Place { network, addresses, gateways, mac, interface, link, .. } = place.clone();
            netd_api::Place { network, addresses, gateways, mac, interface, link }
        };
        Endpoint { spec: self.spec.clone(), places: self.places.iter().map(place).collect() }
    }
}

/// A port of the host, as a listener reserves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binding {
    /// On this address of the host only; the unspecified one: on all of its family.
    pub host: IpAddr,
    pub port: u16,
    pub protocol: Protocol,
}

impl Binding {
    /// A port that names no address is one of IPv4 and one of IPv6.
    pub fn of(mapping: &PortMapping) -> Vec<Self> {
        let hosts = match mapping.host_ip {
            Some(host) => vec![host.to_canonical()],
            None => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
        };
        let (port, protocol) = (mapping.host_port, mapping.protocol);
        hosts.into_iter().map(|host| Self { host, port, protocol }).collect()
    }

    fn overlaps(&self, other: &Self) -> bool {
        (self.port, self.protocol) == (other.port, other.protocol)
            && self.host.is_ipv4() == other.host.is_ipv4()
            && (self.host.is_unspecified()
                || other.host.is_unspecified()
                || self.host == other.host)
    }
}

impl std::fmt::Display for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port, protocol } = self;
        if host.is_unspecified() {
            write!(f, "{port}/{protocol}")
        } else {
            write!(f, "{}/{protocol}", SocketAddr::new(*host, *port))
        }
    }
}

/// Everything that is wanted.
#[derive(Debug, Clone, Default)]
pub struct Desired {
    pub networks: BTreeMap<NetworkName, Network>,
    pub endpoints: BTreeMap<EndpointId, Record>,
    pub services: BTreeMap<DnsName, Service>,
    /// Who has which port of the host.
    ports: BTreeSet<(u16, Protocol, IpAddr, EndpointId)>,
}

impl Desired {
    pub fn insert(&mut self, record: Record) {
        self.remove(&record.spec.id.clone());
        for Binding { host, port, protocol } in record.bindings() {
            self.ports.insert((port, protocol, host, record.spec.id.clone()));
        }
        self.endpoints.insert(record.spec.id.clone(), record);
    }

    pub fn remove(&mut self, id: &EndpointId) -> Option<Record> {
        let record = self.endpoints.remove(id)?;
        for Binding { host, port, protocol } in record.bindings() {
            self.ports.remove(&(port, protocol, host, id.clone()));
        }
        Some(record)
    }

    pub fn has_ipv6(&self) -> bool {
        self.networks.values().any(Network::has_ipv6)
    }

    /// How many ports of the host lead somewhere: one that is open on both families is one.
    pub fn published(&self) -> usize {
        self.endpoints.values().map(|record| record.spec.ports.len()).sum()
    }

    /// The endpoints on a network.
    pub fn on<'a>(&'a self, network: &'a NetworkName) -> impl Iterator<Item = &'a Record> {
        let is_on = |record: &&Record| record.places.iter().any(|p| p.network == *network);
        self.endpoints.values().filter(is_on)
    }

    /// The endpoint that a link of the host is of.
    pub fn of_link(&self, index: u32) -> Option<&Record> {
        let has = |record: &&Record| record.places.iter().any(|place| place.index == index);
        self.endpoints.values().find(has)
    }

    /// Checks a new endpoint's networks and ports against what is wanted already.
    pub fn check(&self, spec: &EndpointSpec) -> Result<(), Failure> {
        self.check_networks(spec)?;
        check_ports(spec)?;
        for binding in spec.ports.iter().flat_map(Binding::of) {
            if let Some(holder) = self.holder(&binding) {
                return Err(conflict(&binding, holder));
            }
        }
        Ok(())
    }

    fn check_networks(&self, spec: &EndpointSpec) -> Result<(), Failure> {
        let id = &spec.id;
        let invalid = |text: String| failure(ErrorKind::Invalid, format!("attach {id}: {text}"));
        if !(1..=MOST_NETWORKS).contains(&spec.networks.len()) {
            return Err(invalid(format!("it takes 1 to {MOST_NETWORKS} networks")));
        }
        let mut closed = true;
        for (number, attachment) in spec.networks.iter().enumerate() {
            let name = &attachment.network;
            let Some(network) = self.networks.get(name) else {
                let names: Vec<&str> = self.networks.keys().map(NetworkName::as_str).collect();
                let hint = Some(format!("this host has the networks {}", names.join(", ")));
                return Err(Failure { hint, ..invalid(format!("no network {name}")) });
            };
            closed &= network.internal;
            let others = &spec.networks[..number];
            if others.iter().any(|other| other.network == *name) {
                return Err(invalid(format!("network {name} is named twice")));
            }
            let own = interface(number, attachment);
            let mut before = others.iter().enumerate();
            if own.as_str() == "lo" || before.any(|(n, other)| interface(n, other) == own) {
                return Err(invalid(format!("interface {own} is there twice")));
            }
            check_addresses(network, &attachment.addresses).map_err(invalid)?;
        }
        if closed && !spec.ports.is_empty() {
            return Err(invalid("it publishes ports, and its networks are internal".to_owned()));
        }
        Ok(())
    }

    fn holder(&self, binding: &Binding) -> Option<&EndpointId> {
        self.ports
            .iter()
            .skip_while(|p| (p.0, p.1) < (binding.port, binding.protocol))
            .take_while(|p| (p.0, p.1) == (binding.port, binding.protocol))
            .find(|p| binding.overlaps(&Binding { host: p.2, port: p.0, protocol: p.1 }))
            .map(|p| &p.3)
    }
}

fn conflict(binding: &Binding, holder: &EndpointId) -> Failure {
    failure(ErrorKind::InUse, format!("publish port {binding}: endpoint {holder} has it"))
}

/// What the link of an attachment is called inside.
pub fn interface(number: usize, attachment: &Attachment) -> LinkName {
    attachment.interface.clone().unwrap_or_else(|| LinkName::eth(number))
}

/// Fixed addresses: one of each family that the network has.
fn check_addresses(network: &Network, addresses: &[IpAddr]) -> Result<(), String> {
    for (number, address) in addresses.iter().enumerate() {
        if addresses[..number].iter().any(|a| a.is_ipv4() == address.is_ipv4()) {
            return Err(format!("{address} is the second fixed address of its family"));
        }
        if network.gateway_for(*address).is_none() {
            let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            return Err(format!("network {} has no {family} for {address}", network.name));
        }
    }
    Ok(())
}

/// Checks what can be checked of ports without looking at the others.
fn check_ports(spec: &EndpointSpec) -> Result<(), Failure> {
    let mut seen: Vec<Binding> = Vec::new();
    for mapping in &spec.ports {
        for binding in Binding::of(mapping) {
            let invalid = |text: &str| {
                let message = format!("publish port {binding} of {}: {text}", spec.id);
                Err(failure(ErrorKind::Invalid, message))
            };
            if mapping.host_port == 0 || mapping.container_port == 0 {
                return invalid("ports are 1 to 65535");
            }
            if seen.iter().any(|s| s.overlaps(&binding)) {
                return invalid("it is named twice");
            }
            seen.push(binding);
        }
    }
    Ok(())
}
