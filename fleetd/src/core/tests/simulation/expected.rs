//! What clients may rely on: a second, simpler account of what was acknowledged.

use crate::core::decided::{Command, Decided, machine, unit};
use crate::core::machine_id::MachineId;
use fleetd_api::DesiredState;
use std::collections::BTreeMap;

#[derive(Clone, Default)]
pub(super) struct Expected {
    units: BTreeMap<String, Unit>,
    pub(super) machines: BTreeMap<MachineId, Machine>,
}

#[derive(Clone, Debug, PartialEq)]
struct Unit {
    hash: String,
    desired: DesiredState,
    replicas: Option<u32>,
    /// The decisions to start and to restart that it has to obey at least.
    start: u64,
    restart: u64,
    destroyed: bool,
}

#[derive(Clone, Default, Debug, PartialEq)]
pub(super) struct Machine {
    cordoned: bool,
    draining: bool,
    metadata: BTreeMap<String, String>,
}

impl Expected {
    /// Takes in a command of a client that was decided. `index`: of the decision.
    pub(super) fn take(&mut self, command: &Command, index: u64) {
        match command {
            Command::All(commands) => commands.iter().for_each(|one| self.take(one, index)),
            Command::Unit(command) => self.unit(command, index),
            Command::Machine(command) => self.machine(command),
            _ => {}
        }
    }

    fn unit(&mut self, command: &unit::Command, index: u64) {
        let name = command.unit().to_owned();
        if let unit::Command::Submit { hash, desired, .. } = command {
            let known = self.units.get(&name).filter(|unit| !unit.destroyed).cloned();
            let fresh = Unit {
                hash: hash.clone(),
                desired: DesiredState::Inactive,
                replicas: None,
                start: 0,
                restart: 0,
                destroyed: false,
            };
            let was_other = known.as_ref().is_some_and(|unit| unit.hash != *hash);
            let mut unit = Unit { hash: hash.clone(), ..known.unwrap_or(fresh) };
            if let Some(desired) = desired {
                unit.desired = *desired;
                if *desired == DesiredState::Launched {
                    unit.start = index;
                    unit.restart = if was_other { index } else { unit.restart };
                }
            }
            self.units.insert(name, unit);
            return;
        }
        let Some(unit) = self.units.get_mut(&name) else { return };
        match command {
            unit::Command::Scale { replicas, .. } => unit.replicas = Some(*replicas),
            unit::Command::Desire { desired, .. } => {
                unit.desired = *desired;
                if *desired == DesiredState::Launched {
                    unit.start = index;
                }
            }
            unit::Command::Restart { .. } => {
                unit.desired = DesiredState::Launched;
                (unit.start, unit.restart) = (index, index);
            }
            unit::Command::Destroy { .. } => unit.destroyed = true,
            _ => {}
        }
    }

    fn machine(&mut self, command: &machine::Command) {
        let id = command.machine();
        if let machine::Command::Leave { .. } = command {
            self.machines.remove(&id);
            return;
        }
        let machine = self.machines.entry(id).or_default();
        match command {
            machine::Command::Cordon { cordoned, .. } => machine.cordoned = *cordoned,
            machine::Command::Drain { draining, .. } => machine.draining = *draining,
            machine::Command::Describe { key, value: Some(value), .. } => {
                machine.metadata.insert(key.clone(), value.clone());
            }
            machine::Command::Describe { key, value: None, .. } => {
                machine.metadata.remove(key);
            }
            _ => {}
        }
    }

    /// What of it is lost in what is decided, or is there and nobody has asked for it.
    pub(super) fn lost(&self, decided: &Decided) -> Option<String> {
        for (name, unit) in &self.units {
            let there = decided.units.get(name).filter(|entry| !entry.destroyed);
            let Some(entry) = there else {
                if unit.destroyed {
                    continue;
                }
                return Some(format!("{name} is gone, and nobody has destroyed it"));
            };
            if unit.destroyed {
                return Some(format!("{name} was destroyed, and is there"));
            }
            let same = entry.hash == unit.hash
                && entry.desired == unit.desired
                && entry.replicas == unit.replicas
                && entry.start >= unit.start
                && entry.restart >= unit.restart;
            if !same {
                return Some(format!("{name} is {entry:?} where {unit:?} was acknowledged"));
            }
        }
        let unasked = |(name, entry): &(&String, &_)| {
            let entry: &crate::core::decided::Entry = entry;
            entry.made_from.is_none() && !entry.destroyed && !self.units.contains_key(*name)
        };
        let mut living = decided.units.iter().map(|(name, entry)| (name, entry.as_ref()));
        if let Some((name, _)) = living.find(|(name, entry)| unasked(&(name, entry))) {
            return Some(format!("{name} is there, and nobody has asked for it"));
        }
        let machines = decided.machines.iter().map(|(id, machine)| {
            let (cordoned, draining) = (machine.cordoned, machine.draining);
            (*id, Machine { cordoned, draining, metadata: machine.metadata.clone() })
        });
        let machines: BTreeMap<MachineId, Machine> = machines.collect();
        (machines != self.machines)
            .then(|| format!("hosts are {machines:?} where {:?} were acknowledged", self.machines))
    }
}
