//! An endpoint: one container's place on its networks.

use crate::name::{DnsName, EndpointId, LinkName, NetworkName};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// What is wanted for one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct EndpointSpec {
    /// New for every run of a unit: a namespace is never used twice.
    pub id: EndpointId,
    /// At least one and at most [`MOST_NETWORKS`], each once. The default routes lead through the
    /// first.
    pub networks: Vec<Attachment>,
    /// Names that DNS answers with this endpoint's addresses on all of its networks, the unit's own
    /// name first. The address of a unit's earlier run is given again to the same first name when
    /// it is free.
    pub names: Vec<DnsName>,
    pub ports: Vec<PortMapping>,
}

/// On how many networks an endpoint can be.
pub const MOST_NETWORKS: usize = 8;

/// An endpoint's place on one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    pub network: NetworkName,
    /// Fixed addresses inside the network, at most one of each family; for a family that is not
    /// named the next free one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// None: one by chance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// Further names on this network alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<DnsName>,
    /// What the link is called inside; none: `eth0`, `eth1` and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<LinkName>,
}

impl Attachment {
    /// To a network, with whatever comes.
    pub fn to(network: NetworkName) -> Self {
        Self { network, addresses: vec![], mac: None, names: vec![], interface: None }
    }
}

/// A hardware address, in text as `02:f1:00:00:00:01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

impl TryFrom<String> for Mac {
    type Error = String;

    /// One host's address: not zero, not a group's (IEEE 802, bit 0 of the first byte).
    fn try_from(text: String) -> Result<Self, String> {
        let byte = |word: &str| (word.len() == 2).then(|| u8::from_str_radix(word, 16).ok())?;
        let bytes = text.split(':').map(byte).collect::<Option<Vec<u8>>>();
        match bytes.and_then(|bytes| <[u8; 6]>::try_from(bytes).ok()) {
            Some(mac) if mac != [0; 6] && mac[0] & 1 == 0 => Ok(Self(mac)),
            Some(_) => Err(format!("read hardware address {text:?}: it is not one host's")),
            None => Err(format!("read hardware address {text:?}: it takes 02:f1:00:00:00:01")),
        }
    }
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

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// An endpoint as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    pub spec: EndpointSpec,
    /// In the order of `spec.networks`.
    pub places: Vec<Place>,
}

impl Endpoint {
    /// All of its addresses, the first network's first, IPv4 before IPv6.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.places.iter().flat_map(|place| place.addresses.iter().copied())
    }
}

/// What an endpoint was given on one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub network: NetworkName,
    /// At most one of each family, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// The host's address on the network for each of them, through which everything goes.
    pub gateways: Vec<IpAddr>,
    pub mac: Mac,
    /// The container's side of the veth pair.
    pub interface: LinkName,
    /// The host's side.
    pub link: LinkName,
}

/// What is in files and messages: also what version 1 wrote, whose endpoints had one network.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: EndpointId,
    #[serde(default)]
    networks: Vec<Attachment>,
    names: Vec<DnsName>,
    #[serde(default)]
    ports: Vec<PortMapping>,
    #[serde(default)]
    network: Option<NetworkName>,
    #[serde(default)]
    address: Option<IpAddr>,
}

impl From<Written> for EndpointSpec {
    fn from(written: Written) -> Self {
        let Written { id, mut networks, names, ports, network, address } = written;
        if networks.is_empty()
            && let Some(network) = network
        {
            let addresses = address.into_iter().collect();
            networks.push(Attachment { addresses, ..Attachment::to(network) });
        }
        Self { id, networks, names, ports }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_version_1_wrote_is_read() {
        let text =
            r#"{"id":"web:1","network":"bridge","names":["web"],"ports":[],"address":"10.89.0.7"}"#;
        let spec: EndpointSpec = serde_json::from_str(text).unwrap();
        assert_eq!(spec.networks[0].network.as_str(), "bridge");
        assert_eq!(spec.networks[0].addresses, ["10.89.0.7".parse::<IpAddr>().unwrap()]);
        let again = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<EndpointSpec>(&again).unwrap(), spec);
    }

    #[test]
    fn a_hardware_address_is_one_hosts() {
        for bad in [
            "",
            "02:f1",
            "02:f1:0:0:0:1",
            "01:00:5e:00:00:01",
            "00:00:00:00:00:00",
            "gg:00:00:00:00:00",
        ] {
            assert!(Mac::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
        let mac = Mac::try_from("02:F1:00:00:00:0a".to_owned()).unwrap();
        assert_eq!(mac.to_string(), "02:f1:00:00:00:0a");
    }
}
