//! A network: addresses that reach each other, and what else they reach.

use crate::name::{DnsName, NetworkName};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// What is wanted of one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSpec {
    pub name: NetworkName,
    /// The addresses that this host gives out, at most one range of each family: /8 to /29 of IPv4,
    /// /48 to /124 of IPv6. The first address of each is the host's own.
    pub subnets: Vec<IpNet>,
    /// The virtual addresses of its services, at most one range of each family; not among the subnets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<IpNet>,
    /// Its containers reach each other and nothing else; their names are looked up nowhere else.
    #[serde(default)]
    pub internal: bool,
    /// Largest packet in bytes; none: the uplink's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// The domain of its containers' names; none: the host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<DnsName>,
}
