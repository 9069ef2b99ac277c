//! The names that we answer.

use ipnet::Ipv4Net;
use netd_api::{DnsName, EndpointId, EndpointSpec};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, PoisonError, RwLock};

/// Names of endpoints and their addresses. All names are lower case and without a final dot.
#[derive(Debug)]
pub struct Zone {
    subnet: Ipv4Net,
    search: String,
    forward: BTreeMap<String, BTreeMap<EndpointId, Ipv4Addr>>,
    reverse: BTreeMap<Ipv4Addr, (EndpointId, String)>,
}

/// What we know about a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Several units may have the same name: all their addresses.
    Addresses(Vec<Ipv4Addr>),
    Name(String),
    /// It is ours to answer, and there is no such name.
    Nothing,
    /// The world's.
    Foreign,
}

impl Zone {
    pub fn new(subnet: Ipv4Net, search: &str) -> Self {
        Self {
            subnet,
            search: search.to_owned(),
            forward: BTreeMap::new(),
            reverse: BTreeMap::new(),
        }
    }

    pub fn insert(&mut self, spec: &EndpointSpec, address: Ipv4Addr) {
        for name in &spec.names {
            let addresses = self.forward.entry(name.as_str().to_owned()).or_default();
            addresses.insert(spec.id.clone(), address);
        }
        if let Some(name) = spec.names.first() {
            let full = self.full(name);
            self.reverse.insert(address, (spec.id.clone(), full));
        }
    }

    pub fn remove(&mut self, spec: &EndpointSpec, address: Ipv4Addr) {
        for name in &spec.names {
            if let Some(addresses) = self.forward.get_mut(name.as_str()) {
                addresses.remove(&spec.id);
                if addresses.is_empty() {
                    self.forward.remove(name.as_str());
                }
            }
        }
        if self.reverse.get(&address).is_some_and(|(id, _)| *id == spec.id) {
            self.reverse.remove(&address);
        }
    }

    /// Looks up a name. One that has a single label, or is under the search domain, never leaves
    /// this host: the name server of somebody else's network must not answer for a unit that is
    /// just not there (CVE-2025-8283).
    pub fn look_up(&self, name: &str) -> Answer {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let ours = match name.strip_suffix(&self.search) {
            Some("") => Some(""),
            Some(rest) => rest.strip_suffix('.'),
            None => None,
        };
        let found = self.forward.get(ours.unwrap_or(&name)).or_else(|| self.forward.get(&name));
        match found {
            Some(addresses) => Answer::Addresses(addresses.values().copied().collect()),
            None if ours.is_some() || !name.contains('.') => Answer::Nothing,
            None => Answer::Foreign,
        }
    }

    /// Looks up the name of an address of ours.
    pub fn look_up_address(&self, address: Ipv4Addr) -> Answer {
        match self.reverse.get(&address) {
            Some((_, name)) => Answer::Name(name.clone()),
            None if self.subnet.contains(&address) => Answer::Nothing,
            None => Answer::Foreign,
        }
    }

    fn full(&self, name: &DnsName) -> String {
        format!("{name}.{}", self.search)
    }
}

/// The zone, shared between who changes it and who answers from it.
#[derive(Clone)]
pub struct SharedZone(Arc<RwLock<Zone>>);

impl SharedZone {
    pub fn new(zone: Zone) -> Self {
        Self(Arc::new(RwLock::new(zone)))
    }

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
    use netd_api::NetworkName;

    fn spec(id: &str, names: &[&str]) -> EndpointSpec {
        EndpointSpec {
            id: EndpointId::new(id).unwrap(),
            network: NetworkName::new("default").unwrap(),
            names: names.iter().map(|n| DnsName::new(*n).unwrap()).collect(),
            ports: vec![],
            address: None,
        }
    }

    fn zone() -> Zone {
        let mut zone = Zone::new("10.0.0.0/24".parse().unwrap(), "flotilla.internal");
        zone.insert(&spec("a", &["web", "web.example"]), [10, 0, 0, 2].into());
        zone.insert(&spec("b", &["web"]), [10, 0, 0, 3].into());
        zone
    }

    fn addresses(last: &[u8]) -> Answer {
        Answer::Addresses(last.iter().map(|l| [10, 0, 0, *l].into()).collect())
    }

    #[test]
    fn a_name_is_found_short_and_with_the_search_domain() {
        let zone = zone();
        for name in ["web", "WEB.", "web.flotilla.internal", "Web.Flotilla.Internal."] {
            assert_eq!(zone.look_up(name), addresses(&[2, 3]), "{name}");
        }
        assert_eq!(zone.look_up("web.example"), addresses(&[2]));
    }

    #[test]
    fn what_is_ours_never_leaves() {
        let zone = zone();
        for name in ["db", "db.", "db.flotilla.internal", "flotilla.internal", ""] {
            assert_eq!(zone.look_up(name), Answer::Nothing, "{name}");
        }
        assert_eq!(zone.look_up("example.org"), Answer::Foreign);
        assert_eq!(zone.look_up("notflotilla.internal"), Answer::Foreign);
    }

    #[test]
    fn an_address_has_the_first_name() {
        let zone = zone();
        let name = Answer::Name("web.flotilla.internal".to_owned());
        assert_eq!(zone.look_up_address([10, 0, 0, 2].into()), name);
        assert_eq!(zone.look_up_address([10, 0, 0, 9].into()), Answer::Nothing);
        assert_eq!(zone.look_up_address([10, 0, 1, 9].into()), Answer::Foreign);
    }

    #[test]
    fn a_removed_endpoint_leaves_the_others() {
        let mut zone = zone();
        zone.remove(&spec("a", &["web", "web.example"]), [10, 0, 0, 2].into());
        assert_eq!(zone.look_up("web"), addresses(&[3]));
        assert_eq!(zone.look_up("web.example"), Answer::Foreign);
    }
}
