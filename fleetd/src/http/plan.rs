//! Several units changed at once: what would come of it, and in earnest.

use super::problem::{Answer, Result, internal};
use super::units::{checked, decide, submission, wish};
use super::{Api, Shared};
use crate::blocking::blocking;
use crate::consensus;
use crate::core::cluster::{self, Failure, Forecast, Outlook, Read, Step};
use crate::core::decided::unit::Command;
use crate::core::decided::{self, Entry};
use crate::core::schedule::{self, Options};
use crate::core::unit::difference;
use crate::peer::{Caller, Who};
use crate::pki::Role;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::{Extension, Json};
use fleetd_api::{
    Accepted, Change, Changes, FileChange, Plan, PlannedStep, PlannedUnit, Problem, ProblemKind,
    StepKind, Submit, UnitText, Unplaced, Warning,
};
use std::collections::BTreeSet;

type Body = std::result::Result<Json<Changes>, JsonRejection>;

pub(super) async fn plan(State(api): Shared, body: Body) -> Result<Json<Plan>> {
    let Json(Changes { changes, .. }) = body?;
    let asked: BTreeSet<String> = changes.iter().map(|change| change.unit.clone()).collect();
    let (commands, warnings) = commands(&api, changes)?;
    let commands: Vec<decided::Command> = commands.into_iter().map(Into::into).collect();
    let decided = api.consensus.decided();
    let observed = api.observed.borrow().clone();
    // A forecast for thousands of units takes a while, and others wait for this thread.
    let forecast = blocking(move || {
        let (options, mut files) = (Options::default(), Read::default());
        let forecast = cluster::forecast(&decided, &observed, options, &mut files, commands);
        forecast.map(|forecast| told(&decided, &asked, &forecast))
    });
    let mut plan = forecast.await.map_err(internal)?.map_err(|failure| match failure {
        Failure::Refused(refusal) => Answer::from(consensus::Error::Refused(refusal)),
        Failure::Restless(rounds) => {
            internal(format!("plan: something is left to decide after {rounds} rounds"))
        }
    })?;
    plan.warnings = warnings;
    Ok(Json(plan))
}

/// The route takes operators; a file takes more, as where it is submitted alone.
pub(super) async fn change(
    State(api): Shared,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Json<Accepted>> {
    let Json(Changes { changes, if_index }) = body?;
    let is_admin = matches!(caller.who, Who::User { role: Role::Admin, .. });
    if let Some(change) = changes.iter().find(|change| change.file.is_some() && !is_admin) {
        let text = format!("submit {}: it takes the role admin", change.unit);
        return Err(Problem::new(ProblemKind::Denied, text).into());
    }
    let (commands, warnings) = commands(&api, changes)?;
    let (_, accepted) = decide(&api, commands, if_index).await?;
    Ok(Json(Accepted { warnings, ..accepted }))
}

fn commands(api: &Api, changes: Vec<Change>) -> Result<(Vec<Command>, Vec<Warning>)> {
    let (mut commands, mut warnings) = (Vec::new(), Vec::new());
    let mut named = BTreeSet::new();
    for Change { unit, file, replace, desired } in changes {
        let name = checked(&unit)?;
        if !named.insert(unit) {
            let text = format!("change {name}: it is named twice");
            return Err(Problem::new(ProblemKind::Invalid, text).into());
        }
        match (file, desired) {
            (Some(UnitText { text, drop_ins }), desired) => {
                let submit = Submit { text, drop_ins, replace, desired };
                let (command, warned) = submission(api, &name, submit)?;
                commands.push(command);
                warnings.extend(warned);
            }
            (None, Some(desired)) => commands.push(wish(api, &name, desired)?),
            (None, None) => {}
        }
    }
    Ok((commands, warnings))
}

fn told(now: &decided::Decided, asked: &BTreeSet<String>, forecast: &Forecast) -> Plan {
    let names: BTreeSet<&String> = asked.iter().chain(forecast.units.keys()).collect();
    let as_it_is = |unit: &String| {
        let entry = now.units.get(unit).filter(|entry| !entry.destroyed).cloned();
        Outlook { before: entry.clone(), after: entry, steps: Vec::new() }
    };
    let units = names.into_iter().map(|unit| {
        let outlook = forecast.units.get(unit).cloned().unwrap_or_else(|| as_it_is(unit));
        planned(unit, &outlook)
    });
    Plan {
        index: now.index,
        // That an instance was wanted once more is nothing that anybody sees.
        units: units.filter(|unit| unit.changes() || asked.contains(&unit.unit)).collect(),
        unplaced: forecast.unplaced.iter().map(unplaced).collect(),
        warnings: Vec::new(),
    }
}

fn planned(unit: &str, Outlook { before, after, steps }: &Outlook) -> PlannedUnit {
    let (was, is) = (before.as_deref(), after.as_deref());
    let file = match (was, is) {
        (Some(was), Some(is)) if was.hash == is.hash => FileChange::Same,
        (Some(_), Some(_)) => FileChange::Changed,
        (None, Some(_)) => FileChange::New,
        (Some(_), None) => FileChange::Gone,
        (None, None) => FileChange::Same,
    };
    // What the fleet has made says what its template says.
    let keys = match (was, is) {
        (Some(was), Some(is)) if is.made_from.is_none() => difference(text(was), text(is)),
        _ => Vec::new(),
    };
    PlannedUnit {
        unit: unit.to_owned(),
        made_from: is.or(was).and_then(|entry| entry.made_from.clone()),
        file,
        keys,
        desired_before: was.map(|entry| entry.desired),
        desired_after: is.map(|entry| entry.desired),
        steps: steps.iter().map(step).collect(),
    }
}

fn text(entry: &Entry) -> crate::core::unit::difference::Files<'_> {
    (&entry.text, &entry.drop_ins)
}

fn step(step: &Step) -> PlannedStep {
    let planned = |kind, from: Option<_>, to: Option<_>, reasons: &[String]| PlannedStep {
        kind,
        from: from.map(|machine: &crate::core::machine_id::MachineId| machine.to_string()),
        to: to.map(|machine: &crate::core::machine_id::MachineId| machine.to_string()),
        reasons: reasons.to_vec(),
    };
    match step {
        Step::Add { to, reasons } => planned(StepKind::Add, None, Some(to), reasons),
        Step::Remove { from, reasons } => planned(StepKind::Remove, Some(from), None, reasons),
        Step::Move { from, to, reasons } => planned(StepKind::Move, Some(from), Some(to), reasons),
        Step::Restart { on } => planned(StepKind::Restart, Some(on), Some(on), &[]),
        Step::Start { on } => planned(StepKind::Start, None, Some(on), &[]),
        Step::Stop { on } => planned(StepKind::Stop, Some(on), None, &[]),
    }
}

fn unplaced(unplaced: &schedule::Unplaced) -> Unplaced {
    Unplaced {
        unit: unplaced.unit.clone(),
        reasons: unplaced.reasons.iter().map(ToString::to_string).collect(),
        remedy: unplaced.remedy.clone(),
    }
}
