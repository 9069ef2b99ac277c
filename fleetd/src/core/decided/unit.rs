//! Unit files and what is wanted of them.

use super::{Decided, Outcome, Refusal};
use fleetd_api::DesiredState;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One unit file and what is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub text: String,
    #[serde(default)]
    pub drop_ins: BTreeMap<String, String>,
    /// Of text and drop-ins.
    pub hash: String,
    pub desired: DesiredState,
    /// Index of the latest decision to start.
    pub start: u64,
    /// Index of the latest decision to replace a run by a new one.
    pub restart: u64,
    /// It is gone as soon as nothing of it runs.
    #[serde(default)]
    pub destroyed: bool,
    /// The template that the fleet has made it from, by its `Replicas=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_from: Option<String>,
    /// Of a template: how many instances, in place of what its file says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// What its file names of [`Decided::secrets`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
}

impl Entry {
    /// What is wanted of a unit of which nothing else is known.
    pub fn gone() -> Self {
        Self {
            text: String::new(),
            drop_ins: BTreeMap::new(),
            hash: String::new(),
            desired: DesiredState::Inactive,
            start: 0,
            restart: 0,
            destroyed: false,
            made_from: None,
            replicas: None,
            secrets: BTreeSet::new(),
        }
    }

    /// Whether it is to have a place.
    pub fn wants_place(&self) -> bool {
        self.desired != DesiredState::Inactive && !self.destroyed
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    Submit {
        unit: String,
        text: String,
        #[serde(default)]
        drop_ins: BTreeMap<String, String>,
        hash: String,
        #[serde(default)]
        replace: bool,
        #[serde(default)]
        desired: Option<DesiredState>,
        /// [`Entry::made_from`]; none: somebody has handed it over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made_from: Option<String>,
        /// [`Entry::secrets`]
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        secrets: BTreeSet<String>,
    },
    /// Of a template: so many instances from now on.
    Scale {
        unit: String,
        replicas: u32,
    },
    Desire {
        unit: String,
        desired: DesiredState,
    },
    Restart {
        unit: String,
    },
    Destroy {
        unit: String,
    },
    /// Nothing of a destroyed unit runs any more.
    Remove {
        unit: String,
    },
}

impl Command {
    pub fn unit(&self) -> &str {
        match self {
            Self::Submit { unit, .. }
            | Self::Scale { unit, .. }
            | Self::Desire { unit, .. }
            | Self::Restart { unit }
            | Self::Destroy { unit }
            | Self::Remove { unit } => unit,
        }
    }

    pub(super) fn size(&self) -> usize {
        let file = match self {
            Self::Submit { text, drop_ins, .. } => {
                text.len()
                    + drop_ins.iter().map(|(name, text)| name.len() + text.len()).sum::<usize>()
            }
            _ => 0,
        };
        self.unit().len() + file
    }
}

pub(super) fn apply(decided: &mut Decided, command: &Command) -> Result<Outcome, Refusal> {
    let index = decided.index;
    let unit = command.unit().to_owned();
    let known = decided.units.get(&unit).cloned();
    let unknown = || Refusal::Unknown { unit: unit.clone() };
    let living = || known.as_deref().filter(|entry| !entry.destroyed).ok_or_else(unknown);
    let entry = match command {
        Command::Submit { text, drop_ins, hash, replace, desired, made_from, secrets, .. } => {
            let file = (text, drop_ins, hash);
            let entry = submit(known.as_deref(), file, *replace, *desired, index)
                .ok_or(Refusal::Differs { unit: unit.clone() })?;
            Entry { made_from: made_from.clone(), secrets: secrets.clone(), ..entry }
        }
        Command::Scale { replicas, .. } => Entry { replicas: Some(*replicas), ..living()?.clone() },
        Command::Desire { desired, .. } => desire(living()?, *desired, index),
        Command::Restart { .. } => {
            let desired = DesiredState::Launched;
            Entry { desired, start: index, restart: index, ..living()?.clone() }
        }
        Command::Destroy { .. } => {
            Entry { desired: DesiredState::Inactive, destroyed: true, ..living()?.clone() }
        }
        Command::Remove { .. } => {
            // It may have been submitted again meanwhile.
            if !known.is_some_and(|entry| entry.destroyed) {
                return Ok(Outcome::Same);
            }
            decided.units.remove(&unit);
            decided.places.remove(&unit);
            return Ok(Outcome::Removed);
        }
    };
    if known.as_deref() == Some(&entry) {
        return Ok(Outcome::Same);
    }
    let outcome = if known.is_some() { Outcome::Changed } else { Outcome::Created };
    decided.units.insert(unit, Arc::new(entry));
    Ok(outcome)
}

/// None: a different file is there and is not to be replaced.
fn submit(
    known: Option<&Entry>,
    (text, drop_ins, hash): (&String, &BTreeMap<String, String>, &String),
    replace: bool,
    desired: Option<DesiredState>,
    index: u64,
) -> Option<Entry> {
    let (text, drop_ins, hash) = (text.clone(), drop_ins.clone(), hash.clone());
    let (base, differs) = match known {
        Some(entry) if !entry.destroyed => {
            let differs = entry.hash != hash;
            if differs && !replace {
                return None;
            }
            (Entry { text, drop_ins, hash, ..entry.clone() }, differs)
        }
        // One that is on its way out is taken back; what still runs of it is replaced.
        _ => {
            let desired = DesiredState::Inactive;
            let fresh = Entry { text, drop_ins, hash, desired, ..Entry::gone() };
            (fresh, known.is_some())
        }
    };
    let Some(desired) = desired else { return Some(base) };
    let entry = desire(&base, desired, index);
    Some(match desired {
        DesiredState::Launched if differs => Entry { restart: index, ..entry },
        _ => entry,
    })
}

/// A start is a decision of its own even if the unit is launched already: it wakes one that failed.
fn desire(entry: &Entry, desired: DesiredState, index: u64) -> Entry {
    let start = if desired == DesiredState::Launched { index } else { entry.start };
    Entry { desired, start, ..entry.clone() }
}
