//! The packets' way, in nftables' terms: what `nft/` writes into the kernel.
//!
//! The number of rules is constant. What grows with networks, endpoints and ports is in sets and
//! maps, so that a change is a set element and a packet's cost does not depend on how many there
//! are.

mod chains;
mod set;

pub use set::*;

use ipnet::Ipv4Net;

/// The table, whose family is inet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub sets: &'static [Set],
    pub chains: Vec<Chain>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    pub name: String,
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

/// Points of netfilter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    Prerouting = 0,
    Input = 1,
    Forward = 2,
    Output = 3,
    Postrouting = 4,
}

/// Which of the two versions of IP. The numbers are places in a pair of sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    Four = 0,
    Six = 1,
}

/// A field of the packet or of its circumstances, loaded into a key. An address is one of the version
/// that an earlier step of the rule has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Source(Version),
    Destination(Version),
    Protocol,
    PortDestination,
    /// Index of the link that the packet came in by.
    InLink,
    InGroup,
    OutGroup,
}

/// By what a place is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    Chance,
    /// A hash of the client's address.
    Source,
}

/// One step of a rule. A step that does not match ends the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    Is(Version),
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
    /// The group of the link, without what tells one network from the other, is this one.
    InGroups {
        field: Field,
        groups: u32,
        is: bool,
    },
    /// What the connection's destination was before it was translated is in the set.
    OriginallyTo {
        version: Version,
        set: &'static str,
    },
    /// Goes to the chain that the map has for the fields.
    GotoBy {
        fields: Vec<Field>,
        map: &'static str,
    },
    /// Draws one of so many places and translates the destination to the backend that the map has for
    /// address, protocol, port and place.
    Draw {
        version: Version,
        by: Draw,
        places: u32,
        map: &'static str,
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
        version: Version,
        fields: Vec<Field>,
        map: &'static str,
    },
    /// Translates the source to what the map has for the fields.
    SourceBy {
        version: Version,
        fields: Vec<Field>,
        map: &'static str,
    },
    Masquerade,
    Accept,
    Drop,
    /// Drops, and tells the sender that there is no such host.
    Unreachable,
    /// Drops, and tells the sender that nobody listens there: to TCP by a reset.
    Reset,
    Refuse,
    Return,
    Jump(&'static str),
}

/// Everything that netd has in nftables, but for the elements. `device` is the link that has the
/// host's own addresses on its networks, `groups` where the groups of their links begin.
pub fn ruleset(device: &str, groups: u32) -> Table {
    Table { sets: SETS, chains: chains::all(device, groups) }
}
