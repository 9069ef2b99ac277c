//! `.socket`: a virtual address and its ports before the instances of a template, or before whatever has
//! some labels.
//!
//! ```text
//! keys      its table
//! listen    `ListenStream=` and its kin
//! draft     the unit while it is read, the defaults
//! check     which keys go together
//! ```

mod check;
pub mod draft;
pub mod keys;
pub mod listen;

use super::asks::Protocol;
use super::container::NetworkRef;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// The content of a `.socket` unit with its drop-ins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketUnit {
    /// Full name with its suffix: `web.socket`.
    pub name: String,
    pub description: String,
    /// DNS names of it, the unit's own first.
    pub dns_names: Vec<String>,
    /// The virtual addresses that are wanted: of each family one at most. The fleet chooses others.
    pub addresses: Vec<IpAddr>,
    /// One at least, in the file's order.
    pub ports: Vec<ServicePort>,
    pub backends: Backends,
    pub network: NetworkRef,
    pub balance: Balance,
    /// How long after its last connection a client's address leads to the same instance. None: it does not.
    pub affinity: Option<Duration>,
    pub activation: Option<Activation>,
    /// How long connections may go on after their instance was asked to stop.
    pub drain: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    pub protocol: Protocol,
    pub port: u16,
    /// The container's.
    pub target: u16,
    /// As SRV records name it.
    pub name: Option<String>,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backends {
    /// Every instance of `web@.container`.
    Template(String),
    Unit(String),
    /// Every unit that has all of these labels.
    Labels(BTreeMap<String, String>),
}

/// How an instance is chosen for a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    Random,
    /// By the client's address.
    Source,
    /// By the connection's addresses and ports, on every host alike: few change their instance when one
    /// comes or goes.
    Stable,
}

/// `Activate=yes`: the first connection starts an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activation {
    /// It is stopped when the last connection ended so long ago. None: it is not.
    pub idle: Option<Duration>,
    /// As many starts in this time are too many. None: there is no limit.
    pub limit: Option<TriggerLimit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TriggerLimit {
    pub interval: Duration,
    pub burst: u32,
}
