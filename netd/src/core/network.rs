//! The networks of this host.

use super::failure;
use ipnet::{IpNet, Ipv4Net};
use netd_api::{ErrorKind, Failure, NetworkName, NetworkSpec, OwnerName};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Which part of a group's number says that it is one of ours; the rest is the network's own.
pub const OURS: u32 = 0xffff_0000;

/// Where this netd's groups begin: other programs' groups are small numbers, and another netd's on
/// the same host follow from its own link's name.
pub fn groups_of(device: &str) -> u32 {
    // FNV-1a, folded to 14 bits.
    let hash = device
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    0x4000_0000 | ((hash ^ (hash >> 16)) & 0x3fff) << 16
}

/// One network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    pub name: NetworkName,
    /// The group of its links, its own on this host; of the network that every host has the first.
    pub group: u32,
    /// Whose document it is from; none: the host's own.
    pub owner: Option<OwnerName>,
    /// What this host gives out: one range or none of each family, IPv4 first.
    pub subnets: Vec<IpNet>,
    /// The virtual addresses of its services.
    #[serde(default)]
    pub services: Vec<IpNet>,
    pub internal: bool,
    /// None: the uplink's.
    pub mtu: Option<u32>,
    /// The domain of the containers' names.
    pub search: String,
}

impl Network {
    /// From a document. The group is given by the caller.
    pub fn new(
        spec: NetworkSpec,
        owner: &OwnerName,
        group: u32,
        search: &str,
    ) -> Result<Self, Failure> {
        let NetworkSpec { name, mut subnets, mut services, internal, mtu, search: own } = spec;
        let invalid =
            |text: String| failure(ErrorKind::Invalid, format!("make network {name}: {text}"));
        if let Some(subnet) = subnets.iter().find(|net| !fits(net)) {
            return Err(invalid(format!("subnet {subnet} {}", misfit(subnet))));
        }
        subnets.sort();
        if let [one, two] = subnets.as_slice()
            && one.addr().is_ipv4() == two.addr().is_ipv4()
        {
            return Err(invalid(format!(
                "it has both {one} and {two}: one of each family is used"
            )));
        }
        if subnets.is_empty() || subnets.len() > 2 {
            return Err(invalid("it takes one subnet of IPv4, one of IPv6 or both".to_owned()));
        }
        check_services(&subnets, &services).map_err(invalid)?;
        services.sort();
        if let Some(mtu) = mtu.filter(|mtu| !(576..=65_535).contains(mtu)) {
            return Err(invalid(format!("an MTU of {mtu} is not in 576 to 65535")));
        }
        let search = own.map_or_else(|| search.to_owned(), String::from);
        Ok(Self {
            name,
            group,
            owner: Some(owner.clone()),
            subnets,
            services,
            internal,
            mtu,
            search,
        })
    }

    /// All of its ranges.
    pub fn ranges(&self) -> impl Iterator<Item = &IpNet> {
        self.subnets.iter().chain(&self.services)
    }

    /// The host's own addresses on it, in the order of the subnets: the containers' routers and name
    /// servers.
    pub fn gateways(&self) -> impl Iterator<Item = IpAddr> {
        self.subnets.iter().map(gateway)
    }

    /// The gateway of an address's family.
    pub fn gateway_for(&self, address: IpAddr) -> Option<IpAddr> {
        self.gateways().find(|gateway| gateway.is_ipv4() == address.is_ipv4())
    }

    pub fn has_ipv6(&self) -> bool {
        self.subnets.iter().any(|net| net.addr().is_ipv6())
    }
}

/// One range of virtual addresses for a family that the network has, and none of its own addresses.
fn check_services(subnets: &[IpNet], services: &[IpNet]) -> Result<(), String> {
    for (number, range) in services.iter().enumerate() {
        let same_family = |net: &&IpNet| net.addr().is_ipv4() == range.addr().is_ipv4();
        if range.network() != range.addr() {
            let whole = range.trunc();
            return Err(format!(
                "virtual addresses {range} begin at {}: write {whole}",
                range.network()
            ));
        }
        if services[..number].iter().any(|net| same_family(&net)) {
            return Err(format!("{range} is the second range of virtual addresses of its family"));
        }
        let Some(subnet) = subnets.iter().find(same_family) else {
            return Err(format!("it has no subnet of the family of virtual addresses {range}"));
        };
        if overlap(subnet, range) {
            return Err(format!("virtual addresses {range} overlap its subnet {subnet}"));
        }
    }
    Ok(())
}

/// The first address of a subnet: the host's.
pub fn gateway(subnet: &IpNet) -> IpAddr {
    match subnet.network() {
        IpAddr::V4(address) => IpAddr::V4((address.to_bits() + 1).into()),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() + 1).into()),
    }
}

/// Whether a subnet is a whole one, with room for containers and not larger than can be meant.
pub fn fits(net: &IpNet) -> bool {
    let sizes = if net.addr().is_ipv4() { 8..=29 } else { 48..=124 };
    sizes.contains(&net.prefix_len()) && net.network() == net.addr()
}

/// What is wrong with one that does not fit.
pub fn misfit(net: &IpNet) -> String {
    if net.network() != net.addr() {
        return format!("begins at {}: write {}", net.network(), net.trunc());
    }
    let sizes = if net.addr().is_ipv4() { "/8 to /29" } else { "/48 to /124" };
    format!("is not {sizes}")
}

/// The subnets that are tried, in order, when the operator names none: rarely used parts of the
/// private ranges.
const CANDIDATES: &[[u8; 4]] = &[
    [10, 89, 0, 0],
    [10, 98, 0, 0],
    [10, 107, 0, 0],
    [10, 116, 0, 0],
    [10, 125, 0, 0],
    [10, 188, 0, 0],
    [10, 207, 0, 0],
    [172, 29, 0, 0],
    [172, 30, 0, 0],
];

/// The subnets of the host's own network: those that are wanted, else the first candidate that no
/// route of the host, other than a default route, overlaps.
pub fn choose_subnets(wanted: &[IpNet], routes: &[IpNet]) -> Result<Vec<IpNet>, String> {
    for net in wanted {
        if let Some(route) = taken(net, routes) {
            return Err(format!(
                "use subnet {net}: the host has a route to {route} (choose another with --subnet)"
            ));
        }
    }
    if !wanted.is_empty() {
        return Ok(wanted.to_vec());
    }
    let candidates = CANDIDATES.iter().filter_map(|&octets| Ipv4Net::new(octets.into(), 16).ok());
    let free = candidates.map(IpNet::V4).find(|net| taken(net, routes).is_none());
    free.map(|net| vec![net]).ok_or_else(|| {
        "choose a subnet: the host has routes to all that are tried (name one with --subnet)"
            .to_owned()
    })
}

/// The route, other than a default route, that overlaps a subnet.
pub fn taken<'a>(net: &IpNet, routes: &'a [IpNet]) -> Option<&'a IpNet> {
    routes.iter().find(|route| route.prefix_len() > 0 && overlap(route, net))
}

pub fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|t| t.parse().unwrap()).collect()
    }

    #[test]
    fn a_subnet_that_the_host_routes_is_passed_over() {
        let routes = nets(&["0.0.0.0/0", "::/0", "10.89.3.0/24"]);
        assert_eq!(choose_subnets(&[], &routes).unwrap(), nets(&["10.98.0.0/16"]));
        assert_eq!(choose_subnets(&[], &[]).unwrap(), nets(&["10.89.0.0/16"]));
    }

    #[test]
    fn a_wanted_subnet_that_collides_names_the_route() {
        for (wanted, route) in [("10.1.2.0/24", "10.0.0.0/8"), ("fd00:1::/64", "fd00::/16")] {
            let error = choose_subnets(&nets(&[wanted]), &nets(&[route])).unwrap_err();
            assert!(error.contains(route), "{error}");
        }
    }

    #[test]
    fn all_candidates_taken_is_an_error() {
        assert!(choose_subnets(&[], &nets(&["10.0.0.0/8", "172.16.0.0/12"])).is_err());
    }

    #[test]
    fn a_network_has_whole_subnets_of_a_sensible_size() {
        let make = |subnets: &[&str]| {
            let name = NetworkName::new("front").unwrap();
            let subnets = nets(subnets);
            let (services, internal) = (vec![], false);
            let spec = NetworkSpec { name, subnets, services, internal, mtu: None, search: None };
            Network::new(spec, &OwnerName::new("fleetd").unwrap(), 1, "flotilla.internal")
        };
        let network = make(&["fd00::/64", "10.1.0.0/24"]).unwrap();
        let gateways: Vec<String> = network.gateways().map(|g| g.to_string()).collect();
        assert_eq!(gateways, ["10.1.0.1", "fd00::1"]);
        for (bad, says) in [
            (&[][..], "make network front: it takes one subnet of IPv4, one of IPv6 or both"),
            (
                &["10.1.0.1/24"],
                "make network front: subnet 10.1.0.1/24 begins at 10.1.0.0: write 10.1.0.0/24",
            ),
            (&["10.1.0.0/30"], "make network front: subnet 10.1.0.0/30 is not /8 to /29"),
            (&["fd00::/32"], "make network front: subnet fd00::/32 is not /48 to /124"),
            (
                &["10.1.0.0/24", "10.2.0.0/24"],
                "make network front: it has both 10.1.0.0/24 and 10.2.0.0/24: one of each family is used",
            ),
        ] {
            assert_eq!(make(bad).unwrap_err().message, says);
        }
    }
}
