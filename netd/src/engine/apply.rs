//! The complete list of what is wanted.

use super::Engine;
use super::attach::Taken;
use crate::core::plan;
use crate::core::{Binding, Desired, Record, failure};
use crate::store::Entry;
use netd_api::{Document, EndpointId, EndpointSpec, ErrorKind, Failure, PortMapping};
use std::collections::BTreeSet;
use std::net::SocketAddrV4;

/// What a document changes.
struct Changes {
    leaving: Vec<EndpointId>,
    /// Endpoints that stay, with their new specification.
    altered: Vec<Record>,
    missing: Vec<EndpointId>,
}

impl Engine {
    /// Checks everything first; a document with one fault changes nothing.
    pub(super) fn apply(&mut self, document: Document) -> Result<Vec<EndpointId>, Failure> {
        let changes = self.compare(document)?;
        let taken = self.reserve_new(&changes)?;
        self.write_down(&changes)?;
        let before: BTreeSet<Binding> =
            self.desired.endpoints.values().flat_map(Record::bindings).collect();
        let kept: BTreeSet<Binding> = changes.altered.iter().flat_map(Record::bindings).collect();
        for id in &changes.leaving {
            self.let_go(id, &kept);
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
        self.keep_ports(&mut change);
        match self.nft.change(&change) {
            Ok(()) => self.hand_to_reaper(),
            Err(_) => {
                self.hand_to_reaper();
                self.replace_tables()
                    .map_err(|e| failure(ErrorKind::System, format!("apply the document: {e}")))?;
            }
        }
        self.serve_altered(&old, &changes.altered, &before, taken);
        Ok(changes.missing)
    }

    fn compare(&self, document: Document) -> Result<Changes, Failure> {
        let mut seen = BTreeSet::new();
        let mut after = Desired::default();
        let mut changes = Changes { leaving: vec![], altered: vec![], missing: vec![] };
        for spec in document.endpoints {
            if !seen.insert(spec.id.clone()) {
                let message = format!("apply {}: it is in the document twice", spec.id);
                return Err(failure(ErrorKind::Invalid, message));
            }
            let Some(record) = self.desired.endpoints.get(&spec.id) else {
                changes.missing.push(spec.id);
                continue;
            };
            after.check(&spec, &self.network)?;
            check_in_place(record, &spec)?;
            let altered = spec != record.spec;
            let record = Record { spec, ..record.clone() };
            after.insert(record.clone());
            if altered {
                changes.altered.push(record);
            }
        }
        let all = self.desired.endpoints.keys();
        changes.leaving = all.filter(|id| !seen.contains(*id)).cloned().collect();
        Ok(changes)
    }

    /// Takes the ports that nobody of ours has yet. One that an endpoint leaves to another one is
    /// retargeted instead, so its listener stays.
    fn reserve_new(&mut self, changes: &Changes) -> Result<Vec<Taken>, Failure> {
        let ours: BTreeSet<Binding> =
            self.desired.endpoints.values().flat_map(Record::bindings).collect();
        let new: Vec<PortMapping> = changes
            .altered
            .iter()
            .flat_map(|r| &r.spec.ports)
            .filter(|m| Binding::of(m).is_ok_and(|b| !ours.contains(&b)))
            .copied()
            .collect();
        self.reserve(&new)
    }

    fn write_down(&mut self, changes: &Changes) -> Result<(), Failure> {
        let left = changes.leaving.iter().cloned().map(Entry::Detach);
        let altered = changes.altered.iter().cloned().map(Entry::Attach);
        let entries: Vec<Entry> = left.chain(altered).collect();
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
            self.zone.change(|z| z.remove(&record.spec, record.address));
        }
        let mut taken = taken;
        for record in new {
            for mapping in &record.spec.ports {
                if let Ok(binding) = Binding::of(mapping)
                    && before.contains(&binding)
                {
                    let target = SocketAddrV4::new(record.address, mapping.container_port);
                    self.proxies.retarget(binding, target);
                }
            }
            let (mine, others) =
                taken.into_iter().partition(|t: &Taken| record.bindings().any(|b| b == t.binding));
            taken = others;
            self.serve(record, mine);
        }
    }

    /// Makes our tables right after a change that the kernel refused, or that somebody else made.
    /// Detached links first become the reaper's, whose elements in `ports` are put back too.
    pub(super) fn restore_tables(&mut self) {
        self.hand_to_reaper();
        if let Err(e) = self.replace_tables() {
            crate::say::say(format_args!("restore the tables: {e}"));
        }
    }
}

fn check_in_place(record: &Record, spec: &EndpointSpec) -> Result<(), Failure> {
    if spec.address.is_some_and(|a| a != record.address) {
        let message = format!("apply {}: it has the address {} already", spec.id, record.address);
        let hint = Some("detach it and attach it with the other address".to_owned());
        return Err(Failure { hint, ..failure(ErrorKind::Invalid, message) });
    }
    Ok(())
}
