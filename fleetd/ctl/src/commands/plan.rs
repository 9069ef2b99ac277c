//! `plan`: what would come of a submit, a load or a start.

use super::submit::{self, Wanted};
use super::{Context, change, print, print_json, report};
use crate::cli::{Plan as Flags, Verb};
use crate::failure::{Failure, exit};
use crate::{client, text};
use fleetd_api::{
    Change, Changes, DesiredState, FileChange, KeyChange, Plan, PlannedStep, PlannedUnit, StepKind,
    Unplaced,
};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Instances of one template that are named of those to which the same happens.
const NAMED: usize = 5;

pub(super) async fn run(context: &Context, flags: &Flags) -> Result<u8, Failure> {
    let known = context.units().await?;
    let wanted = submit::find_all(context, &flags.units, &known).await?;
    if flags.verb != Verb::Submit {
        wanted.iter().try_for_each(|unit| change::instance_is_named(unit, "plan"))?;
    }
    let (_, desired) = said(flags.verb);
    // A file that is here is what the question is about.
    let changes: Vec<Change> = wanted.iter().map(|unit| unit.change(true, desired)).collect();
    let body = client::json(&Changes { changes, if_index: None })?;
    let plan: Plan = context.client.post("/v1/plan", body).await?;
    report::warnings(&plan.warnings);
    if context.json {
        print_json(&plan)?;
    } else {
        print(&page(&plan, &command(flags, &wanted)))?;
    }
    if !plan.unplaced.is_empty() {
        let count = plan.unplaced.len();
        let what = if count == 1 { "1 unit" } else { &format!("{count} units") };
        return Err(
            Failure::new(format!("plan: {what} would have no place")).hint("nothing was changed")
        );
    }
    Ok(if flags.exit_code && plan.changes() { exit::CHANGES } else { 0 })
}

fn said(verb: Verb) -> (&'static str, Option<DesiredState>) {
    match verb {
        Verb::Submit => ("submit", None),
        Verb::Load => ("load", Some(DesiredState::Loaded)),
        Verb::Start => ("start", Some(DesiredState::Launched)),
    }
}

/// What does in earnest what was planned, but for the index.
fn command(flags: &Flags, wanted: &[Wanted]) -> String {
    let differs = |unit: &Wanted| unit.is_submitted() && unit.other_file().is_some();
    let replace = if wanted.iter().any(differs) { " --replace" } else { "" };
    format!("fleetctl {}{replace} {}", said(flags.verb).0, flags.units.join(" "))
}

fn page(plan: &Plan, command: &str) -> String {
    let mut out = String::new();
    for unit in &plan.units {
        file(&mut out, unit);
    }
    for lines in steps(&plan.units).into_values() {
        let more = lines.len().saturating_sub(NAMED);
        for line in lines.iter().take(NAMED) {
            let _ = writeln!(out, "{line}");
        }
        if more > 0 {
            let _ = writeln!(out, "{:<9}and {more} more", "");
        }
    }
    for Unplaced { unit, reasons, remedy } in &plan.unplaced {
        let _ = writeln!(out, "no place {unit}");
        for reason in reasons {
            let _ = writeln!(out, "{:<11}{reason}", "");
        }
        let _ = writeln!(out, "{:<11}nearest remedy: {remedy}", "");
    }
    let out: String = out.lines().map(|line| text::plain(line) + "\n").collect();
    match plan.changes() {
        false => format!("nothing would change, at index {}\n", plan.index),
        true => {
            let (verb, rest) = command.split_at("fleetctl".len());
            let (name, arguments) = rest.trim_start().split_once(' ').unwrap_or((rest, ""));
            let index = plan.index;
            format!(
                "{out}index {index}: {verb} {name} --if-index {index} {arguments} does just this\n"
            )
        }
    }
}

/// What becomes of a file; of instances that the fleet makes their template says it.
fn file(out: &mut String, unit: &PlannedUnit) {
    let word = match unit.file {
        FileChange::New => "new",
        FileChange::Changed => "change",
        FileChange::Gone => "gone",
        FileChange::Same => return,
    };
    if unit.made_from.is_some() {
        return;
    }
    let only = if unit.file == FileChange::Changed && unit.keys.is_empty() {
        ": comments or the order of keys only"
    } else {
        ""
    };
    let _ = writeln!(out, "{word:<9}{}{only}", unit.unit);
    let mut section = "";
    for key in &unit.keys {
        if key.section != section {
            section = &key.section;
            let _ = writeln!(out, "{:<11}[{section}]", "");
        }
        differences(out, key);
    }
}

fn differences(out: &mut String, KeyChange { key, before, after, .. }: &KeyChange) {
    // Of a key that is repeated only what is another; where that is the order, all of it.
    let (gone, come) = (without(before, after), without(after, before));
    let (gone, come) = match gone.is_empty() && come.is_empty() {
        true => (before.iter().collect(), after.iter().collect()),
        false => (gone, come),
    };
    for value in gone {
        let _ = writeln!(out, "{:<11}-{key}={value}", "");
    }
    for value in come {
        let _ = writeln!(out, "{:<11}+{key}={value}", "");
    }
}

fn without<'v>(values: &'v [String], others: &[String]) -> Vec<&'v String> {
    let mut left: Vec<&String> = others.iter().collect();
    let is_new = |value: &&String| match left.iter().position(|other| *other == *value) {
        Some(at) => {
            left.swap_remove(at);
            false
        }
        None => true,
    };
    values.iter().filter(is_new).collect()
}

/// Lines about what happens on hosts, by template and kind.
fn steps(units: &[PlannedUnit]) -> BTreeMap<(String, StepKind), Vec<String>> {
    let mut lines: BTreeMap<(String, StepKind), Vec<String>> = BTreeMap::new();
    for unit in units {
        for step in &unit.steps {
            let template = match unit.unit.split_once('@') {
                Some((prefix, _)) => format!("{prefix}@"),
                None => unit.unit.clone(),
            };
            lines.entry((template, step.kind)).or_default().push(line(unit, step));
        }
    }
    lines
}

/// `move     web@1.container from 00865225 to be720086: its host is being drained`
fn line(unit: &PlannedUnit, PlannedStep { kind, from, to, reasons }: &PlannedStep) -> String {
    let starts = unit.desired_after == Some(DesiredState::Launched);
    let word = match kind {
        StepKind::Add if starts => "start",
        StepKind::Add => "load",
        StepKind::Remove => "end",
        StepKind::Move => "move",
        StepKind::Restart => "restart",
        StepKind::Start => "start",
        StepKind::Stop => "stop",
    };
    let id = |machine: &Option<String>| {
        machine.as_deref().map_or_else(|| "-".to_owned(), |id| text::short(id).to_owned())
    };
    let place = match kind {
        StepKind::Move => format!("from {} to {}", id(from), id(to)),
        StepKind::Remove | StepKind::Stop => format!("on {}", id(from)),
        StepKind::Add | StepKind::Restart | StepKind::Start => format!("on {}", id(to)),
    };
    // Why it gets its place is `why`'s business; why it loses one is news.
    let why = match kind {
        StepKind::Remove | StepKind::Move if !reasons.is_empty() => {
            format!(": {}", reasons.join("; "))
        }
        _ => String::new(),
    };
    format!("{word:<9}{} {place}{why}", unit.unit)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
