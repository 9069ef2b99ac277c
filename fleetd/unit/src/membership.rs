//! What the fleet's networks know of a container before it has a host: policies and selectors go by it.

use super::container::Network;
use super::fault::Fault;
use super::{container, instance_is_named};
use fleetd_api::UnitName;
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    pub network: Network,
    pub labels: BTreeMap<String, String>,
}

impl Membership {
    /// Whether it has all of these labels.
    pub fn has(&self, labels: &BTreeMap<String, String>) -> bool {
        labels.iter().all(|(key, value)| self.labels.get(key) == Some(value))
    }
}

/// Text and drop-ins are as for [`super::load`], and so are the faults. A bare template is one.
pub fn membership(
    name: &UnitName,
    text: &str,
    drop_ins: &BTreeMap<String, String>,
) -> Result<Membership, Vec<Fault>> {
    instance_is_named(name)?;
    let (draft, _) = container(name, text, drop_ins, None)?;
    let network = draft.network();
    Ok(Membership { network, labels: draft.labels.into_iter().collect() })
}
