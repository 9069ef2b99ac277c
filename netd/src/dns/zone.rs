//! The names that we answer.

use crate::core::network::gateway;
use crate::core::{Network, Record};
use ipnet::IpNet;
use netd_api::{DnsName, EndpointId, NetworkName, ServiceSpec};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

/// Names of endpoints and their addresses. All names are lower case and without a final dot.
#[derive(Debug, Default)]
pub struct Zone {
    networks: BTreeMap<NetworkName, Area>,
    forward: BTreeMap<String, BTreeSet<Entry>>,
    reverse: BTreeMap<IpAddr, Host>,
    services: BTreeMap<DnsName, ServiceSpec>,
}

/// What is known of a network.
#[derive(Debug)]
struct Area {
    subnets: Vec<IpNet>,
    internal: bool,
    search: String,
}

/// One address of a name.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    network: NetworkName,
    /// None: it is a service's.
    id: Option<EndpointId>,
    address: IpAddr,
}

/// Who has an address.
#[derive(Debug)]
struct Host {
    id: EndpointId,
    /// Where it may look up names: all that it is on.
    networks: Vec<NetworkName>,
    /// Its first name, with the search domain.
    name: Option<String>,
}

/// What we know about a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Several units may have the same name: all their addresses.
    Addresses(Vec<IpAddr>),
    Name(String),
    /// It is ours to answer, and there is no such name.
    Nothing,
    /// The world's.
    Foreign,
}

impl Zone {
    pub fn put_network(&mut self, network: &Network) {
        let Network { name, subnets, internal, search, .. } = network.clone();
        self.networks.insert(name, Area { subnets, internal, search });
    }

    pub fn remove_network(&mut self, name: &NetworkName) {
        self.networks.remove(name);
    }

    /// Whether it is an address at which we are asked ourselves.
    pub fn is_gateway(&self, address: IpAddr) -> bool {
        let mut subnets = self.networks.values().flat_map(|area| &area.subnets);
        subnets.any(|subnet| gateway(subnet) == address)
    }

    pub fn insert(&mut self, record: &Record) {
        let networks: Vec<NetworkName> = record.places.iter().map(|p| p.network.clone()).collect();
        for (name, entry) in entries(record) {
            self.forward.entry(name).or_default().insert(entry);
        }
        for place in &record.places {
            let search = self.networks.get(&place.network).map(|area| &area.search);
            let name = record.spec.names.first().zip(search);
            for address in &place.addresses {
                let host = Host {
                    id: record.spec.id.clone(),
                    networks: networks.clone(),
                    name: name.map(|(name, search)| format!("{name}.{search}")),
                };
                self.reverse.insert(*address, host);
            }
        }
    }

    pub fn put_service(&mut self, service: &ServiceSpec) {
        self.remove_service(&service.name);
        for (name, entry) in service_entries(service) {
            self.forward.entry(name).or_default().insert(entry);
        }
        self.services.insert(service.name.clone(), service.clone());
    }

    pub fn remove_service(&mut self, name: &DnsName) {
        let Some(service) = self.services.remove(name) else { return };
        for (name, entry) in service_entries(&service) {
            self.take_out(&name, &entry);
        }
    }

    fn take_out(&mut self, name: &str, entry: &Entry) {
        if let Some(entries) = self.forward.get_mut(name) {
            entries.remove(entry);
            if entries.is_empty() {
                self.forward.remove(name);
            }
        }
    }

    pub fn remove(&mut self, record: &Record) {
        for (name, entry) in entries(record) {
            self.take_out(&name, &entry);
        }
        for address in record.addresses() {
            if self.reverse.get(&address).is_some_and(|host| host.id == record.spec.id) {
                self.reverse.remove(&address);
            }
        }
    }

    /// Looks up a name for who asks from an address: in all networks that it is on; for one that is
    /// no endpoint's, which can only be this host, in all that there are.
    ///
    /// A name that has a single label, or is under a search domain, never leaves this host: the name
    /// server of somebody else's network must not answer for a unit that is just not there
    /// (CVE-2025-8283). And nothing leaves it for who is on internal networks only (CVE-2024-29018).
    pub fn look_up(&self, name: &str, asks: IpAddr) -> Answer {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let networks = self.reverse.get(&asks).map(|host| &host.networks);
        let sees = |network: &NetworkName| networks.is_none_or(|all| all.contains(network));
        let areas = || self.networks.iter().filter(|(name, _)| sees(name)).map(|(_, area)| area);
        let ours = areas().find_map(|area| below(&name, &area.search));
        let find = |name: &str| {
            let entries = self.forward.get(name).into_iter().flatten();
            let seen = entries.filter(|entry| sees(&entry.network));
            // A service comes before its instances, where both have the name.
            let is_service = |entry: &&&Entry| entry.id.is_none();
            let seen: Vec<&Entry> = seen.collect();
            let services: Vec<&Entry> = seen.iter().filter(is_service).copied().collect();
            let seen = if services.is_empty() { seen } else { services };
            let addresses: Vec<IpAddr> = seen.iter().map(|entry| entry.address).collect();
            (!addresses.is_empty()).then_some(Answer::Addresses(addresses))
        };
        let found = find(ours.unwrap_or(&name)).or_else(|| find(&name));
        let stays = ours.is_some() || !name.contains('.') || areas().all(|area| area.internal);
        found.unwrap_or(if stays { Answer::Nothing } else { Answer::Foreign })
    }

    /// Looks up the name of an address.
    pub fn look_up_address(&self, address: IpAddr, asks: IpAddr) -> Answer {
        let networks = self.reverse.get(&asks).map(|host| &host.networks);
        let sees = |network: &NetworkName| networks.is_none_or(|all| all.contains(network));
        let areas = || self.networks.iter().filter(|(name, _)| sees(name)).map(|(_, area)| area);
        let is_on = |host: &&Host| host.networks.iter().any(sees);
        if let Some(name) = self.reverse.get(&address).filter(is_on).and_then(|h| h.name.clone()) {
            return Answer::Name(name);
        }
        let all = self.networks.values().flat_map(|area| &area.subnets);
        let stays = all.copied().any(|net| net.contains(&address));
        if stays || areas().all(|area| area.internal) { Answer::Nothing } else { Answer::Foreign }
    }
}

/// What comes before a search domain; nothing before the domain itself.
fn below<'a>(name: &'a str, search: &str) -> Option<&'a str> {
    match name.strip_suffix(search)? {
        "" => Some(""),
        rest => rest.strip_suffix('.'),
    }
}

/// Every name of an endpoint with every address that it has there.
fn entries(record: &Record) -> impl Iterator<Item = (String, Entry)> {
    let pairs = record.places.iter().zip(&record.spec.networks);
    pairs.flat_map(move |(place, attachment)| {
        let names = record.spec.names.iter().chain(&attachment.names);
        names.flat_map(move |name: &DnsName| {
            place.addresses.iter().map(move |address| {
                let (network, id) = (place.network.clone(), Some(record.spec.id.clone()));
                (name.as_str().to_owned(), Entry { network, id, address: *address })
            })
        })
    })
}

/// Every name of a service with every address that it has.
fn service_entries(service: &ServiceSpec) -> impl Iterator<Item = (String, Entry)> {
    let names = std::iter::once(&service.name).chain(&service.names);
    names.flat_map(|name| {
        service.addresses.iter().map(|address| {
            let network = service.network.clone();
            (name.as_str().to_owned(), Entry { network, id: None, address: *address })
        })
    })
}

/// The zone, shared between who changes it and who answers from it.
#[derive(Clone, Default)]
pub struct SharedZone(Arc<RwLock<Zone>>);

impl SharedZone {
    pub fn read<T>(&self, read: impl FnOnce(&Zone) -> T) -> T {
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn change(&self, change: impl FnOnce(&mut Zone)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::samples::{network, record};

    const HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn addresses(texts: &[&str]) -> Answer {
        Answer::Addresses(texts.iter().map(|text| ip(text)).collect())
    }

    /// Two networks, of which the second is internal; `a` is on the first, `b` on both, `c` on the
    /// second.
    fn zone() -> Zone {
        let front = network("front", 0, &["10.0.0.0/24", "fd00::/64"]);
        let back = Network { internal: true, ..network("back", 1, &["10.1.0.0/24"]) };
        let mut zone = Zone::default();
        zone.put_network(&front);
        zone.put_network(&back);
        zone.insert(&record("a", &["web", "web.example"], &[(&front, &["10.0.0.2", "fd00::2"])]));
        zone.insert(&record("b", &["web"], &[(&front, &["10.0.0.3"]), (&back, &["10.1.0.3"])]));
        zone.insert(&record("c", &["db"], &[(&back, &["10.1.0.4"])]));
        zone
    }

    #[test]
    fn a_name_is_found_short_and_with_the_search_domain() {
        let zone = zone();
        for name in ["web", "WEB.", "web.flotilla.internal", "Web.Flotilla.Internal."] {
            let found = zone.look_up(name, ip("10.0.0.2"));
            assert_eq!(found, addresses(&["10.0.0.2", "fd00::2", "10.0.0.3"]), "{name}");
        }
        assert_eq!(
            zone.look_up("web.example", ip("10.0.0.2")),
            addresses(&["10.0.0.2", "fd00::2"])
        );
    }

    #[test]
    fn who_asks_sees_the_networks_that_it_is_on() {
        let zone = zone();
        assert_eq!(zone.look_up("db", ip("10.0.0.2")), Answer::Nothing);
        assert_eq!(zone.look_up("db", ip("10.0.0.3")), addresses(&["10.1.0.4"]));
        assert_eq!(zone.look_up("web", ip("10.1.0.4")), addresses(&["10.1.0.3"]));
        assert_eq!(zone.look_up("db", HOST), addresses(&["10.1.0.4"]));
        assert_eq!(zone.look_up_address(ip("10.1.0.4"), ip("10.0.0.2")), Answer::Nothing);
    }

    #[test]
    fn what_is_ours_never_leaves() {
        let zone = zone();
        for name in ["nobody", "nobody.", "nobody.flotilla.internal", "flotilla.internal", ""] {
            assert_eq!(zone.look_up(name, ip("10.0.0.2")), Answer::Nothing, "{name}");
        }
        assert_eq!(zone.look_up("example.org", ip("10.0.0.2")), Answer::Foreign);
        assert_eq!(zone.look_up("notflotilla.internal", ip("10.0.0.2")), Answer::Foreign);
    }

    #[test]
    fn cve_2024_29018_nothing_leaves_an_internal_network() {
        let zone = zone();
        assert_eq!(zone.look_up("example.org", ip("10.1.0.4")), Answer::Nothing);
        assert_eq!(zone.look_up_address(ip("192.0.2.1"), ip("10.1.0.4")), Answer::Nothing);
        assert_eq!(zone.look_up("example.org", ip("10.1.0.3")), Answer::Foreign, "it is on both");
    }

    #[test]
    fn an_address_has_the_first_name() {
        let (zone, asks) = (zone(), ip("10.0.0.2"));
        let name = Answer::Name("web.flotilla.internal".to_owned());
        for address in ["10.0.0.2", "fd00::2"] {
            assert_eq!(zone.look_up_address(ip(address), asks), name);
        }
        assert_eq!(zone.look_up_address(ip("10.0.0.9"), asks), Answer::Nothing);
        assert_eq!(zone.look_up_address(ip("10.0.1.9"), asks), Answer::Foreign);
    }

    #[test]
    fn a_removed_endpoint_leaves_the_others() {
        let front = network("front", 0, &["10.0.0.0/24", "fd00::/64"]);
        let mut zone = zone();
        zone.remove(&record("a", &["web", "web.example"], &[(&front, &["10.0.0.2", "fd00::2"])]));
        assert_eq!(zone.look_up("web", ip("10.0.0.3")), addresses(&["10.1.0.3", "10.0.0.3"]));
        assert_eq!(zone.look_up("web.example", ip("10.0.0.3")), Answer::Foreign);
    }
}
