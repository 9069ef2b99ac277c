//! A service: a virtual address and ports in front of backends.

use crate::endpoint::Protocol;
use crate::name::{DnsName, NetworkName};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What is wanted for one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSpec {
    /// Its own on this host, and the first name that DNS answers with its addresses.
    pub name: DnsName,
    /// Whose containers reach it, beside the host itself.
    pub network: NetworkName,
    /// Further names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<DnsName>,
    /// Virtual addresses, at most one of each family, in the network's range of them.
    pub addresses: Vec<IpAddr>,
    pub ports: Vec<ServicePort>,
    /// At most [`MOST_BACKENDS`]. Without any, who connects is refused at once.
    pub backends: Vec<Backend>,
    #[serde(default)]
    pub balance: Balance,
}

/// How many backends a service can have.
pub const MOST_BACKENDS: usize = 1024;

/// A port of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServicePort {
    pub protocol: Protocol,
    pub port: u16,
    /// The backends' own.
    pub target: u16,
}

/// One who answers for a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    /// At most one of each family. One of another host is reached by a route of this one.
    pub addresses: Vec<IpAddr>,
}

/// Which backend a new connection gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Balance {
    /// Any, each as probably as the others.
    #[default]
    Random,
    /// The same for the same client, as long as the backends do not change.
    Source,
    /// The same for the same client; when backends change, few clients get another one.
    Stable,
}
