//! Instances of templates with `Replicas=`: as many as there are to be, as the template is wanted.

use crate::core::decided::unit::Command;
use crate::core::decided::{Decided, Entry};
use crate::core::unit::secrets;
use fleetd_api::{DesiredState, UnitName};

/// `says`: how many instances the file of a template asks for.
pub(super) fn instances(
    decided: &Decided,
    says: &mut impl FnMut(&str, &Entry) -> Option<u32>,
) -> Vec<Command> {
    let mut commands = Vec::new();
    for (name, template) in decided.units.iter().filter(|(name, _)| is_template(name)) {
        let count = match template.destroyed {
            true => 0,
            false => template.replicas.or_else(|| says(name, template)).unwrap_or(0),
        };
        // One that was never started has none.
        let begun = template.start > 0 || template.desired != DesiredState::Inactive;
        for number in (1..=count).filter(|_| begun) {
            commands.extend(instance(decided, name, template, number));
        }
    }
    commands.extend(surplus(decided, says));
    commands
}

/// A name whose instance is still to be named: `web@.container`.
pub fn is_template(name: &str) -> bool {
    UnitName::new(name).is_ok_and(|name| name.is_template())
}

fn instance(decided: &Decided, name: &str, template: &Entry, number: u32) -> Option<Command> {
    let unit = name.replacen('@', &format!("@{number}"), 1);
    let known = decided.units.get(&unit).filter(|entry| !entry.destroyed);
    let Some(known) = known else {
        return Some(submit(unit, name, template, Some(template.desired)));
    };
    // Somebody's own of that name is left alone.
    known.made_from.as_ref().filter(|from| *from == name)?;
    if known.hash != template.hash {
        // What runs goes on with the old file until it is restarted.
        return Some(submit(unit, name, template, None));
    }
    let wanted = template.desired;
    if template.restart > known.restart && wanted == DesiredState::Launched {
        return Some(Command::Restart { unit });
    }
    let again = wanted == DesiredState::Launched && template.start > known.start;
    (known.desired != wanted || again).then_some(Command::Desire { unit, desired: wanted })
}

fn submit(unit: String, name: &str, template: &Entry, desired: Option<DesiredState>) -> Command {
    let secrets = UnitName::new(unit.as_str())
        .map(|unit| secrets(&unit, &template.text, &template.drop_ins))
        .unwrap_or_default();
    Command::Submit {
        unit,
        text: template.text.clone(),
        drop_ins: template.drop_ins.clone(),
        hash: template.hash.clone(),
        replace: true,
        desired,
        made_from: Some(name.to_owned()),
        secrets,
    }
}

/// Those that were made and are more than there are to be.
fn surplus(decided: &Decided, says: &mut impl FnMut(&str, &Entry) -> Option<u32>) -> Vec<Command> {
    let mut commands = Vec::new();
    for (unit, entry) in decided.units.iter().filter(|(_, entry)| !entry.destroyed) {
        let Some(from) = &entry.made_from else { continue };
        let template = decided.units.get(from).filter(|template| !template.destroyed);
        let count = template
            .and_then(|template| template.replicas.or_else(|| says(from, template)))
            .unwrap_or(0);
        if number(unit).is_none_or(|number| number > count) {
            commands.push(Command::Destroy { unit: unit.clone() });
        }
    }
    commands
}

fn number(unit: &str) -> Option<u32> {
    let (_, rest) = unit.split_once('@')?;
    rest.split_once('.')?.0.parse().ok()
}
