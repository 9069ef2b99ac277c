//! The packets' way, in nftables' terms: what `nft/` writes into the kernel.
//!
//! The number of rules is constant. What grows with endpoints and ports is in sets and maps, so
//! that a change is a set element and a packet's cost does not depend on how many there are.

use super::{Binding, Network};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// An element of one of the sets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Element {
    /// A link that an endpoint is behind: `ports`.
    Port { index: u32 },
    /// What a frame from that link may call its source: `sources`.
    Source { index: u32, mac: [u8; 6], address: Ipv4Addr },
    /// Where a port of the host leads: `published`, or `published_on` for one address of the host.
    Published { binding: Binding, address: Ipv4Addr, port: u16 },
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub family: TableFamily,
    pub sets: Vec<Set>,
    pub chains: Vec<Chain>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFamily {
    Inet,
    Bridge,
}

/// The parts of a concatenated key, each padded to four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Ipv4,
    Mac,
    Protocol,
    Port,
    Link,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    pub name: &'static str,
    pub key: Vec<Part>,
    /// What a map's elements lead to; a plain set has none.
    pub data: Option<Vec<Part>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    pub name: &'static str,
    /// None: only reached by a jump.
    pub hook: Option<Hook>,
    pub rules: Vec<Vec<Expression>>,
}

/// Where a chain is called. Its policy is to accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hook {
    pub kind: &'static str,
    pub point: Point,
    pub priority: i32,
}

/// Points of netfilter, the same numbers in inet and bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    Prerouting = 0,
    Forward = 2,
    Output = 3,
    Postrouting = 4,
}

/// A field of the packet or of its circumstances, loaded into a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    EtherType,
    EtherSource,
    ArpSender,
    Ipv4Source,
    Ipv4Destination,
    Protocol,
    PortDestination,
    /// Index of the link that the packet came in by.
    InLink,
}

/// One step of a rule. A step that does not match ends the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    IsIpv4,
    InName {
        name: String,
        is: bool,
    },
    OutName {
        name: String,
        is: bool,
    },
    Equals {
        field: Field,
        value: Vec<u8>,
        is: bool,
    },
    Within {
        field: Field,
        net: Ipv4Net,
        is: bool,
    },
    /// The destination is an address of this host.
    ToThisHost,
    /// The connection's state has one of these bits (`ip_conntrack_info`).
    State(u32),
    /// The connection's destination was translated.
    Translated,
    /// The fields, concatenated, are in the set, or are not.
    InSet {
        fields: Vec<Field>,
        set: &'static str,
        is: bool,
    },
    /// Translates the destination to what the map has for the fields.
    TranslateBy {
        fields: Vec<Field>,
        map: &'static str,
    },
    Masquerade,
    Accept,
    Drop,
    Return,
    Jump(&'static str),
}

/// `NF_CT_STATE_BIT` of established (1 << 1) and related (1 << 2).
const ESTABLISHED_OR_RELATED: u32 = 0b110;
const ETHER_TYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHER_TYPE_ARP: [u8; 2] = [0x08, 0x06];

/// Everything that netd has in nftables for this network, but for the elements.
pub fn ruleset(network: &Network) -> Vec<Table> {
    vec![
        Table {
            family: TableFamily::Inet,
            sets: vec![
                Set {
                    name: "published",
                    key: vec![Part::Protocol, Part::Port],
                    data: Some(vec![Part::Ipv4, Part::Port]),
                },
                Set {
                    name: "published_on",
                    key: vec![Part::Ipv4, Part::Protocol, Part::Port],
                    data: Some(vec![Part::Ipv4, Part::Port]),
                },
            ],
            chains: vec![
                guard(network),
                published(),
                prerouting(network),
                output(),
                forward(network),
                postrouting(network),
            ],
        },
        Table {
            family: TableFamily::Bridge,
            sets: vec![
                Set { name: "ports", key: vec![Part::Link], data: None },
                Set { name: "sources", key: vec![Part::Link, Part::Mac, Part::Ipv4], data: None },
            ],
            chains: vec![bridge_guard()],
        },
    ]
}

fn hook(kind: &'static str, point: Point, priority: i32) -> Option<Hook> {
    Some(Hook { kind, point, priority })
}

fn in_name(name: &str, is: bool) -> Expression {
    Expression::InName { name: name.to_owned(), is }
}

fn out_name(name: &str, is: bool) -> Expression {
    Expression::OutName { name: name.to_owned(), is }
}

fn within(field: Field, net: Ipv4Net, is: bool) -> Expression {
    Expression::Within { field, net, is }
}

const LOOPBACK: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);

/// Before connection tracking: what must not come from where it comes.
fn guard(network: &Network) -> Chain {
    use Expression::{Drop, IsIpv4};
    let bridge = network.bridge.as_str();
    let subnet = network.subnet;
    Chain {
        name: "guard",
        hook: hook("filter", Point::Prerouting, -300),
        rules: vec![
            // CVE-2020-8558: the loopback network never comes from a wire, whatever route_localnet says.
            vec![
                in_name("lo", false),
                IsIpv4,
                within(Field::Ipv4Destination, LOOPBACK, true),
                Drop,
            ],
            // CVE-2025-54410: a neighbour's route to the containers, around the published ports.
            vec![
                in_name("lo", false),
                in_name(bridge, false),
                IsIpv4,
                within(Field::Ipv4Destination, subnet, true),
                Drop,
            ],
            // The containers' addresses are on the bridge only.
            vec![
                in_name("lo", false),
                in_name(bridge, false),
                IsIpv4,
                within(Field::Ipv4Source, subnet, true),
                Drop,
            ],
            vec![in_name(bridge, true), IsIpv4, within(Field::Ipv4Source, subnet, false), Drop],
        ],
    }
}

fn published() -> Chain {
    use Field::{Ipv4Destination, PortDestination, Protocol};
    Chain {
        name: "published",
        hook: None,
        rules: vec![
            vec![Expression::TranslateBy {
                fields: vec![Ipv4Destination, Protocol, PortDestination],
                map: "published_on",
            }],
            vec![Expression::TranslateBy {
                fields: vec![Protocol, PortDestination],
                map: "published",
            }],
        ],
    }
}

fn prerouting(network: &Network) -> Chain {
    use Expression::{IsIpv4, Jump, Return, ToThisHost};
    Chain {
        name: "prerouting",
        hook: hook("nat", Point::Prerouting, -100),
        rules: vec![
            // Our name server answers also where somebody publishes port 53.
            vec![
                IsIpv4,
                Expression::Equals {
                    field: Field::Ipv4Destination,
                    value: network.gateway().octets().to_vec(),
                    is: true,
                },
                Expression::Equals {
                    field: Field::PortDestination,
                    value: 53u16.to_be_bytes().to_vec(),
                    is: true,
                },
                Return,
            ],
            // Only what is for this host: transit passes (GHSA-jv3w).
            vec![IsIpv4, ToThisHost, Jump("published")],
        ],
    }
}

/// From this host to its own addresses. 127.0.0.0/8 has netd's listeners instead: translated, its
/// source would not be routable.
fn output() -> Chain {
    use Expression::{IsIpv4, Jump, ToThisHost};
    Chain {
        name: "output",
        hook: hook("nat", Point::Output, -100),
        rules: vec![vec![
            IsIpv4,
            within(Field::Ipv4Destination, LOOPBACK, false),
            ToThisHost,
            Jump("published"),
        ]],
    }
}

fn forward(network: &Network) -> Chain {
    use Expression::{Accept, Drop, State, Translated};
    let bridge = network.bridge.as_str();
    Chain {
        name: "forward",
        hook: hook("filter", Point::Forward, 0),
        rules: vec![
            vec![out_name(bridge, true), in_name(bridge, true), Accept],
            vec![out_name(bridge, true), State(ESTABLISHED_OR_RELATED), Accept],
            vec![out_name(bridge, true), Translated, Accept],
            vec![out_name(bridge, true), Drop],
        ],
    }
}

fn postrouting(network: &Network) -> Chain {
    use Expression::{IsIpv4, Masquerade, Translated};
    let subnet = network.subnet;
    Chain {
        name: "postrouting",
        hook: hook("nat", Point::Postrouting, 100),
        rules: vec![
            // A container through a published port to a container, maybe itself: the answer has to
            // come back through here.
            vec![
                IsIpv4,
                within(Field::Ipv4Source, subnet, true),
                within(Field::Ipv4Destination, subnet, true),
                Translated,
                Masquerade,
            ],
            vec![
                IsIpv4,
                within(Field::Ipv4Source, subnet, true),
                out_name(&network.bridge, false),
                Masquerade,
            ],
        ],
    }
}

/// Frames from a container: from its own hardware and IPv4 address, and nothing else. So no
/// router advertisement (CVE-2020-10749) and no foreign ARP answer reaches anybody, and the bridge
/// does not learn a false address.
fn bridge_guard() -> Chain {
    use Expression::{Accept, Drop};
    let ether_type = |value: [u8; 2]| Expression::Equals {
        field: Field::EtherType,
        value: value.to_vec(),
        is: true,
    };
    let from = |sender: Field| Expression::InSet {
        fields: vec![Field::InLink, Field::EtherSource, sender],
        set: "sources",
        is: true,
    };
    Chain {
        name: "guard",
        hook: hook("filter", Point::Prerouting, -300),
        rules: vec![
            vec![
                Expression::InSet { fields: vec![Field::InLink], set: "ports", is: false },
                Accept,
            ],
            vec![ether_type(ETHER_TYPE_IPV4), from(Field::Ipv4Source), Accept],
            vec![ether_type(ETHER_TYPE_ARP), from(Field::ArpSender), Accept],
            vec![Drop],
        ],
    }
}
