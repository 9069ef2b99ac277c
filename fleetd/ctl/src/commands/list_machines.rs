//! `list-machines`: the hosts of the fleet.

use super::{Context, print, print_json};
use crate::cli::TableFlags;
use crate::failure::Failure;
use crate::table::{self, Column, View};
use fleetd_api::{Machine, Role, Status};

const COLUMNS: &[Column<Machine>] = &[
    Column { name: "machine", cell: |machine, view| view.short(&machine.id, 8, "...") },
    Column { name: "ip", cell: |machine, _| machine.ip.clone().unwrap_or_default() },
    Column { name: "status", cell: |machine, _| status(machine) },
    Column { name: "role", cell: |machine, _| role(machine.role).to_owned() },
    Column { name: "metadata", cell: |machine, _| metadata(machine) },
    Column { name: "version", cell: |machine, _| machine.version.clone() },
    Column { name: "lacks", cell: |machine, _| machine.lacks.join(", ") },
    Column { name: "units", cell: |machine, _| machine.units.len().to_string() },
];

const DEFAULT: &[&str] = &["machine", "ip", "status", "role", "metadata"];

pub(super) async fn run(context: &Context, flags: &TableFlags) -> Result<u8, Failure> {
    let machines = context.machines().await?;
    if context.json {
        print_json(&machines)?;
        return Ok(0);
    }
    let view = View { full: flags.full, machines: &machines };
    print(&table::render(COLUMNS, DEFAULT, &machines, flags, &view)?)?;
    Ok(0)
}

fn metadata(machine: &Machine) -> String {
    let pairs: Vec<String> = machine.metadata.iter().map(|(k, v)| format!("{k}={v}")).collect();
    pairs.join(",")
}

/// How it is, and then what was said about new units.
fn status(machine: &Machine) -> String {
    let mut words = vec![match machine.status {
        Status::Alive => "alive",
        Status::Suspected => "suspected",
        Status::Dead => "dead",
        Status::Unheard => "unheard",
    }];
    words.extend(machine.disk_full.then_some("disk-full"));
    words.extend(machine.cordoned.then_some("cordoned"));
    words.extend(machine.draining.then_some("draining"));
    words.join(",")
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Host => "host",
        Role::Voter => "voter",
        Role::Leader => "leader",
    }
}
