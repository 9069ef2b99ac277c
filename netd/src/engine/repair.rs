//! What the kernel or somebody else changed under us.

use super::Engine;
use crate::core::plan::{self, ObservedPort, Operation};
use crate::link::{self, Gone, Link};
use crate::netlink::Refused;
use crate::store::Entry;
use netd_api::EndpointId;
use std::collections::BTreeSet;

/// What happens to ports of the bridge that belong to no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strangers {
    /// At the start there is no pool and no reaper yet: they are what a predecessor did not get to
    /// delete.
    Go,
    /// Later the pool may be about to announce one, and the reaper about to delete one.
    Stay,
}

impl Engine {
    /// A link disappeared: a container that outlived our predecessor has ended, or somebody deleted
    /// it, or we did.
    pub(super) fn link_gone(&mut self, gone: &Gone) {
        match gone {
            Gone::Link { index, .. } if *index == self.target.bridge => self.repair_links(),
            Gone::Link { index, .. } => {
                let of = self.desired.endpoints.values().find(|r| r.index == *index);
                if let Some(id) = of.map(|r| r.spec.id.clone()) {
                    self.forget(&id);
                }
            }
            Gone::Unknown => self.repair_links(),
        }
    }

    fn forget(&mut self, id: &EndpointId) {
        if let Err(e) = self.journal.append(&[Entry::Detach(id.clone())]) {
            // The next start finds out again.
            crate::say::say(format_args!("forget {id}: {e}"));
        }
        self.let_go(id, &BTreeSet::new());
    }

    fn repair_links(&mut self) {
        if let Err(e) = self.try_repair_links() {
            crate::say::say(format_args!("repair the bridge: {e}"));
        }
    }

    fn try_repair_links(&mut self) -> Result<(), Refused> {
        let bridge = link::ensure_bridge(&mut self.route, &self.network, self.target.mtu)?;
        if bridge != self.target.bridge {
            self.target.bridge = bridge;
            self.pool.retarget(self.target);
        }
        self.match_links(Strangers::Stay)
    }

    /// Makes the links what the endpoints need: dump, compare, change.
    pub(super) fn match_links(&mut self, strangers: Strangers) -> Result<(), Refused> {
        let found = link::links(&mut self.route)?;
        let observe = |l: &Link| ObservedPort { index: l.index, name: l.name.clone() };
        let all: Vec<ObservedPort> = found.iter().map(observe).collect();
        let bridge = Some(self.target.bridge);
        let ports: Vec<ObservedPort> =
            found.iter().filter(|l| l.controller == bridge).map(observe).collect();
        let known = self.pool.links();
        let wanted = self.desired.endpoints.values();
        for operation in plan::links(wanted, &known, &all, &ports) {
            match operation {
                Operation::Forget(id) => self.forget(&id),
                Operation::Join { name, .. } => {
                    link::join_bridge(&mut self.route, self.target.bridge, &name)?;
                }
                Operation::Delete { index, name } => {
                    if strangers == Strangers::Go {
                        link::delete(&mut self.route, index, &name)?;
                    }
                }
            }
        }
        Ok(())
    }
}
