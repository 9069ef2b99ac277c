//! `list-units`: units that are somewhere, and how they are.

use super::{Context, print, print_json};
use crate::cli::TableFlags;
use crate::failure::Failure;
use crate::table::{self, Column, View};
use fleetd_api::{Active, DesiredState, Load, Unit};

const COLUMNS: &[Column<Unit>] = &[
    Column { name: "unit", cell: |unit, _| unit.name.clone() },
    Column { name: "machine", cell: machine },
    Column { name: "load", cell: |unit, _| load(unit.state.load).to_owned() },
    Column { name: "active", cell: |unit, _| active(unit.state.active).to_owned() },
    Column { name: "sub", cell: |unit, _| unit.state.sub.clone() },
    Column { name: "hash", cell: |unit, view| view.short(&unit.hash, 7, "") },
    Column { name: "desc", cell: |unit, _| unit.description.clone() },
    Column { name: "health", cell: |unit, _| super::status::health(&unit.state).to_owned() },
    Column { name: "address", cell: |unit, _| unit.state.address.clone().unwrap_or_default() },
    Column { name: "ports", cell: |unit, _| unit.state.ports.join(",") },
    Column { name: "restarts", cell: |unit, _| unit.state.restarts.to_string() },
    Column { name: "message", cell: |unit, _| unit.state.message.clone().unwrap_or_default() },
];

const DEFAULT: &[&str] = &["unit", "machine", "active", "sub"];

pub(super) async fn run(context: &Context, flags: &TableFlags) -> Result<u8, Failure> {
    let mut units = context.units().await?;
    units.retain(is_somewhere);
    units.sort_by(|a, b| a.name.cmp(&b.name));
    if context.json {
        print_json(&units)?;
        return Ok(0);
    }
    let machines = context.machines().await?;
    let view = View { full: flags.full, machines: &machines };
    print(&table::render(COLUMNS, DEFAULT, &units, flags, &view)?)?;
    Ok(0)
}

/// A file that was only submitted is `list-unit-files`' matter.
fn is_somewhere(unit: &Unit) -> bool {
    if unit.replicas.is_some() {
        return false;
    }
    unit.desired != DesiredState::Inactive
        || unit.state.current != DesiredState::Inactive
        || unit.state.active != Active::Inactive
}

pub(super) fn machine(unit: &Unit, view: &View) -> String {
    unit.state.machine.as_deref().map(|id| view.machine(id)).unwrap_or_default()
}

/// systemd's word.
pub(super) fn load(load: Load) -> &'static str {
    match load {
        Load::NotLoaded => "not-loaded",
        Load::Loaded => "loaded",
        Load::Error => "error",
    }
}

/// systemd's word.
pub(super) fn active(active: Active) -> &'static str {
    match active {
        Active::Inactive => "inactive",
        Active::Activating => "activating",
        Active::Active => "active",
        Active::Deactivating => "deactivating",
        Active::Failed => "failed",
    }
}
