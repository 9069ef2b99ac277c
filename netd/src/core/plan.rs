//! From wanted and observed to operations.

use super::ruleset::Element;
use super::{Binding, Mac, Record};
use netd_api::EndpointId;
use std::collections::BTreeSet;

/// A port of our bridge, as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedPort {
    pub index: u32,
    pub name: String,
}

/// What to do about links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// The endpoint's namespace is gone, and its link with it: it is not wanted any more.
    Forget(EndpointId),
    /// The endpoint's link is there but not on the bridge.
    Join { index: u32, name: String },
    /// A port of the bridge that belongs to nobody.
    Delete { index: u32, name: String },
}

/// Compares the wanted endpoints with the kernel's links. `links` are all that there are, `ports`
/// those on our bridge; `ready` are the pool's.
pub fn links<'a>(
    wanted: impl IntoIterator<Item = &'a Record>,
    ready: &[u32],
    links: &[ObservedPort],
    ports: &[ObservedPort],
) -> Vec<Operation> {
    let mut operations = Vec::new();
    let mut known: BTreeSet<u32> = ready.iter().copied().collect();
    let is_port = |index: u32| ports.iter().any(|p| p.index == index);
    for record in wanted {
        // An index is not given twice (until 2^31 links were made), a name may be.
        if links.iter().any(|l| l.index == record.index && l.name == record.link) {
            known.insert(record.index);
            if !is_port(record.index) {
                operations.push(join(record.index, &record.link));
            }
        } else {
            operations.push(Operation::Forget(record.spec.id.clone()));
        }
    }
    for index in ready.iter().filter(|i| !is_port(**i)) {
        if let Some(link) = links.iter().find(|l| l.index == *index) {
            operations.push(join(*index, &link.name));
        }
    }
    for port in ports.iter().filter(|p| !known.contains(&p.index)) {
        operations.push(Operation::Delete { index: port.index, name: port.name.clone() });
    }
    operations
}

fn join(index: u32, name: &str) -> Operation {
    Operation::Join { index, name: name.to_owned() }
}

/// The set elements that an endpoint needs.
pub fn elements(record: &Record) -> BTreeSet<Element> {
    let mut elements = BTreeSet::from([
        Element::Port { index: record.index },
        Element::Source {
            index: record.index,
            mac: Mac::of(record.address).0,
            address: record.address,
        },
    ]);
    for mapping in &record.spec.ports {
        // What was recorded was checked; an address of another family needs no element.
        if let Ok(binding) = Binding::of(mapping) {
            elements.insert(Element::Published {
                binding,
                address: record.address,
                port: mapping.container_port,
            });
        }
    }
    elements
}

/// A change of the sets: what to take out, then what to put in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    pub remove: Vec<Element>,
    pub add: Vec<Element>,
}

impl Change {
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.add.is_empty()
    }
}

/// From the elements of `old` to those of `new`.
pub fn change<'a>(
    old: impl IntoIterator<Item = &'a Record>,
    new: impl IntoIterator<Item = &'a Record>,
) -> Change {
    let old: BTreeSet<Element> = old.into_iter().flat_map(elements).collect();
    let new: BTreeSet<Element> = new.into_iter().flat_map(elements).collect();
    Change {
        remove: old.difference(&new).cloned().collect(),
        add: new.difference(&old).cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netd_api::{EndpointSpec, NetworkName, PortMapping, Protocol};

    fn record(id: &str, index: u32, host_port: u16) -> Record {
        Record {
            spec: EndpointSpec {
                id: EndpointId::new(id).unwrap(),
                network: NetworkName::new("default").unwrap(),
                names: vec![],
                ports: vec![PortMapping {
                    host_ip: None,
                    host_port,
                    container_port: 80,
                    protocol: Protocol::Tcp,
                }],
                address: None,
            },
            address: [10, 0, 0, index as u8].into(),
            link: format!("fl{index}"),
            index,
        }
    }

    fn port(index: u32) -> ObservedPort {
        ObservedPort { index, name: format!("fl{index}") }
    }

    #[test]
    fn nothing_is_done_where_the_kernel_has_what_is_wanted() {
        let wanted = [record("a", 3, 1), record("b", 4, 2)];
        assert_eq!(
            links(&wanted, &[5], &[port(3), port(4), port(5)], &[port(3), port(4), port(5)]),
            []
        );
    }

    #[test]
    fn a_vanished_link_forgets_and_a_strange_port_goes() {
        let wanted = [record("a", 3, 1), record("b", 4, 2)];
        let operations = links(&wanted, &[], &[port(4), port(9)], &[port(9)]);
        assert_eq!(
            operations,
            [
                Operation::Forget(EndpointId::new("a").unwrap()),
                join(4, "fl4"),
                Operation::Delete { index: 9, name: "fl9".to_owned() },
            ]
        );
    }

    #[test]
    fn a_reused_name_with_another_index_is_not_the_endpoints_link() {
        let wanted = [record("a", 3, 1)];
        let other = ObservedPort { index: 7, name: "fl3".to_owned() };
        let operations = links(&wanted, &[], std::slice::from_ref(&other), &[]);
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
