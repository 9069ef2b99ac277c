//! The chains, in the order in which a packet meets them. docs/netd.md draws them.

use super::Expression::{
    Accept, Drop, Equals, GotoBy, InGroups, InName, InSet, Is, Jump, Masquerade, OriginallyTo,
    OutName, Refuse, Reset, Return, SourceBy, State, ToThisHost, TranslateBy, Translated,
    Unreachable, Within,
};
use super::Field::{Destination, InGroup, InLink, OutGroup, PortDestination, Protocol, Source};
use super::{
    BACKENDS, Chain, Draw, Expression, Field, GATEWAYS, HAIRPINS, Hook, INTERNAL, LINKED,
    PUBLISHED, PUBLISHED_ON, Point, SERVICES, SOURCES, SUBNETS, Set, VIRTUAL, VIRTUAL_RANGES,
    Version,
};
use crate::core::service::{EXACT, PLACES, STABLE_PLACES};
use ipnet::Ipv4Net;
use std::net::{Ipv4Addr, Ipv6Addr};

const LOOPBACK: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);
/// `NF_CT_STATE_BIT` of established (1 << 1) and related (1 << 2).
const ESTABLISHED_OR_RELATED: u32 = 0b110;
const VERSIONS: [Version; 2] = [Version::Four, Version::Six];

type Rule = Vec<Expression>;

pub(super) fn all(device: &str, groups: u32) -> Vec<Chain> {
    let hook = |kind, point, priority| Some(Hook { kind, point, priority });
    let chain = |name: &str, hook, rules| Chain { name: name.to_owned(), hook, rules };
    let mut chains = drawing();
    chains.extend([
        chain("guard", hook("filter", Point::Prerouting, -300), guard(groups)),
        chain("published", None, published()),
        chain("prerouting", hook("nat", Point::Prerouting, -100), prerouting()),
        chain("output", hook("nat", Point::Output, -100), output()),
        chain("input", hook("filter", Point::Input, 0), input()),
        chain("forward", hook("filter", Point::Forward, 0), forward(device, groups)),
        chain("refuse", hook("filter", Point::Output, 0), unanswered()),
        chain("postrouting", hook("nat", Point::Postrouting, 100), postrouting(groups)),
    ]);
    chains
}

/// One chain for each number of places that services use, and each way to draw one.
fn drawing() -> Vec<Chain> {
    let exact = || 1..=EXACT;
    let random = exact().chain([PLACES]).map(|places| ("random", Draw::Chance, places));
    let source =
        exact().chain([PLACES, STABLE_PLACES]).map(|places| ("source", Draw::Source, places));
    let chain = |(kind, by, places): (&str, Draw, usize)| {
        let draw = |v: Version| Expression::Draw {
            version: v,
            by,
            places: u32::try_from(places).unwrap_or(u32::MAX),
            map: BACKENDS[v as usize].name,
        };
        let rules = both(|v| [vec![Is(v), draw(v)]]);
        Chain { name: format!("{kind}_{places}"), hook: None, rules }
    };
    random.chain(source).map(chain).collect()
}

/// To a virtual address and not translated: no service has the address, or not that port, or it has no
/// backend.
fn unanswered() -> Vec<Rule> {
    let tcp = || Equals { field: Protocol, value: vec![libc::IPPROTO_TCP as u8], is: true };
    both(|v| {
        let to = |sets: &[Set; 2]| by(sets, v, &[Destination(v)], true);
        [
            vec![Is(v), to(&VIRTUAL), tcp(), Reset],
            vec![Is(v), to(&VIRTUAL), Refuse],
            vec![Is(v), to(&VIRTUAL_RANGES), Drop],
        ]
    })
}

/// What is for a virtual address goes to one of its backends.
fn services() -> Vec<Rule> {
    both(|v| {
        let fields = vec![Destination(v), Protocol, PortDestination];
        [vec![Is(v), GotoBy { fields, map: SERVICES[v as usize].name }]]
    })
}

fn of(set: &Set, fields: &[Field], is: bool) -> Expression {
    InSet { fields: fields.to_vec(), set: set.name, is }
}

/// Of two sets that of a version.
fn by(sets: &[Set; 2], version: Version, fields: &[Field], is: bool) -> Expression {
    of(&sets[version as usize], fields, is)
}

/// The same rules for both versions.
fn both<const N: usize>(rules: impl Fn(Version) -> [Rule; N]) -> Vec<Rule> {
    VERSIONS.into_iter().flat_map(rules).collect()
}

/// Before connection tracking: what must not come from where it comes.
fn guard(groups: u32) -> Vec<Rule> {
    let from_networks = || InGroups { field: InGroup, groups, is: true };
    let mut rules = vec![
        vec![InName { name: "lo".to_owned(), is: true }, Accept],
        // CVE-2020-8558: the loopback network never comes from a wire, whatever route_localnet says.
        vec![
            Is(Version::Four),
            Within { field: Destination(Version::Four), net: LOOPBACK, is: true },
            Drop,
        ],
    ];
    // An endpoint sends from its own addresses and nothing else: no router advertisement
    // (CVE-2020-10749) and nothing in another's name.
    rules.extend(both(|v| {
        [vec![from_networks(), Is(v), by(&SOURCES, v, &[InLink, Source(v)], true), Accept]]
    }));
    rules.push(vec![from_networks(), Drop]);
    // The containers' addresses are on their links only (CVE-2025-54410: a neighbour's route to the
    // containers, around the published ports).
    rules.extend(both(|v| {
        [
            vec![Is(v), by(&SUBNETS, v, &[Source(v)], true), Drop],
            vec![Is(v), by(&SUBNETS, v, &[Destination(v)], true), Drop],
            vec![Is(v), by(&VIRTUAL_RANGES, v, &[Destination(v)], true), Drop],
        ]
    }));
    rules
}

fn published() -> Vec<Rule> {
    both(|v| {
        let translate = |fields: &[Field], maps: &[Set; 2]| TranslateBy {
            version: v,
            fields: fields.to_vec(),
            map: maps[v as usize].name,
        };
        [
            vec![Is(v), translate(&[Destination(v), Protocol, PortDestination], &PUBLISHED_ON)],
            vec![Is(v), translate(&[Protocol, PortDestination], &PUBLISHED)],
        ]
    })
}

fn prerouting() -> Vec<Rule> {
    let port =
        |port: u16| Equals { field: PortDestination, value: port.to_be_bytes().to_vec(), is: true };
    // Our name server answers also where somebody publishes port 53.
    let mut rules =
        both(|v| [vec![Is(v), by(&GATEWAYS, v, &[Destination(v)], true), port(53), Return]]);
    rules.extend(services());
    // Only what is for this host: transit passes (GHSA-jv3w).
    rules.push(vec![ToThisHost, Jump("published")]);
    rules
}

/// From this host to its own addresses. 127.0.0.0/8 and ::1 have netd's listeners instead:
/// translated, their sources would not be routable.
fn output() -> Vec<Rule> {
    let loopback6 = Ipv6Addr::LOCALHOST.octets().to_vec();
    let (four, six) = (Destination(Version::Four), Destination(Version::Six));
    let mut rules = services();
    rules.extend([
        vec![
            Is(Version::Four),
            Within { field: four, net: LOOPBACK, is: false },
            ToThisHost,
            Jump("published"),
        ],
        vec![
            Is(Version::Six),
            Equals { field: six, value: loopback6, is: false },
            ToThisHost,
            Jump("published"),
        ],
    ]);
    rules
}

/// Who is on an internal network reaches of this host its own name server's address and nothing
/// else.
fn input() -> Vec<Rule> {
    both(|v| {
        [vec![
            of(&INTERNAL, &[InGroup], true),
            Is(v),
            by(&GATEWAYS, v, &[Destination(v)], false),
            Drop,
        ]]
    })
}

fn forward(device: &str, groups: u32) -> Vec<Rule> {
    let to_networks = || InGroups { field: OutGroup, groups, is: true };
    let mut rules = vec![vec![State(ESTABLISHED_OR_RELATED), Accept]];
    rules.extend(unanswered());
    rules.extend([
        vec![of(&LINKED, &[InGroup, OutGroup], true), Accept],
        // An address that nobody has.
        vec![
            InGroups { field: InGroup, groups, is: true },
            OutName { name: device.to_owned(), is: true },
            Unreachable,
        ],
        vec![OutName { name: device.to_owned(), is: true }, Drop],
        vec![of(&INTERNAL, &[InGroup], true), Drop],
    ]);
    // A service is its own network's.
    rules.extend(both(|v| {
        let set = VIRTUAL_RANGES[v as usize].name;
        [vec![to_networks(), Is(v), OriginallyTo { version: v, set }, Drop]]
    }));
    rules.extend([vec![to_networks(), Translated, Accept], vec![to_networks(), Drop]]);
    rules
}

fn postrouting(groups: u32) -> Vec<Rule> {
    both(|v| {
        [
            // Through a published port to itself: the answer has to come back through here.
            vec![
                Is(v),
                Translated,
                SourceBy {
                    version: v,
                    fields: vec![Source(v), Destination(v)],
                    map: HAIRPINS[v as usize].name,
                },
            ],
            vec![
                Is(v),
                by(&SUBNETS, v, &[Source(v)], true),
                InGroups { field: OutGroup, groups, is: false },
                OutName { name: "lo".to_owned(), is: false },
                Masquerade,
            ],
        ]
    })
}
