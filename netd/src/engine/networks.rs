//! Networks that come, change and go.

use super::Engine;
use crate::core::network::{overlap, taken};
use crate::core::{Network, failure};
use crate::link;
use crate::netlink::Refused;
use crate::pool::{Maker, Pool, Target};
use crate::sysctl;
use ipnet::IpNet;
use netd_api::{EndpointId, ErrorKind, Failure, NetworkName, NetworkSpec, OwnerName};
use std::collections::{BTreeMap, BTreeSet};

/// What a document changes about networks.
#[derive(Debug, Default)]
pub(super) struct NetworkChanges {
    /// New ones, and those that changed.
    pub(super) put: Vec<Network>,
    pub(super) dropped: Vec<NetworkName>,
}

impl NetworkChanges {
    pub(super) fn is_empty(&self) -> bool {
        self.put.is_empty() && self.dropped.is_empty()
    }

    /// All networks as they are with the changes.
    pub(super) fn on(
        &self,
        networks: &BTreeMap<NetworkName, Network>,
    ) -> BTreeMap<NetworkName, Network> {
        let mut after = networks.clone();
        after.retain(|name, _| !self.dropped.contains(name));
        after.extend(self.put.iter().map(|network| (network.name.clone(), network.clone())));
        after
    }
}

impl Engine {
    /// Compares an owner's networks with those that it has. `leaving` are the endpoints that are
    /// detached with the same document.
    pub(super) fn compare_networks(
        &mut self,
        owner: &OwnerName,
        specs: Vec<NetworkSpec>,
        leaving: &[EndpointId],
    ) -> Result<NetworkChanges, Failure> {
        let mut changes = NetworkChanges::default();
        let mut seen = BTreeSet::new();
        for spec in specs {
            let name = spec.name.clone();
            let failed =
                |kind, text: String| Err(failure(kind, format!("make network {name}: {text}")));
            if !seen.insert(name.clone()) {
                return failed(ErrorKind::Invalid, "it is in the document twice".to_owned());
            }
            let Some(group) = self.group_for(&name, &changes) else {
                return failed(ErrorKind::Exhausted, "there are 65535 already".to_owned());
            };
            let network = Network::new(spec, owner, group, &self.header.network.search)?;
            if network.has_ipv6() && !sysctl::has_ipv6() {
                return failed(ErrorKind::Invalid, "this host's kernel has no IPv6".to_owned());
            }
            match self.desired.networks.get(&name) {
                Some(old) if old.owner.as_ref() != Some(owner) => {
                    let whose = old.owner.as_ref().map_or("the host", |o| o.as_str());
                    return failed(ErrorKind::InUse, format!("{whose} has one of that name"));
                }
                Some(old) if *old == network => continue,
                Some(old) => self.check_change(old, &network, leaving)?,
                None => {}
            }
            changes.put.push(network);
        }
        let own = self.desired.networks.values().filter(|n| n.owner.as_ref() == Some(owner));
        for network in own.filter(|network| !seen.contains(&network.name)) {
            if let Some(id) = self.user_of(&network.name, leaving) {
                let message = format!("drop network {}: endpoint {id} is on it", network.name);
                return Err(failure(ErrorKind::InUse, message));
            }
            changes.dropped.push(network.name.clone());
        }
        self.check_subnets(&changes)?;
        self.check_services_of(owner, &changes)?;
        Ok(changes)
    }

    /// The group that a network has, or the lowest that is free.
    fn group_for(&self, name: &NetworkName, changes: &NetworkChanges) -> Option<u32> {
        if let Some(network) = self.desired.networks.get(name) {
            return Some(network.group);
        }
        let all = self.desired.networks.values().chain(&changes.put).map(|n| n.group);
        // Links that are being deleted are in their network's group for a moment yet.
        let dying = self.reaping.values().flatten().copied();
        let used: BTreeSet<u32> = all.chain(dying).collect();
        let groups = self.header.groups();
        (groups..=groups | u32::from(u16::MAX)).find(|group| !used.contains(group))
    }

    fn check_change(
        &self,
        old: &Network,
        new: &Network,
        leaving: &[EndpointId],
    ) -> Result<(), Failure> {
        if (&old.subnets, old.internal) == (&new.subnets, new.internal) {
            return Ok(());
        }
        match self.user_of(&old.name, leaving) {
            None => Ok(()),
            Some(id) => Err(Failure {
                hint: Some("stop what is on it first, or make another network".to_owned()),
                ..failure(
                    ErrorKind::InUse,
                    format!("change network {}: endpoint {id} is on it", old.name),
                )
            }),
        }
    }

    /// An endpoint that is on a network and stays.
    fn user_of(&self, network: &NetworkName, leaving: &[EndpointId]) -> Option<EndpointId> {
        let users = self.desired.on(network).map(|record| record.spec.id.clone());
        let mut staying = users.filter(|id| !leaving.contains(id));
        staying.next()
    }

    /// A network with another owner's services on it stays as it is.
    fn check_services_of(
        &self,
        owner: &OwnerName,
        changes: &NetworkChanges,
    ) -> Result<(), Failure> {
        let after = changes.on(&self.desired.networks);
        for service in self.desired.services.values().filter(|s| s.owner != *owner) {
            let name = &service.spec.network;
            let has = |network: &Network| {
                let within = |a| network.services.iter().any(|range| range.contains(a));
                service.spec.addresses.iter().all(within)
            };
            if !after.get(name).is_some_and(has) {
                let message =
                    format!("change network {name}: service {} is on it", service.spec.name);
                return Err(failure(ErrorKind::InUse, message));
            }
        }
        Ok(())
    }

    /// No two networks have an address in common, and none has one that the host routes elsewhere.
    fn check_subnets(&mut self, changes: &NetworkChanges) -> Result<(), Failure> {
        if changes.put.is_empty() {
            return Ok(());
        }
        let foreign = self.foreign_routes();
        let foreign =
            foreign.map_err(|e| failure(ErrorKind::System, format!("make networks: {e}")))?;
        let after = changes.on(&self.desired.networks);
        for network in &changes.put {
            let failed = |kind, subnet: &IpNet, text: String| {
                let message = format!("make network {}: subnet {subnet} {text}", network.name);
                Err(failure(kind, message))
            };
            for subnet in network.ranges() {
                for other in after.values().filter(|other| other.name != network.name) {
                    if let Some(theirs) = other.ranges().find(|net| overlap(net, subnet)) {
                        let text = format!("overlaps {theirs} of network {}", other.name);
                        return failed(ErrorKind::InUse, subnet, text);
                    }
                }
                if let Some(route) = taken(subnet, &foreign) {
                    let text = format!("overlaps {route}, which this host routes elsewhere");
                    return failed(ErrorKind::InUse, subnet, text);
                }
            }
        }
        Ok(())
    }

    fn foreign_routes(&mut self) -> Result<Vec<IpNet>, Refused> {
        let device = self.device;
        let ours = |index: Option<u32>| {
            index == Some(device) || index.is_some_and(|i| self.desired.of_link(i).is_some())
        };
        let routes = link::routes(&mut self.route)?.into_iter();
        Ok(routes.filter(|r| !r.ours && !ours(r.link)).map(|r| r.destination).collect())
    }

    /// Everything of the changes that is in the kernel and in this process. The journal has them.
    pub(super) fn put_networks(&mut self, changes: &NetworkChanges) -> Result<(), Refused> {
        for network in &changes.put {
            let old = self.desired.networks.insert(network.name.clone(), network.clone());
            if old.is_none_or(|old| old.subnets != network.subnets) {
                self.ipams.add(network);
            }
            self.zone.change(|zone| zone.put_network(network));
        }
        for name in &changes.dropped {
            self.desired.networks.remove(name);
            self.ipams.remove(name);
            self.zone.change(|zone| zone.remove_network(name));
        }
        self.match_networks()
    }

    /// Parameters, addresses, name servers and pools for the networks that there are.
    pub(super) fn match_networks(&mut self) -> Result<(), Refused> {
        self.turn_on_forwarding()?;
        self.ensure_device()?;
        let gateways = self.desired.networks.values().flat_map(Network::gateways);
        self.listeners.listen_at(gateways);
        self.fill_pools()
    }

    /// Each kind of namespace that some network needs has a pool.
    fn fill_pools(&mut self) -> Result<(), Refused> {
        // The host's own network first: its containers are the most probable.
        let own = self.desired.networks.get(&self.header.network.name);
        let rest = self.desired.networks.values();
        let targets: Vec<Target> =
            own.into_iter().chain(rest).map(|n| self.pool_target(n)).collect();
        for target in targets {
            if self.pools.iter().any(|pool| pool.target().ipv6 == target.ipv6) {
                continue;
            }
            let failed = |e| Refused::new("start a pool of namespaces", e);
            let pool = Pool::new(self.pool_size, target);
            let maker = Maker::new().map_err(failed)?;
            pool.start(maker).map_err(failed)?;
            self.pools.push(pool);
        }
        Ok(())
    }

    fn pool_target(&self, network: &Network) -> Target {
        let mtu = network.mtu.unwrap_or(self.mtu);
        Target { group: network.group, mtu, ipv6: network.has_ipv6() }
    }
}
