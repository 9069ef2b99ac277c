//! An endpoint that is not wanted any more.

use super::{Engine, not_written};
use crate::core::plan;
use crate::core::{Binding, Record, failure};
use crate::store::{Entry, StoreError};
use netd_api::{EndpointId, ErrorKind, Failure, OwnerName};
use std::collections::BTreeSet;
use std::sync::mpsc::TryRecvError;

impl Engine {
    /// Writes it down and lets go; the kernel follows when there is nothing else to do, or with the
    /// next attachment. An id that is not attached is no error.
    pub(super) fn detach(&mut self, owner: &OwnerName, id: &EndpointId) -> Result<(), Failure> {
        let Some(record) = self.desired.endpoints.get(id) else { return Ok(()) };
        if record.owner != *owner {
            let message = format!("detach {id}: it is {}'s", record.owner);
            return Err(failure(ErrorKind::Denied, message));
        }
        self.journal
            .append(&[Entry::Detach(id.clone())])
            .map_err(|e| not_written("detach", id, &e))?;
        self.let_go(id, &BTreeSet::new());
        Ok(())
    }

    /// Everything of a detachment that is in this process. The listeners of `kept` stay: they are
    /// about to lead to another endpoint.
    pub(super) fn let_go(&mut self, id: &EndpointId, kept: &BTreeSet<Binding>) {
        let Some(record) = self.desired.remove(id) else { return };
        self.held.remove(id);
        self.zone.change(|z| z.remove(&record));
        for binding in record.bindings().filter(|b| !kept.contains(b)) {
            self.closing.push(self.proxies.close(binding));
        }
        self.ipams.free(&record);
        self.dying.push(record);
    }

    /// What can wait until nobody asks: takes detached endpoints out of the kernel, shortens the
    /// journal.
    pub(super) fn tidy(&mut self) {
        self.settle();
        self.closing.retain(|closed| closed.try_recv() == Err(TryRecvError::Empty));
        let wanted = self.desired.endpoints.len() + self.desired.services.len();
        if self.journal.is_long(wanted)
            && let Err(e) = self.rewrite_journal()
        {
            crate::say::say(e);
        }
    }

    /// Takes detached endpoints out of the sets and hands their links to the reaper. Without an
    /// element in the sets a link carries nothing.
    fn settle(&mut self) {
        if self.dying.is_empty() {
            return;
        }
        let change = plan::change(&self.dying, []);
        let done = self.nft.change(&change);
        self.hand_to_reaper();
        if done.is_err() {
            self.restore_table();
        }
    }

    /// Deletes the links of detached endpoints in the background.
    pub(super) fn hand_to_reaper(&mut self) {
        let dying: Vec<Record> = std::mem::take(&mut self.dying);
        for record in dying {
            let groups = record.places.iter().map(|place| place.group).collect();
            self.reaping.insert(record.spec.id.clone(), groups);
            self.reaper.bury(record);
        }
    }

    pub(super) fn rewrite_journal(&mut self) -> Result<(), StoreError> {
        self.journal.rewrite(&self.header, self.entries())
    }
}
