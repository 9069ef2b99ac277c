//! What the kernel or somebody else changed under us.

use super::Engine;
use crate::core::plan::{self, ObservedLink, Operation};
use crate::core::{Place, Record};
use crate::link::{self, Changed, Link};
use crate::netlink::Refused;
use crate::store::Entry;
use netd_api::EndpointId;
use std::collections::BTreeSet;

/// What happens to links in our groups that belong to no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strangers {
    /// At the start there is no pool and no reaper yet: they are what a predecessor did not get to
    /// delete.
    Go,
    /// Later the pool may be about to announce one, and the reaper about to delete one.
    Stay,
}

impl Engine {
    pub(super) fn link_changed(&mut self, changed: &Changed) {
        match changed {
            Changed::Gone { index } | Changed::Link { index } if *index == self.device => {
                self.repair(Self::ensure_device);
            }
            // A container that outlived our predecessor has ended, or somebody deleted its link, or
            // we did.
            Changed::Gone { index } => {
                if let Some(id) = self.desired.of_link(*index).map(|r| r.spec.id.clone()) {
                    self.forget(&id);
                }
            }
            Changed::Link { index } => {
                if let Some(record) = self.desired.of_link(*index).cloned() {
                    self.repair(|engine| engine.lead_all([record]));
                }
            }
            Changed::Unknown => self.repair(|engine| {
                engine.ensure_device()?;
                engine.match_links(Strangers::Stay)
            }),
        }
    }

    fn forget(&mut self, id: &EndpointId) {
        if let Err(e) = self.journal.append(&[Entry::Detach(id.clone())]) {
            // The next start finds out again.
            crate::say::say(format_args!("forget {id}: {e}"));
        }
        self.let_go(id, &BTreeSet::new());
    }

    fn repair(&mut self, act: impl FnOnce(&mut Self) -> Result<(), Refused>) {
        if let Err(e) = act(self) {
            crate::say::say(format_args!("repair the network: {e}"));
        }
    }

    /// The link with the host's own addresses.
    pub(super) fn ensure_device(&mut self) -> Result<(), Refused> {
        let networks = self.desired.networks.values();
        self.device = link::ensure_device(&mut self.route, &self.header.device, networks)?;
        Ok(())
    }

    /// The host's sides of these endpoints' links, whatever they are.
    fn lead_all(&mut self, records: impl IntoIterator<Item = Record>) -> Result<(), Refused> {
        for record in records {
            for place in &record.places {
                self.lead_if_there(&record, place)?;
            }
        }
        Ok(())
    }

    /// A link that is just vanishing is told of in a moment.
    fn lead_if_there(&mut self, record: &Record, place: &Place) -> Result<(), Refused> {
        match self.lead(record, place) {
            Err(e) if e.is(libc::ENODEV) || e.is(libc::ENETDOWN) => Ok(()),
            other => other,
        }
    }

    /// Makes the links what the endpoints need: dump, compare, change.
    pub(super) fn match_links(&mut self, strangers: Strangers) -> Result<(), Refused> {
        let observe = |l: Link| ObservedLink { index: l.index, name: l.name, group: l.group };
        let found: Vec<ObservedLink> =
            link::links(&mut self.route)?.into_iter().map(observe).collect();
        let known: Vec<(u32, u32)> = self.pools.iter().flat_map(|pool| pool.links()).collect();
        let wanted = self.desired.endpoints.values();
        for operation in plan::links(wanted, &known, &found, self.header.groups()) {
            match operation {
                Operation::Forget(id) => self.forget(&id),
                Operation::Regroup { index, group, .. } => {
                    link::regroup(&mut self.route, index, group)?;
                }
                Operation::Delete { index, name } => {
                    if strangers == Strangers::Go {
                        link::delete(&mut self.route, index, &name)?;
                    }
                }
            }
        }
        let records: Vec<Record> = self.desired.endpoints.values().cloned().collect();
        self.lead_all(records)
    }

    /// Makes our table right after a change that the kernel refused, or that somebody else made.
    pub(super) fn restore_table(&mut self) {
        self.hand_to_reaper();
        if let Err(e) = self.replace_table() {
            crate::say::say(format_args!("restore the table: {e}"));
        }
    }
}
