//! Networks and endpoints for tests.

use super::{Network, Place, Record};
use netd_api::{
    Attachment, Backend, Balance, DnsName, EndpointId, EndpointSpec, LinkName, Mac, NetworkName,
    OwnerName, Protocol, ServicePort, ServiceSpec,
};

pub(crate) fn network(name: &str, number: u32, subnets: &[&str]) -> Network {
    Network {
        name: NetworkName::new(name).unwrap(),
        group: 0x4abc_0000 + number,
        owner: None,
        subnets: subnets.iter().map(|net| net.parse().unwrap()).collect(),
        services: vec![],
        internal: false,
        mtu: None,
        search: "flotilla.internal".to_owned(),
    }
}

/// A service with one port.
pub(crate) fn service(
    name: &str,
    address: &str,
    backends: impl IntoIterator<Item = Backend>,
) -> ServiceSpec {
    ServiceSpec {
        name: DnsName::new(name).unwrap(),
        network: NetworkName::new("bridge").unwrap(),
        names: vec![],
        addresses: vec![address.parse().unwrap()],
        ports: vec![ServicePort { protocol: Protocol::Tcp, port: 80, target: 8080 }],
        backends: backends.into_iter().collect(),
        balance: Balance::Random,
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
