//! `load` and `start`: submit if missing, say what is wanted, wait until it is so.

use super::follow::{self, Job};
use super::submit::{self, Wanted};
use super::{Context, report, scale};
use crate::cli::Change;
use crate::failure::Failure;
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
    // Everything is looked at before anything is changed.
    let wanted = submit::find_all(context, &flags.units, &known).await?;
    wanted.iter().try_for_each(|unit| instance_is_named(unit, verb))?;
    let at_once = match flags.guard.if_index {
        Some(index) => {
            let desired = Some(desired);
            Some(submit::together(context, &wanted, flags.replace, desired, index).await?)
        }
        None => None,
    };
    let mut jobs = Vec::new();
    // What runs from the old file does not count as started.
    let goal = |old_pid: Option<i32>| match old_pid {
        Some(_) if goal == Goal::Started => Goal::Restarted { old_pid },
        _ => goal.clone(),
    };
    for unit in &wanted {
        let mut job = Job::new(unit.name.as_str(), goal(unit.replaced_pid(flags.replace)));
        let accepted = match &at_once {
            Some(accepted) => Some(accepted.clone()),
            None => unit.submit(context, flags.replace, Some(desired)).await?,
        };
        job.index = accepted.map_or(0, |accepted| accepted.index);
        if unit.name.is_template() {
            let template = context.unit(unit.name.as_str()).await?;
            let count = template.and_then(|template| template.replicas).unwrap_or(0);
            jobs.extend(scale::instances(unit.name.as_str(), count).map(|name| {
                let old_pid = unit.replaced_instance_pid(&name, &known, flags.replace);
                Job::after(job.index, &name, goal(old_pid))
            }));
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

pub(super) fn instance_is_named(unit: &Wanted, verb: &str) -> Result<(), Failure> {
    if !unit.lacks_an_instance() {
        return Ok(());
    }
    let example = format!("{}@1", unit.name.prefix());
    Err(Failure::new(format!("{verb} {}: it is a template", unit.name))
        .hint(format!("name an instance: fleetctl {verb} {example}")))
}
