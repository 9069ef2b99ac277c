//! `list-unit-files`: what was submitted and what is wanted of it.

use super::list_units::machine;
use super::{Context, print, print_json};
use crate::cli::TableFlags;
use crate::failure::Failure;
use crate::table::{self, Column, View};
use fleetd_api::{DesiredState, Unit};

const COLUMNS: &[Column<Unit>] = &[
    Column { name: "unit", cell: |unit, _| unit.name.clone() },
    Column { name: "hash", cell: |unit, view| view.short(&unit.hash, 7, "") },
    Column { name: "dstate", cell: |unit, _| state(unit.desired).to_owned() },
    Column { name: "state", cell: |unit, _| state(unit.state.current).to_owned() },
    Column { name: "target", cell: machine },
    Column { name: "desc", cell: |unit, _| unit.description.clone() },
    // No unit runs on every host yet.
    Column { name: "global", cell: |_, _| "-".to_owned() },
];

const DEFAULT: &[&str] = &["unit", "hash", "dstate", "state", "target"];

pub(super) async fn run(context: &Context, flags: &TableFlags) -> Result<u8, Failure> {
    let mut units = context.units().await?;
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

/// fleet's word.
pub(super) fn state(state: DesiredState) -> &'static str {
    match state {
        DesiredState::Inactive => "inactive",
        DesiredState::Loaded => "loaded",
        DesiredState::Launched => "launched",
    }
}
