//! Endpoints without a journal: what the kernel still knows of them.
//!
//! A lost state directory must not cost a running container its network. Its link carries its id,
//! the sets its address and ports; the names come with the next document.

use super::Record;
use super::plan::ObservedPort;
use super::ruleset::Element;
use netd_api::{EndpointId, EndpointSpec, NetworkName, PortMapping};
use std::net::Ipv4Addr;

/// A port of the bridge with what its alias says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    pub port: ObservedPort,
    pub alias: String,
}

/// The endpoints behind these ports. A port without an address in the sets is of a predecessor's
/// pool, or was being attached or detached: nobody has it.
pub fn recover(ports: &[Labelled], elements: &[Element], network: &NetworkName) -> Vec<Record> {
    let endpoint = |labelled: &Labelled| {
        let address = elements.iter().find_map(|element| match element {
            Element::Source { index, address, .. } if *index == labelled.port.index => {
                Some(*address)
            }
            _ => None,
        })?;
        let ObservedPort { index, name } = labelled.port.clone();
        // An id that is too long for an alias has left the link's name.
        let id = EndpointId::new(labelled.alias.as_str())
            .or_else(|_| EndpointId::new(name.as_str()))
            .ok()?;
        let spec = EndpointSpec {
            id,
            network: network.clone(),
            names: Vec::new(),
            ports: published(elements, address),
            address: None,
        };
        Some(Record { spec, address, link: name, index })
    };
    ports.iter().filter_map(endpoint).collect()
}

fn published(elements: &[Element], to: Ipv4Addr) -> Vec<PortMapping> {
    let mapping = |element: &Element| match element {
        Element::Published { binding, address, port } if *address == to => Some(PortMapping {
            host_ip: binding.host.map(Into::into),
            host_port: binding.port,
            container_port: *port,
            protocol: binding.protocol,
        }),
        _ => None,
    };
    elements.iter().filter_map(mapping).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::plan;

    #[test]
    fn what_was_put_into_the_kernel_comes_back() {
        let network = NetworkName::new("bridge").unwrap();
        let record = Record {
            spec: EndpointSpec {
                id: EndpointId::new("web:1").unwrap(),
                network: network.clone(),
                names: vec![],
                ports: vec![PortMapping {
                    host_ip: Some([192, 0, 2, 1].into()),
                    host_port: 8080,
                    container_port: 80,
                    protocol: netd_api::Protocol::Udp,
                }],
                address: None,
            },
            address: [10, 0, 0, 2].into(),
            link: "fl1".to_owned(),
            index: 7,
        };
        let labelled = |index, alias: &str| Labelled {
            port: ObservedPort { index, name: format!("fl{}", index - 6) },
            alias: alias.to_owned(),
        };
        let elements: Vec<Element> = plan::elements(&record).into_iter().collect();
        let ports = [labelled(7, "web:1"), labelled(8, "")];
        assert_eq!(recover(&ports, &elements, &network), [record]);
    }
}
