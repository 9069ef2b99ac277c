//! The hosts of the fleet, and what of them is decided. What they have and how they are is observed.

use super::{Decided, Outcome, Refusal};
use crate::core::machine_id::MachineId;
use crate::pki::Fingerprint;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// Where the fleet reaches it: `ADDRESS:PORT`; empty in a fleet of one.
    pub address: String,
    /// Of the key in its latest certificate; none in a fleet of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Fingerprint>,
    /// Takes nothing new.
    pub cordoned: bool,
    /// Takes nothing new, and is to be emptied.
    pub draining: bool,
    /// What was said about it with `fleetctl set-metadata`; comes before what its own fleetd says.
    pub metadata: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// It is one of the fleet from now on, or has another address.
    Join {
        machine: MachineId,
        address: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Fingerprint>,
    },
    Cordon {
        machine: MachineId,
        cordoned: bool,
    },
    Drain {
        machine: MachineId,
        draining: bool,
    },
    /// None: the key is taken away.
    Describe {
        machine: MachineId,
        key: String,
        value: Option<String>,
    },
    /// It has left for good, and so have its places.
    Leave {
        machine: MachineId,
    },
}

impl Command {
    pub fn machine(&self) -> MachineId {
        match self {
            Self::Join { machine, .. }
            | Self::Cordon { machine, .. }
            | Self::Drain { machine, .. }
            | Self::Describe { machine, .. }
            | Self::Leave { machine } => *machine,
        }
    }
}

pub(super) fn apply(decided: &mut Decided, command: &Command) -> Result<Outcome, Refusal> {
    let machine = command.machine();
    let known = decided.machines.get(&machine).cloned();
    let changed = match (command, &known) {
        (Command::Join { address, key, .. }, _) => {
            let before = known.as_deref().cloned().unwrap_or_default();
            Machine { address: address.clone(), key: key.or(before.key), ..before }
        }
        (_, None) => return Err(Refusal::UnknownMachine { machine }),
        (Command::Leave { .. }, Some(_)) => {
            decided.machines.remove(&machine);
            super::place::leave(decided, machine);
            super::fleet::leave(decided, machine);
            return Ok(Outcome::Removed);
        }
        (Command::Cordon { cordoned, .. }, Some(known)) => {
            Machine { cordoned: *cordoned, ..known.as_ref().clone() }
        }
        (Command::Drain { draining, .. }, Some(known)) => {
            Machine { draining: *draining, ..known.as_ref().clone() }
        }
        (Command::Describe { key, value, .. }, Some(known)) => {
            let mut machine = known.as_ref().clone();
            match value {
                Some(value) => machine.metadata.insert(key.clone(), value.clone()),
                None => machine.metadata.remove(key),
            };
            machine
        }
    };
    if known.as_deref() == Some(&changed) {
        return Ok(Outcome::Same);
    }
    decided.machines.insert(machine, Arc::new(changed));
    Ok(if known.is_some() { Outcome::Changed } else { Outcome::Created })
}
