//! Secrets: what units name and programs get to read.
//!
//! A host is told of those that its own units name, with its set and sealed to it
//! ([`crate::membership::sets`]); a change of one is a change of the sets of those hosts.

use super::fleet::Secret as Hidden;
use super::{Decided, Outcome, Refusal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many bytes together: each host with a unit that names them gets them in one message.
pub const MOST: usize = 32 << 20;

/// What one takes beside its value.
const ENTRY: usize = 256;

/// A secret with its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Base64.
    pub value: Hidden,
    /// Seconds since the epoch.
    pub created: u64,
    /// When it got this value.
    pub changed: u64,
}

/// `now`: seconds since the epoch, by the clock of who leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    Set {
        name: String,
        /// Base64.
        value: Hidden,
        now: u64,
    },
    Remove {
        name: String,
        /// Also if units name it.
        force: bool,
    },
}

impl Command {
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Set { name, value, .. } => name.len() + value.0.len() + ENTRY,
            Self::Remove { name, .. } => name.len() + ENTRY,
        }
    }
}

pub(super) fn apply(decided: &mut Decided, command: &Command) -> Result<Outcome, Refusal> {
    match command {
        Command::Set { name, value, now } => set(decided, name, value, *now),
        Command::Remove { name, force } => {
            let unknown = || Refusal::UnknownSecret { name: name.clone() };
            decided.secrets.remove(name).ok_or_else(unknown)?;
            match decided.units_with(name).next() {
                Some(unit) if !force => {
                    Err(Refusal::SecretInUse { name: name.clone(), unit: unit.to_owned() })
                }
                _ => Ok(Outcome::Removed),
            }
        }
    }
}

fn set(decided: &mut Decided, name: &str, value: &Hidden, now: u64) -> Result<Outcome, Refusal> {
    let known = decided.secrets.get(name).cloned();
    if known.as_ref().is_some_and(|known| known.value == *value) {
        return Ok(Outcome::Same);
    }
    let created = known.as_ref().map_or(now, |known| known.created);
    let secret = Secret { value: value.clone(), created, changed: now };
    decided.secrets.insert(name.to_owned(), Arc::new(secret));
    let size = |(name, secret): (&String, &Arc<Secret>)| name.len() + secret.value.0.len() + ENTRY;
    if decided.secrets.iter().map(size).sum::<usize>() > MOST {
        return Err(Refusal::ManySecrets);
    }
    Ok(if known.is_some() { Outcome::Changed } else { Outcome::Created })
}

impl Decided {
    /// The units that name a secret.
    pub fn units_with(&self, secret: &str) -> impl Iterator<Item = &str> {
        let names = move |entry: &super::Entry| !entry.destroyed && entry.secrets.contains(secret);
        let of = self.units.iter().filter(move |(_, entry)| names(entry));
        of.map(|(unit, _)| unit.as_str())
    }

    /// What the units of a set name, as far as it is there, with its value in base64.
    pub fn secrets_of(&self, set: &super::AssignmentSet) -> BTreeMap<String, Hidden> {
        let names = set.units.values().flat_map(|assigned| &assigned.entry.secrets);
        let known = |name: &String| Some((name.clone(), self.secrets.get(name)?.value.clone()));
        names.filter_map(known).collect()
    }
}

#[cfg(test)]
#[path = "secret_tests.rs"]
mod tests;
