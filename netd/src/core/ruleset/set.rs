//! Sets and maps, and what is in them.

use crate::core::Binding;
use netd_api::Protocol;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A part of a concatenated key; in the kernel each is padded to four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Ipv4,
    Ipv6,
    Protocol,
    Port,
    /// Index of a link.
    Link,
    /// Group of a link: each of our networks has one.
    Group,
    /// A place among a service's backends.
    Slot,
}

/// The value of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    Ipv4(Ipv4Addr),
    Ipv6(Ipv6Addr),
    Protocol(u8),
    Port(u16),
    Link(u32),
    Group(u32),
    Slot(u32),
}

/// A set, or a map if its elements lead to something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Set {
    pub name: &'static str,
    pub key: &'static [Part],
    /// What a map's elements lead to; a plain set has none.
    pub data: &'static [Part],
    /// Its elements lead to chains.
    pub chains: bool,
    /// Its keys are ranges.
    pub ranges: bool,
}

const fn set(name: &'static str, key: &'static [Part]) -> Set {
    Set { name, key, data: &[], chains: false, ranges: false }
}

const fn ranges(name: &'static str, key: &'static [Part]) -> Set {
    Set { name, key, data: &[], chains: false, ranges: true }
}

const fn map(name: &'static str, key: &'static [Part], data: &'static [Part]) -> Set {
    Set { name, key, data, chains: false, ranges: false }
}

const fn verdicts(name: &'static str, key: &'static [Part]) -> Set {
    Set { name, key, data: &[], chains: true, ranges: false }
}

/// The groups of internal networks.
pub const INTERNAL: Set = set("internal", &[Part::Group]);
/// Groups between which packets pass: from, to.
pub const LINKED: Set = set("linked", &[Part::Group, Part::Group]);
/// The containers' addresses on this host.
pub const SUBNETS: [Set; 2] =
    [ranges("subnets4", &[Part::Ipv4]), ranges("subnets6", &[Part::Ipv6])];
/// The host's own addresses on the networks, where its name server listens.
pub const GATEWAYS: [Set; 2] = [set("gateways4", &[Part::Ipv4]), set("gateways6", &[Part::Ipv6])];
/// What a packet that comes in by an endpoint's link may call its source.
pub const SOURCES: [Set; 2] =
    [set("sources4", &[Part::Link, Part::Ipv4]), set("sources6", &[Part::Link, Part::Ipv6])];
/// Each endpoint's address, twice: what a packet from it to itself calls its source instead.
pub const HAIRPINS: [Set; 2] = [
    map("hairpins4", &[Part::Ipv4, Part::Ipv4], &[Part::Ipv4]),
    map("hairpins6", &[Part::Ipv6, Part::Ipv6], &[Part::Ipv6]),
];
/// Where the ports of the host lead.
pub const PUBLISHED: [Set; 2] = [
    map("published4", &[Part::Protocol, Part::Port], &[Part::Ipv4, Part::Port]),
    map("published6", &[Part::Protocol, Part::Port], &[Part::Ipv6, Part::Port]),
];
/// The same for one address of the host.
pub const PUBLISHED_ON: [Set; 2] = [
    map("published_on4", &[Part::Ipv4, Part::Protocol, Part::Port], &[Part::Ipv4, Part::Port]),
    map("published_on6", &[Part::Ipv6, Part::Protocol, Part::Port], &[Part::Ipv6, Part::Port]),
];
/// The virtual addresses that there can be, and those that there are.
pub const VIRTUAL_RANGES: [Set; 2] =
    [ranges("virtual_ranges4", &[Part::Ipv4]), ranges("virtual_ranges6", &[Part::Ipv6])];
pub const VIRTUAL: [Set; 2] = [set("virtual4", &[Part::Ipv4]), set("virtual6", &[Part::Ipv6])];
/// Which chain chooses a backend.
pub const SERVICES: [Set; 2] = [
    verdicts("services4", &[Part::Ipv4, Part::Protocol, Part::Port]),
    verdicts("services6", &[Part::Ipv6, Part::Protocol, Part::Port]),
];
/// The backends, by their places.
pub const BACKENDS: [Set; 2] = [
    map(
        "backends4",
        &[Part::Ipv4, Part::Protocol, Part::Port, Part::Slot],
        &[Part::Ipv4, Part::Port],
    ),
    map(
        "backends6",
        &[Part::Ipv6, Part::Protocol, Part::Port, Part::Slot],
        &[Part::Ipv6, Part::Port],
    ),
];

/// All of them.
pub const SETS: &[Set] = &[
    INTERNAL,
    LINKED,
    SUBNETS[0],
    SUBNETS[1],
    GATEWAYS[0],
    GATEWAYS[1],
    SOURCES[0],
    SOURCES[1],
    HAIRPINS[0],
    HAIRPINS[1],
    PUBLISHED[0],
    PUBLISHED[1],
    PUBLISHED_ON[0],
    PUBLISHED_ON[1],
    VIRTUAL_RANGES[0],
    VIRTUAL_RANGES[1],
    VIRTUAL[0],
    VIRTUAL[1],
    SERVICES[0],
    SERVICES[1],
    BACKENDS[0],
    BACKENDS[1],
];

/// An element of one of the sets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Element {
    pub set: &'static str,
    pub key: Vec<Value>,
    /// Where the range that begins with `key` ends; both are in it.
    pub end: Vec<Value>,
    /// What it leads to.
    pub data: Vec<Value>,
    /// The chain that it leads to.
    pub chain: Option<String>,
}

impl Element {
    pub fn new(set: &Set, key: impl IntoIterator<Item = Value>) -> Self {
        let key = key.into_iter().collect();
        Self { set: set.name, key, end: Vec::new(), data: Vec::new(), chain: None }
    }

    fn to(self, data: impl IntoIterator<Item = Value>) -> Self {
        Self { data: data.into_iter().collect(), ..self }
    }

    pub fn internal(group: u32) -> Self {
        Self::new(&INTERNAL, [Value::Group(group)])
    }

    pub fn linked(from: u32, to: u32) -> Self {
        Self::new(&LINKED, [Value::Group(from), Value::Group(to)])
    }

    /// The range of a subnet.
    pub fn subnet(net: ipnet::IpNet) -> Self {
        Self::range(&SUBNETS, net)
    }

    /// The range of a network's virtual addresses.
    pub fn virtual_range(net: ipnet::IpNet) -> Self {
        Self::range(&VIRTUAL_RANGES, net)
    }

    fn range(sets: &[Set; 2], net: ipnet::IpNet) -> Self {
        let (first, last) = (Value::from(net.network()), Value::from(net.broadcast()));
        Self { end: vec![last], ..Self::new(of_family(sets, net.network()), [first]) }
    }

    /// A virtual address that a service has.
    pub fn virtual_address(address: IpAddr) -> Self {
        Self::new(of_family(&VIRTUAL, address), [address.into()])
    }

    /// The chain that chooses a backend for a port of a virtual address.
    pub fn service(address: IpAddr, protocol: Protocol, port: u16, chain: String) -> Self {
        let key = [address.into(), protocol.into(), Value::Port(port)];
        Self { chain: Some(chain), ..Self::new(of_family(&SERVICES, address), key) }
    }

    /// Who is at a place among the backends of a port of a virtual address.
    pub fn backend(
        (address, protocol, port): (IpAddr, Protocol, u16),
        slot: u32,
        target: std::net::SocketAddr,
    ) -> Self {
        let key = [address.into(), protocol.into(), Value::Port(port), Value::Slot(slot)];
        let data = [target.ip().into(), Value::Port(target.port())];
        Self::new(of_family(&BACKENDS, address), key).to(data)
    }

    pub fn gateway(address: IpAddr) -> Self {
        Self::new(of_family(&GATEWAYS, address), [address.into()])
    }

    pub fn source(link: u32, address: IpAddr) -> Self {
        Self::new(of_family(&SOURCES, address), [Value::Link(link), address.into()])
    }

    pub fn hairpin(address: IpAddr, gateway: IpAddr) -> Self {
        let key = [address.into(), address.into()];
        Self::new(of_family(&HAIRPINS, address), key).to([gateway.into()])
    }

    /// Where a port of the host leads.
    pub fn published(binding: &Binding, address: IpAddr, port: u16) -> Self {
        let target = [address.into(), Value::Port(port)];
        let of = [Value::from(binding.protocol), Value::Port(binding.port)];
        if binding.host.is_unspecified() {
            Self::new(of_family(&PUBLISHED, address), of).to(target)
        } else {
            let key = [Value::from(binding.host)].into_iter().chain(of);
            Self::new(of_family(&PUBLISHED_ON, address), key).to(target)
        }
    }
}

/// Of the two sets for both families the one for this address.
fn of_family(sets: &[Set; 2], address: IpAddr) -> &Set {
    &sets[usize::from(address.is_ipv6())]
}

impl From<IpAddr> for Value {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::Ipv4(address),
            IpAddr::V6(address) => Self::Ipv6(address),
        }
    }
}

impl From<Protocol> for Value {
    fn from(protocol: Protocol) -> Self {
        // The numbers are of one byte.
        Self::Protocol(match protocol {
            Protocol::Tcp => libc::IPPROTO_TCP as u8,
            Protocol::Udp => libc::IPPROTO_UDP as u8,
        })
    }
}

impl Value {
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Self::Ipv4(address) => Some(address.into()),
            Self::Ipv6(address) => Some(address.into()),
            _ => None,
        }
    }

    /// In the kernel's form, padded.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Ipv4(address) => address.octets().to_vec(),
            Self::Ipv6(address) => address.octets().to_vec(),
            Self::Protocol(number) => vec![*number, 0, 0, 0],
            Self::Port(number) => [number.to_be_bytes(), [0, 0]].concat(),
            Self::Link(number) | Self::Group(number) | Self::Slot(number) => {
                number.to_ne_bytes().to_vec()
            }
        }
    }
}

impl Part {
    /// How many bytes it takes, padded.
    pub fn length(self) -> usize {
        if self == Self::Ipv6 { 16 } else { 4 }
    }

    /// Reads a value in the kernel's form.
    fn value(self, bytes: &[u8]) -> Option<Value> {
        let word = <[u8; 4]>::try_from(bytes.get(..4)?).ok()?;
        Some(match self {
            Self::Ipv4 => Value::Ipv4(word.into()),
            Self::Ipv6 => Value::Ipv6(<[u8; 16]>::try_from(bytes.get(..16)?).ok()?.into()),
            Self::Protocol => Value::Protocol(word[0]),
            Self::Port => Value::Port(u16::from_be_bytes([word[0], word[1]])),
            Self::Link => Value::Link(u32::from_ne_bytes(word)),
            Self::Group => Value::Group(u32::from_ne_bytes(word)),
            Self::Slot => Value::Slot(u32::from_ne_bytes(word)),
        })
    }
}

/// Reads concatenated parts.
pub fn values(parts: &[Part], mut bytes: &[u8]) -> Option<Vec<Value>> {
    let mut values = Vec::new();
    for part in parts {
        values.push(part.value(bytes)?);
        bytes = bytes.get(part.length()..)?;
    }
    Some(values)
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv4(address) => address.fmt(f),
            Self::Ipv6(address) => address.fmt(f),
            Self::Protocol(number) => match i32::from(*number) {
                libc::IPPROTO_TCP => f.write_str("tcp"),
                libc::IPPROTO_UDP => f.write_str("udp"),
                _ => number.fmt(f),
            },
            Self::Port(number) => number.fmt(f),
            Self::Link(number) => write!(f, "link {number}"),
            Self::Group(number) => write!(f, "group {number:#x}"),
            Self::Slot(number) => number.fmt(f),
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |values: &[Value]| {
            values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" . ")
        };
        write!(f, "{} {}", self.set, joined(&self.key))?;
        if !self.end.is_empty() {
            write!(f, "-{}", joined(&self.end))?;
        }
        if !self.data.is_empty() {
            write!(f, " : {}", joined(&self.data))?;
        }
        if let Some(chain) = &self.chain {
            write!(f, " : goto {chain}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for set in SETS {
            let value = |part: &Part| match part {
                Part::Ipv4 => Value::Ipv4([10, 1, 2, 3].into()),
                Part::Ipv6 => Value::Ipv6("fd00::5".parse().unwrap()),
                Part::Protocol => Value::Protocol(6),
                Part::Port => Value::Port(8080),
                Part::Link => Value::Link(7),
                Part::Group => Value::Group(0x666c_0001),
                Part::Slot => Value::Slot(63),
            };
            let key: Vec<Value> = set.key.iter().map(value).collect();
            let bytes: Vec<u8> = key.iter().flat_map(Value::bytes).collect();
            assert_eq!(values(set.key, &bytes), Some(key), "{}", set.name);
            assert_eq!(values(set.key, &bytes[1..]), None, "{}", set.name);
        }
    }

    #[test]
    fn an_element_reads_like_a_line_of_nft() {
        let binding = Binding { host: [0, 0, 0, 0].into(), port: 8080, protocol: Protocol::Tcp };
        let element = Element::published(&binding, [10, 0, 0, 2].into(), 80);
        assert_eq!(element.to_string(), "published4 tcp . 8080 : 10.0.0.2 . 80");
        let element = Element::subnet("fd00::/64".parse().unwrap());
        assert_eq!(element.to_string(), "subnets6 fd00::-fd00::ffff:ffff:ffff:ffff");
    }
}
