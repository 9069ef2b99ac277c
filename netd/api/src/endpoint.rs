//! An endpoint: one container's place on one network.

use crate::name::{DnsName, EndpointId, NetworkName};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What is wanted for one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointSpec {
    /// New for every run of a unit: a namespace is never used twice.
    pub id: EndpointId,
    pub network: NetworkName,
    /// Names that DNS answers with this endpoint's address, the unit's own name first. The address
    /// of a unit's earlier run is given again to the same first name when it is free.
    pub names: Vec<DnsName>,
    #[serde(default)]
    pub ports: Vec<PortMapping>,
    /// A fixed address inside the network; none: the next free one.
    #[serde(default)]
    pub address: Option<IpAddr>,
}

/// A port of the host that leads to a port of the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortMapping {
    /// Only on this address of the host; none: on all of them.
    #[serde(default)]
    pub host_ip: Option<IpAddr>,
    pub host_port: u16,
    pub container_port: u16,
    pub protocol: Protocol,
}

/// Transport protocol of a published port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Tcp,
    Udp,
}

/// An endpoint as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    pub spec: EndpointSpec,
    pub address: IpAddr,
    /// The network's prefix length.
    pub prefix: u8,
    pub gateway: IpAddr,
    /// The host's side of the veth pair.
    pub link: String,
}
