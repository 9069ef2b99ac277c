//! What clients may rely on: of each unit its file, and what is wanted of it, of each host whether it is
//! cordoned, and of each secret its value, are registers. What was acknowledged last is what is there, or something that was asked for
//! since.

use crate::core::decided::{Decided, GENERATION};
use crate::core::machine_id::MachineId;
use fleetd_api::DesiredState;
use std::collections::BTreeMap;

/// Which of the registers of a unit, of a host, or of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Of {
    File,
    Wanted,
    Cordoned,
    Secret,
}

/// None: there is no such unit or secret; the host is not cordoned.
pub(super) type Value = Option<String>;

#[derive(Debug, Clone)]
struct Write {
    value: Value,
    /// When it was asked for, and when it was acknowledged, with the index of the decision.
    begun: u64,
    acknowledged: Option<(u64, u64)>,
}

/// A write of which the answer has not come yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number(u64);

#[derive(Default)]
pub(super) struct Registers {
    count: u64,
    writes: BTreeMap<(String, Of), Vec<Write>>,
    pub(super) acknowledged: usize,
    /// Of the fleet. People have made a later one of what was left, or are about to.
    generation: u64,
    pub(super) recovers: bool,
    /// Part of the fleet goes on without the other one, and nobody can rely on what it acknowledges.
    is_split: bool,
}

impl Registers {
    /// Somebody asks for this. Until the answer it may be done, or not.
    pub(super) fn begin(&mut self, unit: &str, values: &[(Of, Value)]) -> Number {
        self.count += 1;
        for (of, value) in values {
            let write = Write { value: value.clone(), begun: self.count, acknowledged: None };
            self.writes.entry((unit.to_owned(), *of)).or_default().push(write);
        }
        Number(self.count)
    }

    /// It was decided.
    pub(super) fn acknowledge(&mut self, unit: &str, Number(number): Number, index: u64) {
        self.count += 1;
        self.acknowledged += 1;
        if self.is_split {
            return;
        }
        let of_unit = self.writes.iter_mut().filter(|((name, _), _)| name == unit);
        for (_, writes) in of_unit {
            for write in writes.iter_mut().filter(|write| write.begun == number) {
                write.acknowledged = Some((self.count, index));
            }
        }
    }

    /// What was acknowledged so far may be lost from here on, as people were told.
    fn begin_generation(&mut self, generation: u64) {
        self.generation = generation;
        self.is_split = !self.recovers;
        for writes in self.writes.values_mut() {
            writes.iter_mut().for_each(|write| write.acknowledged = None);
        }
    }

    /// What of what was acknowledged is lost.
    pub(super) fn check(&mut self, decided: &Decided) -> Option<String> {
        let generation = decided.index / GENERATION;
        if generation > self.generation {
            self.begin_generation(generation);
        }
        self.writes.iter().find_map(|((unit, of), writes)| {
            let value = read(decided, unit, *of);
            let overwrites = |by: &Write, begun: u64| {
                by.acknowledged.is_some_and(|(_, index)| index <= decided.index) && by.begun > begun
            };
            let may_be = |write: &Write| {
                let end = write.acknowledged.map(|(end, _)| end);
                write.value == value
                    && end.is_none_or(|end| !writes.iter().any(|by| overwrites(by, end)))
            };
            // Nobody has asked for anything yet.
            let untouched = value.is_none() && !writes.iter().any(|by| overwrites(by, 0));
            let there = untouched || writes.iter().any(may_be);
            (!there).then(|| {
                let last = writes.iter().rev().find(|write| overwrites(write, 0));
                format!(
                    "an acknowledged write is lost: {unit}'s {of:?} is {value:?} at {}, where {last:?} was \
                     acknowledged",
                    decided.index
                )
            })
        })
    }
}

pub(super) fn read(decided: &Decided, unit: &str, of: Of) -> Value {
    if of == Of::Cordoned {
        let machine = decided.machines.get(&unit.parse::<MachineId>().ok()?)?;
        return machine.cordoned.then(String::new);
    }
    if of == Of::Secret {
        return decided.secrets.get(unit).map(|secret| secret.value.0.clone());
    }
    let entry = decided.units.get(unit).filter(|entry| !entry.destroyed)?;
    Some(match of {
        Of::File => entry.hash.clone(),
        Of::Wanted | Of::Cordoned | Of::Secret => wanted(entry.desired),
    })
}

pub(super) fn wanted(desired: DesiredState) -> String {
    format!("{desired:?}")
}
