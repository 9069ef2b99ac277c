//! All decided facts as one text: what a snapshot carries, and a backup keeps. JSON with the version
//! of its form.

use super::{Decided, Entry, Fleet, Machine, Place, Secret};
use crate::core::machine_id::MachineId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
struct Image {
    version: u32,
    index: u64,
    units: BTreeMap<String, Arc<Entry>>,
    #[serde(default)]
    machines: BTreeMap<MachineId, Arc<Machine>>,
    #[serde(default)]
    places: BTreeMap<String, Arc<Vec<Place>>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    secrets: BTreeMap<String, Arc<Secret>>,
    #[serde(default)]
    sets: BTreeMap<MachineId, u64>,
    /// None: of an earlier fleetd, which did not count it.
    #[serde(default)]
    layout: Option<u64>,
    #[serde(default)]
    fleet: Option<Arc<Fleet>>,
}

const VERSION: u32 = 1;

pub fn write(decided: &Decided) -> io::Result<Vec<u8>> {
    let Decided { index, units, machines, places, secrets, sets, layout, fleet } = decided.clone();
    Ok(serde_json::to_vec(&Image {
        version: VERSION,
        index,
        units: units.into_iter().collect(),
        machines: machines.into_iter().collect(),
        places: places.into_iter().collect(),
        secrets: secrets.into_iter().collect(),
        sets: sets.into_iter().collect(),
        layout: Some(layout),
        fleet,
    })?)
}

/// One of a later form is an error that says so.
pub fn read(bytes: &[u8]) -> io::Result<Decided> {
    let Image { version, index, units, machines, places, secrets, sets, layout, fleet } =
        serde_json::from_slice(bytes)?;
    if version > VERSION {
        return Err(io::Error::other(format!("it has form {version}, of a later fleetd")));
    }
    Ok(Decided {
        index,
        units: units.into_iter().collect(),
        machines: machines.into_iter().collect(),
        places: places.into_iter().collect(),
        secrets: secrets.into_iter().collect(),
        sets: sets.into_iter().collect(),
        layout: layout.unwrap_or(index),
        fleet,
    })
}
