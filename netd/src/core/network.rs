//! The network of this host: a bridge with a subnet.

use ipnet::Ipv4Net;
use netd_api::NetworkName;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// One bridge network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    pub name: NetworkName,
    /// Name of the bridge.
    pub bridge: String,
    /// Name of the nftables tables.
    pub table: String,
    pub subnet: Ipv4Net,
    /// The domain of the containers' names.
    pub search: String,
}

impl Network {
    /// The first address is the bridge's: the containers' router and name server.
    pub fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.subnet.network().to_bits() + 1)
    }
}

/// A hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Follows from the address, so that a neighbour's table is right also when the address has
    /// passed from one container to the next. Locally administered (IEEE 802, bit 1).
    pub fn of(address: Ipv4Addr) -> Self {
        let [a, b, c, d] = address.octets();
        Self([0x02, 0xf1, a, b, c, d])
    }
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

/// The first candidate that no route of the host, other than a default route, overlaps.
pub fn choose_subnet(wanted: Option<Ipv4Net>, routes: &[Ipv4Net]) -> Result<Ipv4Net, String> {
    let taken = |net: &Ipv4Net| routes.iter().find(|r| r.prefix_len() > 0 && overlap(r, net));
    if let Some(net) = wanted {
        return match taken(&net) {
            None => Ok(net),
            Some(route) => Err(format!(
                "use subnet {net}: the host has a route to {route} (choose another with --subnet)"
            )),
        };
    }
    let candidates = CANDIDATES.iter().filter_map(|&octets| Ipv4Net::new(octets.into(), 16).ok());
    candidates.into_iter().find(|net| taken(net).is_none()).ok_or_else(|| {
        "choose a subnet: the host has routes to all that are tried (name one with --subnet)"
            .to_owned()
    })
}

fn overlap(a: &Ipv4Net, b: &Ipv4Net) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(texts: &[&str]) -> Vec<Ipv4Net> {
        texts.iter().map(|t| t.parse().unwrap()).collect()
    }

    #[test]
    fn a_subnet_that_the_host_routes_is_passed_over() {
        let routes = nets(&["0.0.0.0/0", "10.89.3.0/24"]);
        assert_eq!(choose_subnet(None, &routes).unwrap().to_string(), "10.98.0.0/16");
        assert_eq!(choose_subnet(None, &[]).unwrap().to_string(), "10.89.0.0/16");
    }

    #[test]
    fn a_wanted_subnet_that_collides_names_the_route() {
        let wanted = Some("10.1.2.0/24".parse().unwrap());
        let error = choose_subnet(wanted, &nets(&["10.0.0.0/8"])).unwrap_err();
        assert!(error.contains("10.0.0.0/8"), "{error}");
    }

    #[test]
    fn all_candidates_taken_is_an_error() {
        assert!(choose_subnet(None, &nets(&["10.0.0.0/8", "172.16.0.0/12"])).is_err());
    }
}
