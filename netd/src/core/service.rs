//! Services, and how their backends are spread over places.
//!
//! A packet's way must not need a rule for each service or backend. A service's port leads to one of a
//! fixed number of chains, each of which draws a place out of as many as its name says and translates to
//! the backend at that place. So a change of one backend is a change of that service's elements.

use super::ruleset::Element;
use super::{Network, failure};
use netd_api::{Backend, Balance, ErrorKind, Failure, MOST_BACKENDS, OwnerName, ServiceSpec};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

/// Up to so many backends have a place each; more share [`PLACES`] as evenly as it goes.
pub const EXACT: usize = 64;
/// Sixteen for each of 65 backends: none gets 7 % more than another one. As many as there can be
/// backends.
pub const PLACES: usize = MOST_BACKENDS;
/// A prime, as the table of Maglev needs it (Eisenbud and others, NSDI 2016, section 3.4): enough for
/// some hundred backends.
pub const STABLE_PLACES: usize = 4093;

/// A service that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub owner: OwnerName,
    pub spec: ServiceSpec,
}

impl Service {
    /// Checks it against its network.
    pub fn new(owner: &OwnerName, spec: ServiceSpec, network: &Network) -> Result<Self, Failure> {
        check(&spec, network).map_err(|text| {
            failure(ErrorKind::Invalid, format!("make service {}: {text}", spec.name))
        })?;
        Ok(Self { owner: owner.clone(), spec })
    }

    /// The set elements that it needs.
    pub fn elements(&self) -> BTreeSet<Element> {
        let ServiceSpec { addresses, ports, backends, balance, .. } = &self.spec;
        let mut elements = BTreeSet::new();
        for address in addresses {
            elements.insert(Element::virtual_address(*address));
            let of_family = |backend: &Backend| {
                backend.addresses.iter().find(|a| a.is_ipv4() == address.is_ipv4()).copied()
            };
            let able: BTreeSet<IpAddr> = backends.iter().filter_map(of_family).collect();
            let able: Vec<IpAddr> = able.into_iter().collect();
            let places = places(*balance, &able);
            for port in ports {
                let of = (*address, port.protocol, port.port);
                if let Some(chain) = chain(*balance, places.len()) {
                    elements.insert(Element::service(of.0, of.1, of.2, chain));
                }
                for (slot, backend) in (0..).zip(&places) {
                    let target = SocketAddr::new(*backend, port.target);
                    elements.insert(Element::backend(of, slot, target));
                }
            }
        }
        elements
    }

    /// Addresses of its backends.
    pub fn backends(&self) -> BTreeSet<IpAddr> {
        self.spec.backends.iter().flat_map(|backend| backend.addresses.clone()).collect()
    }
}

/// The chain that draws one of so many places; without places there is none to draw.
fn chain(balance: Balance, places: usize) -> Option<String> {
    let kind = match balance {
        Balance::Random => "random",
        Balance::Source | Balance::Stable => "source",
    };
    (places > 0).then(|| format!("{kind}_{places}"))
}

/// Who is at which place.
fn places(balance: Balance, backends: &[IpAddr]) -> Vec<IpAddr> {
    match balance {
        _ if backends.is_empty() => Vec::new(),
        Balance::Stable => stable(backends),
        _ if backends.len() <= EXACT => backends.to_vec(),
        _ => backends.iter().cycle().take(PLACES).copied().collect(),
    }
}

/// Maglev's table: each backend in turn takes the next place of an order of its own that is free. When a
/// backend goes, hardly any other place changes hands.
fn stable(backends: &[IpAddr]) -> Vec<IpAddr> {
    let mut orders: Vec<_> = backends.iter().map(|backend| order(*backend)).collect();
    let mut places: Vec<Option<IpAddr>> = vec![None; STABLE_PLACES];
    let mut left = STABLE_PLACES;
    'all: loop {
        for (backend, order) in backends.iter().zip(&mut orders) {
            let Some(place) = order.find(|place| places[*place].is_none()) else { break 'all };
            places[place] = Some(*backend);
            left -= 1;
            if left == 0 {
                break 'all;
            }
        }
    }
    places.into_iter().flatten().collect()
}

/// Every place once, in an order that follows from the address.
fn order(backend: IpAddr) -> impl Iterator<Item = usize> {
    let number = |salt: u8| {
        // With fixed keys: the same in every process, and on every host of one version.
        let mut hasher = DefaultHasher::new();
        (salt, backend).hash(&mut hasher);
        usize::try_from(hasher.finish() >> 32).unwrap_or_default()
    };
    let (start, step) = (number(0) % STABLE_PLACES, number(1) % (STABLE_PLACES - 1) + 1);
    (0..STABLE_PLACES).map(move |turn| (start + turn * step) % STABLE_PLACES)
}

fn check(spec: &ServiceSpec, network: &Network) -> Result<(), String> {
    if spec.addresses.is_empty() {
        return Err("it has no virtual address".to_owned());
    }
    for (number, address) in spec.addresses.iter().enumerate() {
        if !network.services.iter().any(|net| net.contains(address)) {
            return Err(format!(
                "{address} is not among the virtual addresses of network {}",
                network.name
            ));
        }
        if spec.addresses[..number].iter().any(|a| a.is_ipv4() == address.is_ipv4()) {
            return Err(format!("{address} is its second address of that family"));
        }
    }
    let mut seen = BTreeMap::new();
    for port in &spec.ports {
        if port.port == 0 || port.target == 0 {
            return Err("ports are 1 to 65535".to_owned());
        }
        if seen.insert((port.port, port.protocol), ()).is_some() {
            return Err(format!("port {}/{} is named twice", port.port, port.protocol));
        }
    }
    if spec.ports.is_empty() {
        return Err("it has no port".to_owned());
    }
    if spec.backends.len() > MOST_BACKENDS {
        return Err(format!("it has more than {MOST_BACKENDS} backends"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::samples;

    fn backends(count: u32) -> Vec<IpAddr> {
        (0..count).map(|n| IpAddr::from((0x0a00_0002 + n).to_be_bytes())).collect()
    }

    fn shares(places: &[IpAddr]) -> BTreeMap<IpAddr, usize> {
        let mut shares = BTreeMap::new();
        places.iter().for_each(|backend| *shares.entry(*backend).or_default() += 1);
        shares
    }

    #[test]
    fn every_backend_has_about_the_same_share() {
        for (balance, count, within) in [
            (Balance::Random, 1, 1.0),
            (Balance::Random, 64, 1.0),
            (Balance::Random, 65, 1.07),
            (Balance::Source, 50, 1.0),
            (Balance::Stable, 3, 1.02),
            (Balance::Stable, 50, 1.15),
        ] {
            let shares = shares(&places(balance, &backends(count)));
            assert_eq!(shares.len(), count as usize);
            let (least, most) = (shares.values().min().unwrap(), shares.values().max().unwrap());
            assert!(
                *most as f64 <= *least as f64 * within,
                "{balance:?} {count}: {least} to {most}"
            );
        }
        assert!(places(Balance::Random, &[]).is_empty());
        assert!(places(Balance::Stable, &[]).is_empty());
    }

    #[test]
    fn a_stable_table_hardly_changes_when_a_backend_goes() {
        let (before, mut all) = (places(Balance::Stable, &backends(20)), backends(20));
        let gone = all.remove(7);
        let after = places(Balance::Stable, &all);
        let moved = before.iter().zip(&after).filter(|(b, a)| a != b && **b != gone).count();
        assert!(moved * 20 < STABLE_PLACES, "{moved} of {STABLE_PLACES} places changed hands");
    }

    #[test]
    fn a_change_of_one_backend_touches_a_few_elements() {
        let network = Network {
            services: vec!["10.96.0.0/16".parse().unwrap()],
            ..samples::network("bridge", 0, &["10.0.0.0/24"])
        };
        let service = |count| {
            let backend = |address| Backend { addresses: vec![address] };
            let spec =
                samples::service("web", "10.96.0.1", backends(count).into_iter().map(backend));
            Service::new(&OwnerName::new("fleetd").unwrap(), spec, &network).unwrap()
        };
        let (before, after) = (service(50).elements(), service(49).elements());
        assert_eq!(before.len(), 52, "the address, the port, and the backends");
        // The last place goes, and the port leads to the chain that draws of one place less.
        assert_eq!(before.difference(&after).count(), 2);
        assert_eq!(after.difference(&before).count(), 1);
        assert_eq!(service(0).elements().len(), 1, "the address alone");
    }
}
