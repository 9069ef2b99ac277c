//! What unit files ask of the fleet, as the leader needs it.

use super::Files;
use crate::core::decided::Entry;
use crate::core::schedule;
use crate::core::unit::{UnitName, placement};
use std::collections::HashMap;

/// What unit files say, each read once.
#[derive(Default)]
pub struct Read(HashMap<String, Known>);

struct Known {
    hash: String,
    asks: schedule::Unit,
    replicas: Option<u32>,
}

impl Read {
    fn known(&mut self, name: &str, entry: &Entry) -> &Known {
        let known = self.0.entry(name.to_owned()).or_insert_with(|| read(name, entry));
        if known.hash != entry.hash {
            *known = read(name, entry);
        }
        known
    }

    /// Those that are not there any more.
    pub fn forget(&mut self, is_known: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| is_known(name));
    }
}

impl Files for Read {
    fn asks(&mut self, name: &str, entry: &Entry) -> schedule::Unit {
        self.known(name, entry).asks.clone()
    }

    fn replicas(&mut self, name: &str, entry: &Entry) -> Option<u32> {
        self.known(name, entry).replicas
    }
}

/// A file that cannot be read asks for nothing: the host that it comes to says what is wrong with it.
fn read(name: &str, entry: &Entry) -> Known {
    let hash = entry.hash.clone();
    let (mut asks, mut replicas) = (schedule::Unit::default(), None);
    if let Ok(name) = UnitName::new(name) {
        if name.is_template() {
            let says = placement::replicas(&name, &entry.text, &entry.drop_ins);
            replicas = says.ok().flatten();
        } else {
            let says = placement::placement(&name, &entry.text, &entry.drop_ins);
            asks = says.unwrap_or_default();
        }
    }
    Known { hash, asks, replicas }
}
