//! From wanted and observed to operations.

use super::network;
use super::ruleset::Element;
use super::{Network, Record};
use netd_api::EndpointId;
use std::collections::{BTreeMap, BTreeSet};

/// A link of the host, as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedLink {
    pub index: u32,
    pub name: String,
    pub group: u32,
}

/// What to do about links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// One of the endpoint's links is gone, so its namespace is: it is not wanted any more.
    Forget(EndpointId),
    /// A link is in another group than its network's: it could reach what is not its own.
    Regroup { index: u32, name: String, group: u32 },
    /// A link in one of our groups that belongs to nobody.
    Delete { index: u32, name: String },
}

/// Compares the wanted endpoints with the kernel's links. `ready` are the pool's, with the group
/// that they are to be in; `groups` is where our groups begin.
pub fn links<'a>(
    wanted: impl IntoIterator<Item = &'a Record>,
    ready: &[(u32, u32)],
    links: &[ObservedLink],
    groups: u32,
) -> Vec<Operation> {
    let mut operations = Vec::new();
    let mut known: BTreeMap<u32, u32> = ready.iter().copied().collect();
    for record in wanted {
        // An index is not given twice (until 2^31 links were made), a name may be.
        let is_there =
            |index: u32, name: &str| links.iter().any(|l| l.index == index && l.name == name);
        if record.places.iter().all(|p| is_there(p.index, p.link.as_str())) {
            known.extend(record.places.iter().map(|place| (place.index, place.group)));
        } else {
            operations.push(Operation::Forget(record.spec.id.clone()));
        }
    }
    for ObservedLink { index, name, group } in links {
        let (index, name) = (*index, name.clone());
        match known.get(&index) {
            Some(wanted) if wanted != group => {
                operations.push(Operation::Regroup { index, name, group: *wanted });
            }
            None if *group & network::OURS == groups => {
                operations.push(Operation::Delete { index, name })
            }
            _ => {}
        }
    }
    operations
}

/// The set elements that an endpoint needs.
pub fn elements(record: &Record) -> BTreeSet<Element> {
    let mut elements = BTreeSet::new();
    for place in &record.places {
        for (address, gateway) in place.addresses.iter().zip(&place.gateways) {
            elements.insert(Element::source(place.index, *address));
            elements.insert(Element::hairpin(*address, *gateway));
        }
    }
    elements.extend(record.published().filter_map(|published| published.element()));
    elements
}

/// The set elements that a network needs.
pub fn network_elements(network: &Network) -> BTreeSet<Element> {
    let group = network.group;
    let mut elements = BTreeSet::from([Element::linked(group, group)]);
    if network.internal {
        elements.insert(Element::internal(group));
    }
    elements.extend(network.subnets.iter().map(|subnet| Element::subnet(*subnet)));
    elements.extend(network.services.iter().map(|range| Element::virtual_range(*range)));
    elements.extend(network.gateways().map(Element::gateway));
    elements
}

/// A change of the sets: what to take out, then what to put in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    pub remove: Vec<Element>,
    pub add: Vec<Element>,
}

impl Change {
    /// From some elements to others.
    pub fn between(old: &BTreeSet<Element>, new: &BTreeSet<Element>) -> Self {
        Self {
            remove: old.difference(new).cloned().collect(),
            add: new.difference(old).cloned().collect(),
        }
    }

    pub fn extend(&mut self, other: Self) {
        self.remove.extend(other.remove);
        self.add.extend(other.add);
    }

    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.add.is_empty()
    }
}

/// From the elements of `old` to those of `new`.
pub fn change<'a>(
    old: impl IntoIterator<Item = &'a Record>,
    new: impl IntoIterator<Item = &'a Record>,
) -> Change {
    let of = |records: &mut dyn Iterator<Item = &'a Record>| records.flat_map(elements).collect();
    Change::between(&of(&mut old.into_iter()), &of(&mut new.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::samples;
    use netd_api::{LinkName, PortMapping, Protocol};

    fn network() -> Network {
        samples::network("bridge", 0, &["10.0.0.0/24"])
    }

    fn record(id: &str, index: u32, host_port: u16) -> Record {
        let address = format!("10.0.0.{index}");
        let mut record = samples::record(id, &[], &[(&network(), &[address.as_str()])]);
        record.places[0].index = index;
        record.places[0].link = LinkName::new(format!("fl{index}")).unwrap();
        record.spec.ports = vec![PortMapping {
            host_ip: None,
            host_port,
            container_port: 80,
            protocol: Protocol::Tcp,
        }];
        record
    }

    fn link(index: u32, group: u32) -> ObservedLink {
        ObservedLink { index, name: format!("fl{index}"), group }
    }

    const OURS: u32 = 0x4abc_0000;

    fn compare(wanted: &[Record], ready: &[(u32, u32)], found: &[ObservedLink]) -> Vec<Operation> {
        links(wanted, ready, found, OURS)
    }

    #[test]
    fn nothing_is_done_where_the_kernel_has_what_is_wanted() {
        let wanted = [record("a", 3, 1), record("b", 4, 2)];
        let found = [link(1, 0), link(3, OURS), link(4, OURS), link(5, OURS)];
        assert_eq!(compare(&wanted, &[(5, OURS)], &found), []);
    }

    #[test]
    fn a_vanished_link_forgets_and_a_strange_one_goes() {
        let wanted = [record("a", 3, 1), record("b", 4, 2)];
        let operations = compare(&wanted, &[], &[link(4, 9), link(9, OURS), link(10, 0)]);
        assert_eq!(
            operations,
            [
                Operation::Forget(EndpointId::new("a").unwrap()),
                Operation::Regroup { index: 4, name: "fl4".to_owned(), group: OURS },
                Operation::Delete { index: 9, name: "fl9".to_owned() },
            ]
        );
    }

    #[test]
    fn a_reused_name_with_another_index_is_not_the_endpoints_link() {
        let wanted = [record("a", 3, 1)];
        let other = ObservedLink { index: 7, name: "fl3".to_owned(), group: 0 };
        let operations = compare(&wanted, &[], &[other]);
        assert_eq!(operations, [Operation::Forget(EndpointId::new("a").unwrap())]);
    }

    #[test]
    fn a_changed_port_changes_one_element() {
        let (old, new) = (record("a", 3, 8080), record("a", 3, 8081));
        let change = change([&old], [&new]);
        assert_eq!((change.remove.len(), change.add.len()), (1, 1));
    }

    #[test]
    fn a_port_that_passes_to_another_endpoint_is_removed_and_added() {
        let old = [record("a", 3, 80), record("b", 4, 81)];
        let new = [record("a", 3, 81), record("b", 4, 80)];
        let change = change(&old, &new);
        assert_eq!((change.remove.len(), change.add.len()), (2, 2));
    }
}
