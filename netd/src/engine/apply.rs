//! The complete list of what an owner wants.

use super::Engine;
use super::networks::NetworkChanges;
use super::ports::Taken;
use super::services::ServiceChanges;
use crate::core::plan::{self, Change};
use crate::core::ruleset::Element;
use crate::core::{Binding, Desired, Published, Record, failure};
use crate::store::Entry;
use netd_api::{Document, EndpointId, EndpointSpec, ErrorKind, Failure, OwnerName};
use std::collections::BTreeSet;

/// What a document changes.
struct Changes {
    networks: NetworkChanges,
    services: ServiceChanges,
    leaving: Vec<EndpointId>,
    /// Endpoints that stay, with their new specification.
    altered: Vec<Record>,
    missing: Vec<EndpointId>,
}

impl Engine {
    /// Checks everything first; a document with one fault changes nothing.
    pub(super) fn apply(
        &mut self,
        owner: &OwnerName,
        document: Document,
    ) -> Result<Vec<EndpointId>, Failure> {
        let changes = self.compare(owner, document)?;
        let taken = self.reserve(self.new_ports(&changes.altered))?;
        self.write_down(&changes)?;
        let networks_before: BTreeSet<Element> = self.network_elements();
        let before: BTreeSet<Binding> =
            self.desired.endpoints.values().flat_map(Record::bindings).collect();
        let kept: BTreeSet<Binding> = changes.altered.iter().flat_map(Record::bindings).collect();
        for id in &changes.leaving {
            self.let_go(id, &kept);
        }
        let system = |e| failure(ErrorKind::System, format!("apply the document: {e}"));
        if !changes.networks.is_empty() {
            self.put_networks(&changes.networks).map_err(system)?;
        }
        let old: Vec<Record> = changes
            .altered
            .iter()
            .filter_map(|r| self.desired.endpoints.get(&r.spec.id).cloned())
            .collect();
        for record in &changes.altered {
            self.desired.insert(record.clone());
        }
        let mut change = plan::change(old.iter().chain(&self.dying), &changes.altered);
        change.extend(Change::between(&networks_before, &self.network_elements()));
        change.extend(self.put_services(changes.services));
        let done = self.nft.change(&change);
        self.hand_to_reaper();
        if done.is_err() {
            self.replace_table().map_err(system)?;
        }
        self.serve_altered(&old, &changes.altered, &before, taken);
        Ok(changes.missing)
    }

    fn network_elements(&self) -> BTreeSet<Element> {
        self.desired.networks.values().flat_map(plan::network_elements).collect()
    }

    fn compare(&mut self, owner: &OwnerName, document: Document) -> Result<Changes, Failure> {
        let wanted: BTreeSet<EndpointId> =
            document.endpoints.iter().map(|spec| spec.id.clone()).collect();
        let own = self.desired.endpoints.values().filter(|record| record.owner == *owner);
        let leaving = own.map(|record| record.spec.id.clone()).filter(|id| !wanted.contains(id));
        let leaving: Vec<EndpointId> = leaving.collect();
        let networks = self.compare_networks(owner, document.networks, &leaving)?;
        let after_networks = networks.on(&self.desired.networks);
        let services = self.compare_services(owner, document.services, &after_networks)?;
        let (altered, missing) = (vec![], vec![]);
        let mut changes = Changes { networks, services, leaving, altered, missing };
        // The endpoints of others hold their ports too.
        let mut after = Desired::default();
        after.networks = after_networks;
        let others = self.desired.endpoints.values().filter(|record| record.owner != *owner);
        others.for_each(|record| after.insert(record.clone()));
        let mut seen = BTreeSet::new();
        for spec in document.endpoints {
            if !seen.insert(spec.id.clone()) {
                let message = format!("apply {}: it is in the document twice", spec.id);
                return Err(failure(ErrorKind::Invalid, message));
            }
            let Some(record) = self.desired.endpoints.get(&spec.id) else {
                changes.missing.push(spec.id);
                continue;
            };
            check_in_place(owner, record, &spec)?;
            after.check(&spec)?;
            let altered = spec != record.spec;
            let record = Record { spec, ..record.clone() };
            after.insert(record.clone());
            if altered {
                changes.altered.push(record);
            }
        }
        Ok(changes)
    }

    fn write_down(&mut self, changes: &Changes) -> Result<(), Failure> {
        let networks = changes.networks.put.iter().cloned().map(Entry::Network);
        let left = changes.leaving.iter().cloned().map(Entry::Detach);
        let altered = changes.altered.iter().cloned().map(Entry::Attach);
        let dropped = changes.networks.dropped.iter().cloned().map(Entry::DropNetwork);
        let services = changes.services.entries();
        let entries: Vec<Entry> =
            networks.chain(left).chain(altered).chain(services).chain(dropped).collect();
        if entries.is_empty() {
            return Ok(());
        }
        self.journal
            .append(&entries)
            .map_err(|e| failure(ErrorKind::System, format!("apply the document: {e}")))
    }

    /// Names and listeners of endpoints that changed in place. `before` are the listeners that were
    /// there.
    fn serve_altered(
        &mut self,
        old: &[Record],
        new: &[Record],
        before: &BTreeSet<Binding>,
        taken: Vec<Taken>,
    ) {
        let had: BTreeSet<Binding> = old.iter().flat_map(Record::bindings).collect();
        let has: BTreeSet<Binding> = new.iter().flat_map(Record::bindings).collect();
        for binding in had.difference(&has) {
            self.closing.push(self.proxies.close(*binding));
        }
        for record in old {
            self.zone.change(|z| z.remove(record));
        }
        let mut taken = taken;
        for record in new {
            for Published { binding, target } in record.published() {
                if before.contains(&binding) {
                    self.proxies.retarget(binding, target);
                }
            }
            let (mine, others) = taken
                .into_iter()
                .partition(|t: &Taken| record.bindings().any(|b| b == t.published.binding));
            taken = others;
            self.serve(record, mine);
        }
    }
}

/// What of an endpoint can change while it runs: its names and ports.
fn check_in_place(owner: &OwnerName, record: &Record, spec: &EndpointSpec) -> Result<(), Failure> {
    let id = &spec.id;
    if record.owner != *owner {
        let message = format!("apply {id}: it is {}'s", record.owner);
        return Err(failure(ErrorKind::Denied, message));
    }
    let hint = Some("detach it and attach it with a new id".to_owned());
    let invalid = |text: String| {
        Err(Failure { hint, ..failure(ErrorKind::Invalid, format!("apply {id}: {text}")) })
    };
    let names = |spec: &EndpointSpec| -> Vec<_> {
        spec.networks.iter().map(|attachment| attachment.network.to_string()).collect()
    };
    let (has, wants) = (names(&record.spec), names(spec));
    if has != wants {
        return invalid(format!("it is on {}, not on {}", has.join(", "), wants.join(", ")));
    }
    for (place, attachment) in record.places.iter().zip(&spec.networks) {
        let other = attachment.addresses.iter().find(|a| !place.addresses.contains(a));
        if let Some(other) = other {
            let network = &place.network;
            return invalid(format!("it has another address on {network} than {other}"));
        }
        if attachment.mac.is_some_and(|mac| mac != place.mac) {
            return invalid(format!("it has the hardware address {}", place.mac));
        }
        if attachment.interface.as_ref().is_some_and(|name| *name != place.interface) {
            return invalid(format!("its link is called {}", place.interface));
        }
    }
    Ok(())
}
