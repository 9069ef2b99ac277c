//! `remove-machine`: hosts that leave the fleet for good.

use super::{Context, drain, machine, print, print_json};
use crate::cli::RemoveMachine;
use crate::failure::Failure;
use crate::text;
use fleetd_api::{Machine, Status, Unit};
use serde_json::Value;

pub(super) async fn run(context: &Context, flags: &RemoveMachine) -> Result<u8, Failure> {
    let known = context.machines().await?;
    let chosen = machine::choose(&flags.machines, &known)?;
    // Everything is looked at before anything is removed.
    if !flags.force {
        let units = context.units().await?;
        chosen.iter().try_for_each(|machine| check(machine, &units))?;
    }
    for Machine { id, .. } in &chosen {
        let _: Value = context.client.delete(&format!("/v1/machines/{id}")).await?;
        if !context.json {
            print(&format!("{} has left the fleet for good\n", text::plain(id)))?;
        }
    }
    if context.json {
        print_json(&chosen.iter().map(|machine| &machine.id).collect::<Vec<_>>())?;
    }
    Ok(0)
}

/// Refuses a host that has units which would go on without a fleet.
fn check(machine: &Machine, units: &[Unit]) -> Result<(), Failure> {
    let how = match machine.status {
        Status::Alive => "is alive",
        Status::Suspected => "may be alive",
        Status::Dead | Status::Unheard => return Ok(()),
    };
    let id = text::short(&machine.id);
    let count = match drain::held(&machine.id, Some(machine), units).len() {
        0 => return Ok(()),
        1 => "1 unit".to_owned(),
        count => format!("{count} units"),
    };
    Err(Failure::new(format!("remove machine {id}: it {how} and has {count}"))
        .hint(format!("fleetctl drain {id} moves them; --force removes it all the same")))
}
