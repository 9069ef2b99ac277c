//! Networks and endpoints for tests.

use super::{Network, Place, Record};
use netd_api::{
    Attachment, DnsName, EndpointId, EndpointSpec, LinkName, Mac, NetworkName, OwnerName,
};

pub(crate) fn network(name: &str, number: u32, subnets: &[&str]) -> Network {
    Network {
        name: NetworkName::new(name).unwrap(),
        group: 0x4abc_0000 + number,
        owner: None,
        subnets: subnets.iter().map(|net| net.parse().unwrap()).collect(),
        internal: false,
        mtu: None,
        search: "flotilla.internal".to_owned(),
    }
}

/// An endpoint without ports, on these networks with these addresses.
pub(crate) fn record(id: &str, names: &[&str], on: &[(&Network, &[&str])]) -> Record {
    let place = |(number, (network, addresses)): (u8, &(&Network, &[&str]))| Place {
        network: network.name.clone(),
        group: network.group,
        internal: network.internal,
        addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        gateways: network.gateways().take(addresses.len()).collect(),
        mac: Mac([2, 0, 0, 0, 0, number]),
        interface: LinkName::new(format!("eth{number}")).unwrap(),
        link: LinkName::new(format!("fl{number}")).unwrap(),
        index: u32::from(number) + 7,
    };
    Record {
        owner: OwnerName::new("fleetd").unwrap(),
        spec: EndpointSpec {
            id: EndpointId::new(id).unwrap(),
            networks: on.iter().map(|(n, _)| Attachment::to(n.name.clone())).collect(),
            names: names.iter().map(|name| DnsName::new(*name).unwrap()).collect(),
            ports: vec![],
        },
        places: (0..).zip(on).map(place).collect(),
    }
}
