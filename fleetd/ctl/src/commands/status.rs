//! `status`: everything about units on a page, and their last lines of output.

use super::list_units::{active, load};
use super::{Context, print, print_json, unit_path};
use crate::cli::Status;
use crate::failure::{Failure, exit};
use crate::table::View;
use crate::wait::exit_text;
use crate::{names, text};
use fleetd_api::{Active, Health, LogLine, Unit, UnitState};
use std::fmt::Write;

pub(super) async fn run(context: &Context, flags: &Status) -> Result<u8, Failure> {
    let listed = context.units().await?;
    let all = ["*".to_owned()];
    let arguments = if flags.units.is_empty() { &all[..] } else { &flags.units };
    if listed.is_empty() && flags.units.is_empty() {
        return Ok(0);
    }
    let chosen = names::select(arguments, &listed);
    let chosen = chosen.map_err(|failure| failure.code(exit::NO_SUCH_UNIT))?;
    let all_active = chosen.iter().all(|unit| unit.state.active == Active::Active);
    let code = if all_active { 0 } else { exit::NOT_ACTIVE };
    if context.json {
        print_json(&chosen)?;
        return Ok(code);
    }
    let machines = context.machines().await?;
    let view = View { full: flags.full, machines: &machines };
    for (position, unit) in chosen.iter().enumerate() {
        let gap = if position == 0 { "" } else { "\n" };
        print(&format!("{gap}{}", page(unit, &view, text::now())))?;
        if flags.lines > 0 {
            last_lines(context, unit, flags.lines).await?;
        }
    }
    Ok(code)
}

async fn last_lines(context: &Context, unit: &Unit, lines: u32) -> Result<(), Failure> {
    let path = format!("{}/logs?lines={lines}", unit_path(&unit.name));
    let mut stream = match context.client.lines(&path).await {
        Ok(stream) => stream,
        // A unit that never ran has no log.
        Err(_) if unit.state.since.is_none() => return Ok(()),
        Err(failure) => return Err(failure),
    };
    let mut gap = "\n";
    while let Some(line) = stream.next::<LogLine>().await? {
        print(&format!("{gap}{}\n", super::logs::short(&line)))?;
        gap = "";
    }
    Ok(())
}

fn page(unit: &Unit, view: &View, now: u64) -> String {
    let state = &unit.state;
    let mark = match state.active {
        Active::Active => '●',
        Active::Failed => '×',
        _ => '○',
    };
    let mut out = format!("{mark} {} - {}\n", unit.name, text::plain(&unit.description));
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(out, "{name:>10}: {}", text::plain(&value));
        }
    };
    let desired = super::list_unit_files::state(unit.desired);
    let hash = view.short(&unit.hash, 7, "");
    line("Loaded", format!("{} ({hash}; wanted: {desired})", load(state.load)));
    let since = state.since.map(|at| format!(" since {}; {}", text::time(at), text::ago(at, now)));
    let since = since.unwrap_or_default();
    line("Active", format!("{} ({}){since}", active(state.active), state.sub));
    line("Reason", state.message.clone().unwrap_or_default());
    line("Machine", state.machine.as_deref().map(|id| view.machine(id)).unwrap_or_default());
    line("Main PID", state.pid.map(|pid| pid.to_string()).unwrap_or_default());
    line("Address", state.address.clone().unwrap_or_default());
    line("Ports", state.ports.join(", "));
    line("Health", health(state).to_owned());
    if state.restarts > 0 {
        line("Restarts", state.restarts.to_string());
    }
    line("Last exit", state.last_exit.as_ref().map(exit_text).unwrap_or_default());
    line("Unlimited", state.unenforced.join("; "));
    let total = text::total(&state.steps);
    if !state.steps.is_empty() {
        line("Start", format!("{}: {}", text::duration(total), text::split_in_full(&state.steps)));
    }
    for drop_in in unit.drop_ins.keys() {
        line("Drop-in", drop_in.clone());
    }
    for warning in &unit.warnings {
        let at = if warning.line == 0 { String::new() } else { format!(":{}", warning.line) };
        line("Warning", format!("{}{at}: {}", warning.file, warning.message));
    }
    out
}

pub(super) fn health(state: &UnitState) -> &'static str {
    match state.health {
        None => "",
        Some(Health::Starting) => "starting",
        Some(Health::Healthy) => "healthy",
        Some(Health::Unhealthy) => "unhealthy",
    }
}
