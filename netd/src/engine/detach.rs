//! An endpoint that is not wanted any more.

use super::{Engine, not_written};
use crate::core::plan;
use crate::core::ruleset::Element;
use crate::core::{Binding, Record};
use crate::store::Entry;
use netd_api::{EndpointId, Failure};
use std::collections::BTreeSet;
use std::sync::mpsc::TryRecvError;

impl Engine {
    /// Writes it down and lets go; the kernel follows when there is nothing else to do, or with the
    /// next attachment. An id that is not attached is no error.
    pub(super) fn detach(&mut self, id: &EndpointId) -> Result<(), Failure> {
        if !self.desired.endpoints.contains_key(id) {
            return Ok(());
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
        self.zone.change(|z| z.remove(&record.spec, record.address));
        for binding in record.bindings().filter(|b| !kept.contains(b)) {
            self.closing.push(self.proxies.close(binding));
        }
        self.ipam.free(record.address);
        self.dying.push(record);
    }

    /// What can wait until nobody asks: takes detached endpoints out of the kernel, shortens the
    /// journal.
    pub(super) fn tidy(&mut self) {
        self.settle();
        self.closing.retain(|closed| closed.try_recv() == Err(TryRecvError::Empty));
        if self.journal.is_long(self.desired.endpoints.len())
            && let Err(e) = self.rewrite_journal()
        {
            crate::say::say(e);
        }
    }

    /// Takes detached endpoints out of the sets and hands their links to the reaper.
    fn settle(&mut self) {
        let buried = std::mem::take(&mut self.buried);
        if self.dying.is_empty() && buried.is_empty() {
            return;
        }
        let mut change = plan::change(&self.dying, []);
        self.keep_ports(&mut change);
        self.reaping.retain(|index| !buried.contains(index));
        change.remove.extend(buried.into_iter().map(|index| Element::Port { index }));
        match self.nft.change(&change) {
            Ok(()) => self.hand_to_reaper(),
            Err(_) => self.restore_tables(),
        }
    }

    /// Deletes the links of detached endpoints in the background.
    pub(super) fn hand_to_reaper(&mut self) {
        let dying: Vec<Record> = std::mem::take(&mut self.dying);
        for record in dying {
            self.reaping.push(record.index);
            self.reaper.bury(record);
        }
    }

    pub(super) fn wait_for_closed_ports(&mut self) {
        for closed in self.closing.drain(..) {
            // A hang-up says the same as an answer.
            let _ = closed.recv();
        }
    }

    pub(super) fn rewrite_journal(&mut self) -> Result<(), crate::store::StoreError> {
        self.journal.rewrite(&self.header, self.desired.endpoints.values(), self.ipam.remembered())
    }
}
