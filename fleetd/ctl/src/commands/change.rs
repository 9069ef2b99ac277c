//! `load` and `start`: submit if missing, say what is wanted, wait until it is so.

use super::follow::{self, Job};
use super::submit::Wanted;
use super::{Context, report, scale};
use crate::cli::Change;
use crate::failure::Failure;
use crate::names;
use crate::wait::Goal;
use fleetd_api::DesiredState;

pub(super) async fn run(
    context: &Context,
    flags: &Change,
    desired: DesiredState,
) -> Result<u8, Failure> {
    let (goal, verb) = match desired {
        DesiredState::Launched => (Goal::Started, "start"),
        _ => (Goal::Loaded, "load"),
    };
    let known = context.units().await?;
    let mut arguments: Vec<String> = Vec::new();
    for argument in &flags.units {
        if names::is_glob(argument) {
            let found = names::select(std::slice::from_ref(argument), &known)?;
            let found = found.into_iter().filter(|unit| !unit.name.contains("@."));
            arguments.extend(found.map(|unit| unit.name.clone()));
        } else {
            arguments.push(argument.clone());
        }
    }
    // Everything is looked at before anything is changed.
    let mut wanted: Vec<Wanted> = Vec::new();
    for argument in &arguments {
        let unit = Wanted::find(context, argument, &known).await?;
        if unit.lacks_an_instance() {
            let example = format!("{}@1", unit.name.prefix());
            return Err(Failure::new(format!("{verb} {}: it is a template", unit.name))
                .hint(format!("name an instance: fleetctl {verb} {example}")));
        }
        if !wanted.iter().any(|other| other.name == unit.name) {
            wanted.push(unit);
        }
    }
    let mut jobs = Vec::new();
    for unit in &wanted {
        // What runs from the old file does not count as started.
        let goal = match unit.replaced_pid(flags.replace) {
            Some(pid) if goal == Goal::Started => Goal::Restarted { old_pid: Some(pid) },
            _ => goal.clone(),
        };
        let mut job = Job::new(unit.name.as_str(), goal);
        let accepted = unit.submit(context, flags.replace, Some(desired)).await?;
        job.index = accepted.map_or(0, |accepted| accepted.index);
        if unit.name.is_template() {
            let template = context.unit(unit.name.as_str()).await?;
            let count = template.and_then(|template| template.replicas).unwrap_or(0);
            jobs.extend(
                scale::instances(unit.name.as_str(), count)
                    .map(|name| Job::after(job.index, &name, job.watch.goal.clone())),
            );
        } else {
            jobs.push(job);
        }
    }
    if flags.blocking.no_block {
        return report::triggered(context, &jobs, verb);
    }
    let end = follow::until(context, &mut jobs, flags.blocking.block_attempts).await?;
    report::ended(context, &jobs, verb, end).await
}
