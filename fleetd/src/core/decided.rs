//! The decided facts and how a command changes them: the state machine that consensus replicates.
//!
//! Deterministic: the same commands in the same order give the same state on every host. Nothing
//! here is about what runs.

use fleetd_api::DesiredState;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Everything that was decided, after the change `index`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decided {
    pub index: u64,
    /// By name.
    pub units: BTreeMap<String, Arc<Entry>>,
}

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
}

/// A change to decide on. Names and texts are checked before they get here.
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
            | Self::Desire { unit, .. }
            | Self::Restart { unit }
            | Self::Destroy { unit }
            | Self::Remove { unit } => unit,
        }
    }

    /// About as many bytes as it takes, on disk and on its way.
    pub fn size(&self) -> usize {
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

/// What a command did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Created,
    Changed,
    /// It was so already: nothing is written.
    Same,
    Removed,
}

/// Why a command was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    Unknown { unit: String },
    Differs { unit: String },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { unit } => write!(f, "find unit {unit}: there is none of that name"),
            Self::Differs { unit } => {
                write!(f, "submit {unit}: a different file of that name is there")
            }
        }
    }
}

impl Decided {
    /// Applies one command. The index grows by one unless the outcome is [`Outcome::Same`].
    pub fn apply(&mut self, command: &Command) -> Result<Outcome, Refusal> {
        let index = self.index + 1;
        let unit = command.unit().to_owned();
        let known = self.units.get(&unit).cloned();
        let unknown = || Refusal::Unknown { unit: unit.clone() };
        let entry = match command {
            Command::Submit { text, drop_ins, hash, replace, desired, .. } => {
                let file = (text, drop_ins, hash);
                submit(known.as_deref(), file, *replace, *desired, index)
                    .ok_or(Refusal::Differs { unit: unit.clone() })?
            }
            Command::Desire { desired, .. } => desire(
                known.as_deref().filter(|e| !e.destroyed).ok_or_else(unknown)?,
                *desired,
                index,
            ),
            Command::Restart { .. } => {
                let entry = known.as_deref().filter(|e| !e.destroyed).ok_or_else(unknown)?;
                let desired = DesiredState::Launched;
                Entry { desired, start: index, restart: index, ..entry.clone() }
            }
            Command::Destroy { .. } => {
                let entry = known.as_deref().filter(|e| !e.destroyed).ok_or_else(unknown)?;
                Entry { desired: DesiredState::Inactive, destroyed: true, ..entry.clone() }
            }
            Command::Remove { .. } => {
                // It may have been submitted again meanwhile.
                if !known.is_some_and(|entry| entry.destroyed) {
                    return Ok(Outcome::Same);
                }
                self.units.remove(&unit);
                self.index = index;
                return Ok(Outcome::Removed);
            }
        };
        if known.as_deref() == Some(&entry) {
            return Ok(Outcome::Same);
        }
        let outcome = if known.is_some() { Outcome::Changed } else { Outcome::Created };
        self.units.insert(unit, Arc::new(entry));
        self.index = index;
        Ok(outcome)
    }
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
            let fresh =
                Entry { text, drop_ins, hash, desired, start: 0, restart: 0, destroyed: false };
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

#[cfg(test)]
#[path = "decided_tests.rs"]
mod tests;
