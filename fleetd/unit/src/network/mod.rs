//! `.network`: a network of the whole fleet.
//!
//! ```text
//! keys      its table
//! draft     the unit while it is read, the checks of the whole, the defaults
//! plan      which ranges of addresses go together
//! policy    `Allow=` and `DefaultDeny=`
//! ```

pub mod draft;
pub mod keys;
pub mod plan;
pub mod policy;

use ipnet::IpNet;
use policy::{Allow, Deny};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Length of a host's part where the file names none: 253 containers on a host; a range of /16 has such
/// parts for 256 hosts.
pub const HOST_PREFIX_IPV4: u8 = 24;
/// 48 bits are left, as many as a hardware address has, so that the one can follow from the other; a range
/// of /64 has such parts for 65,536 hosts.
pub const HOST_PREFIX_IPV6: u8 = 80;

/// The content of a `.network` unit with its drop-ins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkUnit {
    /// Full name with its suffix: `front.network`.
    pub name: String,
    pub description: String,
    /// The network's own name, by which others know it too.
    pub network: String,
    pub driver: Driver,
    pub ipv4: Option<Plan>,
    pub ipv6: Option<Plan>,
    /// `IPv6=yes`, or a range of IPv6: containers get addresses of it too. Without a range the fleet
    /// chooses one, and of IPv4 always.
    pub has_ipv6: bool,
    pub host_prefix_ipv4: u8,
    pub host_prefix_ipv6: u8,
    /// Virtual addresses of `.socket` units: of each family one range at most.
    pub service_subnets: Vec<IpNet>,
    /// No way out of the network.
    pub internal: bool,
    /// netd answers its containers.
    pub dns: bool,
    /// Servers that netd asks for the world's names. None: the host's.
    pub dns_servers: Vec<IpAddr>,
    /// Bytes. None: what the driver leaves of the host's.
    pub mtu: Option<u16>,
    /// What comes from other networks or goes to them is denied unless it is allowed.
    pub isolate: bool,
    pub default_deny: Deny,
    pub allow: Vec<Allow>,
    /// Free words of the administrator.
    pub labels: BTreeMap<String, String>,
}

/// How frames get from host to host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// As the fleet does by default.
    Bridge,
    Vxlan,
    Wireguard,
    /// No tunnel: the hosts' own network routes each host's part.
    Routes,
}

/// The addresses of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The range of the whole fleet.
    pub subnet: IpNet,
    /// What of it is given to hosts, part by part.
    pub range: IpNet,
}
