//! `cordon`, `uncordon`, `undrain`, `set-metadata`: what is said of hosts.

use super::{Context, print, print_json};
use crate::cli::{Machines, SetMetadata};
use crate::failure::Failure;
use fleetd_api::{ChangeMachine, Machine};

pub(super) async fn cordon(
    context: &Context,
    flags: &Machines,
    cordoned: bool,
) -> Result<u8, Failure> {
    let change = ChangeMachine { cordoned: Some(cordoned), ..ChangeMachine::default() };
    let changed = change_all(context, &flags.machines, &change).await?;
    tell(context, &changed, |machine| format!("{} {}\n", machine.id, gets(machine)))
}

pub(super) async fn undrain(context: &Context, flags: &Machines) -> Result<u8, Failure> {
    let change = ChangeMachine { draining: Some(false), ..ChangeMachine::default() };
    let changed = change_all(context, &flags.machines, &change).await?;
    tell(context, &changed, |machine| format!("{} {}\n", machine.id, gets(machine)))
}

/// What it has of units: one of the two marks may be taken away and the other stay.
fn gets(machine: &Machine) -> &'static str {
    match machine {
        Machine { draining: true, .. } => "drains: no new units, and those that it has go",
        Machine { cordoned: true, .. } => "gets no new units; those that it has stay",
        _ => "gets new units",
    }
}

pub(super) async fn set_metadata(context: &Context, flags: &SetMetadata) -> Result<u8, Failure> {
    let known = context.machines().await?;
    let machine = find(&flags.machine, &known)?;
    let mut change = ChangeMachine::default();
    for pair in &flags.pairs {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            Failure::new(format!("set metadata {pair:?}: it is not KEY=VALUE"))
                .hint("KEY= takes a key away")
        })?;
        let value = (!value.is_empty()).then(|| value.to_owned());
        change.metadata.insert(key.to_owned(), value);
    }
    let changed = send(context, machine, &change).await?;
    tell(context, &[changed], |machine| {
        let pairs = machine.metadata.iter().map(|(key, value)| format!(" {key}={value}"));
        format!("{}{}\n", machine.id, pairs.collect::<String>())
    })
}

/// Changes all that are named, once all of them are known; as they are then.
pub(super) async fn change_all(
    context: &Context,
    names: &[String],
    change: &ChangeMachine,
) -> Result<Vec<Machine>, Failure> {
    let known = context.machines().await?;
    let mut changed = Vec::new();
    for machine in choose(names, &known)? {
        changed.push(send(context, machine, change).await?);
    }
    Ok(changed)
}

async fn send(
    context: &Context,
    machine: &Machine,
    change: &ChangeMachine,
) -> Result<Machine, Failure> {
    context.client.patch(&format!("/v1/machines/{}", machine.id), change).await
}

pub(super) fn tell(
    context: &Context,
    machines: &[Machine],
    line: impl Fn(&Machine) -> String,
) -> Result<u8, Failure> {
    if context.json {
        print_json(&machines)?;
    } else {
        print(&machines.iter().map(line).collect::<String>())?;
    }
    Ok(0)
}

/// The machines that are named, each once, in the order of their names.
pub(super) fn choose<'m>(
    names: &[String],
    machines: &'m [Machine],
) -> Result<Vec<&'m Machine>, Failure> {
    let mut chosen: Vec<&Machine> = Vec::new();
    for name in names {
        let machine = find(name, machines)?;
        if !chosen.iter().any(|other| other.id == machine.id) {
            chosen.push(machine);
        }
    }
    Ok(chosen)
}

/// The one machine whose id begins so.
fn find<'m>(beginning: &str, machines: &'m [Machine]) -> Result<&'m Machine, Failure> {
    let beginning = beginning.trim_end_matches("...");
    let mut found = machines.iter().filter(|machine| machine.id.starts_with(beginning));
    match (found.next(), found.next()) {
        (Some(machine), None) => Ok(machine),
        (Some(_), Some(_)) => Err(Failure::new(format!(
            "find machine {beginning}: several ids begin so; write more of it"
        ))),
        (None, _) => Err(Failure::new(format!("find machine {beginning}: no id begins so"))
            .hint("fleetctl list-machines shows all")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(id: &str) -> Machine {
        let json = serde_json::json!({"id": id, "ip": null, "metadata": {}, "version": "1"});
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_machine_is_found_by_a_beginning_that_only_it_has() {
        let machines = ["3f2a00", "3f2b00", "77"].map(machine);
        assert_eq!(find("3f2a...", &machines).unwrap().id, "3f2a00");
        assert_eq!(find("7", &machines).unwrap().id, "77");
        for (beginning, word) in [("3f2", "several"), ("8", "no id"), ("", "several")] {
            let failure = find(beginning, &machines).unwrap_err().to_string();
            assert!(failure.contains(word), "{failure}");
        }
    }
}
