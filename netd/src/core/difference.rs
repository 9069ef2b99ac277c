//! What differs between what is wanted and what the kernel has, in words.

use super::network::{OURS, gateway};
use super::plan;
use super::ruleset::{Element, Table};
use super::{Desired, Place, Record, Service};
use ipnet::IpNet;
use netd_api::Difference;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::IpAddr;

/// What the kernel has.
#[derive(Debug, Default)]
pub struct Observed {
    /// Index, name and group of every link.
    pub links: Vec<plan::ObservedLink>,
    /// Addresses of the host's own link; none: there is no such link.
    pub device: Option<BTreeSet<(IpAddr, u8)>>,
    /// Our routes, with the links that they lead out of.
    pub routes: BTreeSet<(IpNet, u32)>,
    /// Neighbours that were told for good.
    pub neighbours: BTreeSet<IpAddr>,
    pub elements: BTreeSet<Element>,
    /// How many rules each chain of our table has; none: there is no such table.
    pub rules: Option<BTreeMap<String, usize>>,
}

/// Compares. `device` is the host's own link, `ready` are the links of the pools, `groups` is where our
/// groups begin.
pub fn difference(
    desired: &Desired,
    table: &Table,
    observed: &Observed,
    (device, device_index): (&str, u32),
    (ready, groups): (&[(u32, u32)], u32),
) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut missing = |what: String| found.push(Difference::Missing { what });
    compare_device(desired, observed, (device, device_index), &mut missing);
    for record in desired.endpoints.values() {
        compare_endpoint(record, observed, &mut missing);
    }
    compare_rules(table, observed, &mut missing);
    let wanted = elements(desired);
    for element in wanted.difference(&observed.elements) {
        missing(format!("element {element}"));
    }
    let strange = observed.elements.difference(&wanted).map(|element| format!("element {element}"));
    let known: BTreeSet<u32> = desired
        .endpoints
        .values()
        .flat_map(|record| record.places.iter().map(|place| place.index))
        .chain(ready.iter().map(|(index, _)| *index))
        .collect();
    let links = observed.links.iter().filter(|link| link.group & OURS == groups);
    let links = links.filter(|link| !known.contains(&link.index));
    let strange = strange.chain(links.map(|link| format!("link {}", link.name)));
    found.extend(strange.map(|what| Difference::Strange { what }));
    found
}

/// Every element that the sets should have.
pub fn elements(desired: &Desired) -> BTreeSet<Element> {
    let networks = desired.networks.values().flat_map(plan::network_elements);
    let endpoints = desired.endpoints.values().flat_map(plan::elements);
    networks.chain(endpoints).chain(desired.services.values().flat_map(Service::elements)).collect()
}

fn compare_device(
    desired: &Desired,
    observed: &Observed,
    (name, index): (&str, u32),
    missing: &mut impl FnMut(String),
) {
    let Some(addresses) = &observed.device else { return missing(format!("link {name}")) };
    for network in desired.networks.values() {
        for subnet in &network.subnets {
            let (own, prefix) = (gateway(subnet), subnet.prefix_len());
            if !addresses.contains(&(own, prefix)) {
                missing(format!("address {own}/{prefix} of {name}"));
            }
        }
        for range in network.services.iter().filter(|r| !observed.routes.contains(&(**r, index))) {
            missing(format!("route to {range} by {name}"));
        }
    }
}

fn compare_endpoint(record: &Record, observed: &Observed, missing: &mut impl FnMut(String)) {
    let id = &record.spec.id;
    for Place { link, index, group, addresses, network, .. } in &record.places {
        let Some(there) = observed.links.iter().find(|l| l.index == *index) else {
            missing(format!("link {link} of {id}"));
            continue;
        };
        if there.group != *group {
            missing(format!("link {link} of {id} in the group of network {network}"));
        }
        for address in addresses {
            if !observed.routes.contains(&(IpNet::from(*address), *index)) {
                missing(format!("route to {address} of {id} by {link}"));
            }
            if !observed.neighbours.contains(address) {
                missing(format!("neighbour {address} of {id} at {link}"));
            }
        }
    }
}

fn compare_rules(table: &Table, observed: &Observed, missing: &mut impl FnMut(String)) {
    let Some(rules) = &observed.rules else { return missing("the table".to_owned()) };
    let count = |count: usize, of: &dyn Display| format!("{count} rules in chain {of}");
    for chain in &table.chains {
        let there = rules.get(&chain.name).copied().unwrap_or_default();
        if there != chain.rules.len() {
            let wanted = count(chain.rules.len(), &chain.name);
            missing(format!("{wanted} (there are {there})"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ruleset::ruleset;
    use crate::core::{Network, samples};

    const DEVICE: (&str, u32) = ("flotilla0", 3);

    /// A network with an endpoint, and a kernel that has all of it.
    fn matching() -> (Desired, Table, Observed) {
        let network = Network {
            services: vec!["10.96.0.0/16".parse().unwrap()],
            ..samples::network("bridge", 0, &["10.0.0.0/24"])
        };
        let record = samples::record("web:1", &[], &[(&network, &["10.0.0.2"])]);
        let mut desired = Desired::default();
        desired.networks.insert(network.name.clone(), network.clone());
        desired.insert(record.clone());
        let table = ruleset(DEVICE.0, network.group & OURS);
        let place = &record.places[0];
        let link =
            |index, name: &str, group| plan::ObservedLink { index, name: name.to_owned(), group };
        let observed = Observed {
            links: vec![link(place.index, place.link.as_str(), place.group), link(1, "lo", 0)],
            device: Some(BTreeSet::from([("10.0.0.1".parse().unwrap(), 24)])),
            routes: BTreeSet::from([
                ("10.0.0.2/32".parse().unwrap(), place.index),
                ("10.96.0.0/16".parse().unwrap(), DEVICE.1),
            ]),
            neighbours: BTreeSet::from(["10.0.0.2".parse().unwrap()]),
            elements: elements(&desired),
            rules: Some(table.chains.iter().map(|c| (c.name.clone(), c.rules.len())).collect()),
        };
        (desired, table, observed)
    }

    fn words(change: impl FnOnce(&mut Observed)) -> Vec<String> {
        let (desired, table, mut observed) = matching();
        change(&mut observed);
        let groups = desired.networks.values().next().unwrap().group & OURS;
        let found = difference(&desired, &table, &observed, DEVICE, (&[], groups));
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_differs_where_the_kernel_has_what_is_wanted() {
        assert_eq!(words(|_| {}), Vec::<String>::new());
    }

    #[test]
    fn each_difference_is_named() {
        let group = matching().2.links[0].group;
        let strange = plan::ObservedLink { index: 99, name: "fl9".to_owned(), group };
        assert_eq!(words(|o| o.device = None), ["missing: link flotilla0"]);
        assert_eq!(
            words(|o| o.device = Some(BTreeSet::new())),
            ["missing: address 10.0.0.1/24 of flotilla0"]
        );
        assert_eq!(
            words(|o| o.links[0].index = 50),
            ["missing: link fl0 of web:1", "strange: link fl0"]
        );
        assert_eq!(
            words(|o| o.links[0].group = 0),
            ["missing: link fl0 of web:1 in the group of network bridge"]
        );
        assert_eq!(
            words(|o| o.routes.clear()),
            [
                "missing: route to 10.96.0.0/16 by flotilla0",
                "missing: route to 10.0.0.2 of web:1 by fl0"
            ]
        );
        assert_eq!(
            words(|o| o.neighbours.clear()),
            ["missing: neighbour 10.0.0.2 of web:1 at fl0"]
        );
        assert_eq!(words(|o| o.rules = None), ["missing: the table"]);
        assert_eq!(
            words(|o| o.rules.as_mut().unwrap().insert("input".to_owned(), 5).map_or((), drop)),
            ["missing: 2 rules in chain input (there are 5)"]
        );
        assert_eq!(words(|o| o.links.push(strange)), ["strange: link fl9"]);
        let element = Element::gateway("10.0.0.9".parse().unwrap());
        assert_eq!(
            words(|o| o.elements = BTreeSet::from([element])).last().unwrap(),
            "strange: element gateways4 10.0.0.9"
        );
    }
}
