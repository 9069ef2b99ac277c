//! The way from what is decided now to what a backup says of units and secrets: as the commands that a
//! person would give, so that what is as it was goes on undisturbed.

use super::unit::Command;
use super::{Decided, Entry, secret};
use std::collections::BTreeMap;

/// What is done to one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is in the backup only.
    Add,
    /// Its file or what is wanted of it is another.
    Change,
    /// The backup does not have it.
    Destroy,
}

/// By unit, each with what brings it about. Instances that the fleet makes by itself are left to it.
pub fn changes(now: &Decided, backup: &Decided) -> BTreeMap<String, (Change, Vec<Command>)> {
    let of_people = |entry: &Entry| !entry.destroyed && entry.made_from.is_none();
    let mut changes = BTreeMap::new();
    for (unit, then) in backup.units.iter().filter(|(_, entry)| of_people(entry)) {
        let known = now.units.get(unit).filter(|entry| of_people(entry));
        let commands = change(unit, known.map(AsRef::as_ref), then);
        if !commands.is_empty() {
            let change = if known.is_some() { Change::Change } else { Change::Add };
            changes.insert(unit.clone(), (change, commands));
        }
    }
    for (unit, _) in now.units.iter().filter(|(_, entry)| of_people(entry)) {
        if !backup.units.get(unit).is_some_and(|entry| of_people(entry)) {
            let commands = vec![Command::Destroy { unit: unit.clone() }];
            changes.insert(unit.clone(), (Change::Destroy, commands));
        }
    }
    changes
}

/// Secrets that are gone since or have another value, each with what gives it back. One that the backup
/// does not have stays: what would be lost with it nobody could bring back.
pub fn secrets(now: &Decided, backup: &Decided, time: u64) -> BTreeMap<String, secret::Command> {
    let is_other = |name: &String, then: &secret::Secret| {
        now.secrets.get(name).is_none_or(|now| now.value != then.value)
    };
    let changed = backup.secrets.iter().filter(|(name, then)| is_other(name, then));
    let set = |(name, then): (&String, &std::sync::Arc<secret::Secret>)| {
        let value = then.value.clone();
        (name.clone(), secret::Command::Set { name: name.clone(), value, now: time })
    };
    changed.map(set).collect()
}

fn change(unit: &str, now: Option<&Entry>, then: &Entry) -> Vec<Command> {
    let mut commands = Vec::new();
    let unit = unit.to_owned();
    if now.is_none_or(|now| now.hash != then.hash) {
        commands.push(Command::Submit {
            unit: unit.clone(),
            text: then.text.clone(),
            drop_ins: then.drop_ins.clone(),
            hash: then.hash.clone(),
            replace: true,
            desired: None,
            made_from: None,
            secrets: then.secrets.clone(),
        });
    }
    let replicas = then.replicas.filter(|_| now.is_none_or(|now| now.replicas != then.replicas));
    if let Some(replicas) = replicas {
        commands.push(Command::Scale { unit: unit.clone(), replicas });
    }
    if now.map(|now| now.desired) != Some(then.desired) {
        commands.push(Command::Desire { unit, desired: then.desired });
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::decided;
    use fleetd_api::DesiredState;

    fn apply(decided: &mut Decided, command: Command) {
        decided.apply(&decided::Command::Unit(command)).unwrap();
    }

    fn submit(decided: &mut Decided, unit: &str, text: &str, desired: DesiredState) {
        let command = Command::Submit {
            unit: unit.to_owned(),
            text: text.to_owned(),
            drop_ins: BTreeMap::new(),
            hash: text.to_owned(),
            replace: true,
            desired: Some(desired),
            made_from: None,
            secrets: Default::default(),
        };
        apply(decided, command);
    }

    fn said(decided: &Decided) -> Vec<(String, String, DesiredState, Option<u32>)> {
        let living = decided.units.iter().filter(|(_, entry)| !entry.destroyed);
        let said = |(unit, entry): (&String, &std::sync::Arc<Entry>)| {
            (unit.clone(), entry.text.clone(), entry.desired, entry.replicas)
        };
        living.map(said).collect()
    }

    #[test]
    fn secrets_have_their_values_again_and_none_is_lost() {
        let mut then = Decided::default();
        let set = |decided: &mut Decided, name: &str, value: &str| {
            let value = crate::core::decided::fleet::Secret(value.to_owned());
            let command = secret::Command::Set { name: name.to_owned(), value, now: 1 };
            decided.apply(&command.into()).unwrap();
        };
        for name in ["same", "other-since", "gone-since"] {
            set(&mut then, name, "1");
        }
        let mut now = then.clone();
        set(&mut now, "other-since", "2");
        set(&mut now, "new-since", "1");
        let gone = secret::Command::Remove { name: "gone-since".to_owned(), force: false };
        now.apply(&gone.into()).unwrap();
        let changes = secrets(&now, &then, 7);
        assert_eq!(changes.keys().collect::<Vec<_>>(), ["gone-since", "other-since"]);
        for command in changes.into_values() {
            now.apply(&command.into()).unwrap();
        }
        let values: Vec<_> =
            now.secrets.iter().map(|(name, s)| (name.as_str(), s.value.0.as_str())).collect();
        assert_eq!(
            values,
            [("gone-since", "1"), ("new-since", "1"), ("other-since", "1"), ("same", "1")]
        );
        assert!(secrets(&now, &then, 8).is_empty());
    }

    #[test]
    fn what_was_is_again_and_what_is_the_same_is_left_alone() {
        use DesiredState::{Inactive, Launched};
        let mut then = Decided::default();
        submit(&mut then, "same.container", "1", Launched);
        submit(&mut then, "stopped-since.container", "1", Launched);
        submit(&mut then, "other-file.container", "1", Launched);
        submit(&mut then, "gone-since.container", "1", Inactive);
        submit(&mut then, "web@.container", "1", Launched);
        apply(&mut then, Command::Scale { unit: "web@.container".to_owned(), replicas: 3 });
        let mut now = then.clone();
        let unit = "stopped-since.container".to_owned();
        apply(&mut now, Command::Desire { unit, desired: Inactive });
        submit(&mut now, "other-file.container", "2", Launched);
        apply(&mut now, Command::Destroy { unit: "gone-since.container".to_owned() });
        submit(&mut now, "new-since.container", "1", Launched);
        apply(&mut now, Command::Scale { unit: "web@.container".to_owned(), replicas: 5 });
        let same = now.units.get("same.container").cloned();
        let changes = changes(&now, &then);
        let kinds: Vec<_> = changes.iter().map(|(unit, (kind, _))| (unit.as_str(), kind)).collect();
        assert_eq!(
            kinds,
            [
                ("gone-since.container", &Change::Add),
                ("new-since.container", &Change::Destroy),
                ("other-file.container", &Change::Change),
                ("stopped-since.container", &Change::Change),
                ("web@.container", &Change::Change),
            ]
        );
        for command in changes.into_values().flat_map(|(_, commands)| commands) {
            apply(&mut now, command);
        }
        assert_eq!(said(&now), said(&then));
        assert_eq!(now.units.get("same.container").cloned(), same);
        assert!(super::changes(&now, &then).is_empty());
    }
}
