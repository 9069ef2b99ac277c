//! The endpoints that are wanted.

use super::Network;
use netd_api::{Endpoint, EndpointId, EndpointSpec, ErrorKind, Failure, PortMapping, Protocol};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

pub fn failure(kind: ErrorKind, message: impl Into<String>) -> Failure {
    Failure { kind, message: message.into(), hint: None }
}

/// An endpoint that is wanted, and what was chosen for it. This is what the journal holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub spec: EndpointSpec,
    pub address: Ipv4Addr,
    /// Name and index of the host's side of the pair.
    pub link: String,
    pub index: u32,
}

impl Record {
    /// The ports of the host that lead to it. A mapping that is none was refused before.
    pub fn bindings(&self) -> impl Iterator<Item = Binding> {
        self.spec.ports.iter().filter_map(|m| Binding::of(m).ok())
    }

    pub fn endpoint(&self, network: &Network) -> Endpoint {
        Endpoint {
            spec: self.spec.clone(),
            address: self.address.into(),
            prefix: network.subnet.prefix_len(),
            gateway: network.gateway().into(),
            link: self.link.clone(),
        }
    }
}

/// A port of the host, as a listener reserves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binding {
    /// On this address of the host only; none: on all of them.
    pub host: Option<Ipv4Addr>,
    pub port: u16,
    pub protocol: Protocol,
}

impl Binding {
    pub fn of(mapping: &PortMapping) -> Result<Self, Failure> {
        let host = match mapping.host_ip {
            None => None,
            Some(IpAddr::V4(a)) if a.is_unspecified() => None,
            Some(IpAddr::V4(a)) => Some(a),
            Some(IpAddr::V6(a)) => {
                let message = format!("publish port on {a}: the network has no IPv6 yet");
                return Err(failure(ErrorKind::Invalid, message));
            }
        };
        Ok(Self { host, port: mapping.host_port, protocol: mapping.protocol })
    }

    fn overlaps(&self, other: &Self) -> bool {
        (self.port, self.protocol) == (other.port, other.protocol)
            && (self.host.is_none() || other.host.is_none() || self.host == other.host)
    }
}

impl std::fmt::Display for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(host) = self.host {
            write!(f, "{host}:")?;
        }
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        write!(f, "{}/{protocol}", self.port)
    }
}

/// All wanted endpoints.
#[derive(Debug, Clone, Default)]
pub struct Desired {
    pub endpoints: BTreeMap<EndpointId, Record>,
    /// Who has which port of the host.
    ports: BTreeSet<(u16, Protocol, Option<Ipv4Addr>, EndpointId)>,
}

impl Desired {
    pub fn insert(&mut self, record: Record) {
        self.remove(&record.spec.id.clone());
        for binding in record.bindings() {
            let Binding { port, protocol, host } = binding;
            self.ports.insert((port, protocol, host, record.spec.id.clone()));
        }
        self.endpoints.insert(record.spec.id.clone(), record);
    }

    pub fn remove(&mut self, id: &EndpointId) -> Option<Record> {
        let record = self.endpoints.remove(id)?;
        for binding in record.bindings() {
            let Binding { port, protocol, host } = binding;
            self.ports.remove(&(port, protocol, host, id.clone()));
        }
        Some(record)
    }

    pub fn published(&self) -> usize {
        self.ports.len()
    }

    /// Checks a new endpoint's network and ports against what is wanted already.
    pub fn check(&self, spec: &EndpointSpec, network: &Network) -> Result<(), Failure> {
        check_alone(spec, network)?;
        for mapping in &spec.ports {
            let binding = Binding::of(mapping)?;
            if let Some(holder) = self.holder(&binding) {
                return Err(conflict(&binding, holder));
            }
        }
        Ok(())
    }

    fn holder(&self, binding: &Binding) -> Option<&EndpointId> {
        self.ports
            .iter()
            .skip_while(|p| (p.0, p.1) < (binding.port, binding.protocol))
            .take_while(|p| (p.0, p.1) == (binding.port, binding.protocol))
            .find(|p| binding.overlaps(&Binding { host: p.2, port: p.0, protocol: p.1 }))
            .map(|p| &p.3)
    }
}

pub fn conflict(binding: &Binding, holder: &EndpointId) -> Failure {
    failure(ErrorKind::InUse, format!("publish port {binding}: endpoint {holder} has it"))
}

/// Checks what can be checked of a specification without looking at the others.
fn check_alone(spec: &EndpointSpec, network: &Network) -> Result<(), Failure> {
    let invalid = |message: String| Err(failure(ErrorKind::Invalid, message));
    if spec.network != network.name {
        return Err(Failure {
            hint: Some(format!("this host has the network {}", network.name)),
            ..failure(
                ErrorKind::Invalid,
                format!("attach {}: no network {}", spec.id, spec.network),
            )
        });
    }
    let mut seen: Vec<Binding> = Vec::new();
    for mapping in &spec.ports {
        let binding = Binding::of(mapping)?;
        if mapping.host_port == 0 || mapping.container_port == 0 {
            return invalid(format!("publish port {binding} of {}: ports are 1 to 65535", spec.id));
        }
        if seen.iter().any(|s| s.overlaps(&binding)) {
            return invalid(format!("publish port {binding} of {}: it is named twice", spec.id));
        }
        seen.push(binding);
    }
    Ok(())
}
