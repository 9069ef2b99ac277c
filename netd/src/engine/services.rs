//! Services that come, change and go.

use super::Engine;
use crate::core::plan::Change;
use crate::core::ruleset::Element;
use crate::core::{Network, Service, failure};
use crate::store::Entry;
use netd_api::{DnsName, ErrorKind, Failure, NetworkName, OwnerName, ServiceSpec};
use std::collections::{BTreeMap, BTreeSet};

/// What a document changes about services.
#[derive(Debug, Default)]
pub(super) struct ServiceChanges {
    /// New ones, and those that changed.
    pub(super) put: Vec<Service>,
    pub(super) dropped: Vec<DnsName>,
}

impl ServiceChanges {
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        let put = self.put.iter().cloned().map(Entry::Service);
        put.chain(self.dropped.iter().cloned().map(Entry::DropService))
    }
}

impl Engine {
    /// Compares an owner's services with those that it has. `networks` are those that there will be.
    pub(super) fn compare_services(
        &self,
        owner: &OwnerName,
        specs: Vec<ServiceSpec>,
        networks: &BTreeMap<NetworkName, Network>,
    ) -> Result<ServiceChanges, Failure> {
        let mut changes = ServiceChanges::default();
        let mut seen = BTreeSet::new();
        for spec in specs {
            let name = spec.name.clone();
            if !seen.insert(name.clone()) {
                let message = format!("make service {name}: it is in the document twice");
                return Err(failure(ErrorKind::Invalid, message));
            }
            let service = self.checked(owner, spec, networks)?;
            if self.desired.services.get(&name) != Some(&service) {
                changes.put.push(service);
            }
        }
        let own = self.desired.services.values().filter(|service| service.owner == *owner);
        let names = own.map(|service| service.spec.name.clone());
        changes.dropped = names.filter(|name| !seen.contains(name)).collect();
        self.check_addresses(&changes)?;
        Ok(changes)
    }

    fn checked(
        &self,
        owner: &OwnerName,
        spec: ServiceSpec,
        networks: &BTreeMap<NetworkName, Network>,
    ) -> Result<Service, Failure> {
        let name = &spec.name;
        let failed =
            |kind, text: String| Err(failure(kind, format!("make service {name}: {text}")));
        let Some(network) = networks.get(&spec.network) else {
            return failed(ErrorKind::Invalid, format!("no network {}", spec.network));
        };
        match self.desired.services.get(name) {
            Some(old) if old.owner != *owner => {
                failed(ErrorKind::InUse, format!("{} has one of that name", old.owner))
            }
            _ => Service::new(owner, spec, network),
        }
    }

    /// No two services have an address in common.
    fn check_addresses(&self, changes: &ServiceChanges) -> Result<(), Failure> {
        let changed: BTreeSet<&DnsName> =
            changes.put.iter().map(|s| &s.spec.name).chain(&changes.dropped).collect();
        let stays = |service: &&Service| !changed.contains(&service.spec.name);
        let kept = self.desired.services.values().filter(stays);
        let mut taken = BTreeMap::new();
        for service in kept.chain(&changes.put) {
            for address in &service.spec.addresses {
                if let Some(other) = taken.insert(*address, &service.spec.name) {
                    let name = &service.spec.name;
                    let text = format!("make service {name}: {address} is that of service {other}");
                    return Err(failure(ErrorKind::InUse, text));
                }
            }
        }
        Ok(())
    }

    /// Everything of the changes that is in this process, and what they change in the sets. The journal
    /// has them.
    pub(super) fn put_services(&mut self, changes: ServiceChanges) -> Change {
        let (mut before, mut after) = (BTreeSet::<Element>::new(), BTreeSet::new());
        for service in changes.put {
            after.extend(service.elements());
            self.zone.change(|zone| zone.put_service(&service.spec));
            let old = self.desired.services.insert(service.spec.name.clone(), service.clone());
            before.extend(old.iter().flat_map(Service::elements));
            self.reaper.rebalance(old.as_ref(), Some(&service));
        }
        for name in changes.dropped {
            self.zone.change(|zone| zone.remove_service(&name));
            let old = self.desired.services.remove(&name);
            before.extend(old.iter().flat_map(Service::elements));
            self.reaper.rebalance(old.as_ref(), None);
        }
        Change::between(&before, &after)
    }

    /// One service alone.
    pub(super) fn put_service(
        &mut self,
        owner: &OwnerName,
        spec: ServiceSpec,
    ) -> Result<(), Failure> {
        let name = spec.name.clone();
        let service = self.checked(owner, spec, &self.desired.networks)?;
        if self.desired.services.get(&name) == Some(&service) {
            return Ok(());
        }
        let changes = ServiceChanges { put: vec![service], dropped: vec![] };
        self.check_addresses(&changes)?;
        let system =
            |text: String| failure(ErrorKind::System, format!("make service {name}: {text}"));
        let entries: Vec<Entry> = changes.entries().collect();
        self.journal.append(&entries).map_err(|e| system(e.to_string()))?;
        let change = self.put_services(changes);
        if self.nft.change(&change).is_err() {
            self.replace_table().map_err(|e| system(e.to_string()))?;
        }
        Ok(())
    }
}
