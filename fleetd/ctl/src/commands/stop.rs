//! `stop`, `unload`, `restart` and `destroy`: of units that are submitted.

use super::follow::{self, End, Job};
use super::{Context, report, unit_path};
use crate::cli::Wait;
use crate::client::empty;
use crate::failure::Failure;
use crate::names;
use crate::wait::Goal;
use fleetd_api::{Accepted, Desire, DesiredState, Unit};

pub(super) async fn run(context: &Context, flags: &Wait, goal: Goal) -> Result<u8, Failure> {
    let verb = match goal {
        Goal::Unloaded => "unload",
        Goal::Destroyed => "destroy",
        Goal::Restarted { .. } => "restart",
        _ => "stop",
    };
    let known = context.units().await?;
    let units = names::select(&flags.units, &known)?;
    let of = |template: &Unit| {
        let name = template.name.clone();
        known.iter().filter(move |unit| unit.made_from.as_ref() == Some(&name))
    };
    if let Goal::Restarted { .. } = goal {
        let each = |unit: &'_ Unit| unit.replicas.is_none();
        let all = units.iter().flat_map(|unit| of(unit).chain(Some(*unit))).filter(|u| each(u));
        return one_by_one(context, flags, &all.collect::<Vec<_>>()).await;
    }
    let mut jobs = Vec::new();
    for unit in &units {
        // What goes with its template is not asked alone.
        if units.iter().any(|other| unit.made_from.as_ref() == Some(&other.name)) {
            continue;
        }
        let job = ask(context, unit, goal.clone()).await?;
        jobs.extend(of(unit).map(|one| Job::after(job.index, &one.name, goal.clone())));
        // A template has no state of its own, only a file.
        if unit.replicas.is_none() || goal == Goal::Destroyed {
            jobs.push(job);
        }
    }
    if flags.blocking.no_block {
        return report::triggered(context, &jobs, verb);
    }
    let end = follow::until(context, &mut jobs, flags.blocking.block_attempts).await?;
    report::ended(context, &jobs, verb, end).await
}

/// The next unit is restarted when the one before is active: a service of several instances stays.
async fn one_by_one(context: &Context, flags: &Wait, units: &[&Unit]) -> Result<u8, Failure> {
    let mut done = Vec::new();
    for unit in units {
        let goal = Goal::Restarted { old_pid: unit.state.pid };
        let mut jobs = vec![ask(context, unit, goal).await?];
        let end = match flags.blocking.no_block {
            true => End::All,
            false => follow::until(context, &mut jobs, flags.blocking.block_attempts).await?,
        };
        let stop = !flags.blocking.no_block && (end != End::All || !jobs[0].succeeded());
        done.append(&mut jobs);
        if stop {
            return report::ended(context, &done, "restart", end).await;
        }
    }
    if flags.blocking.no_block {
        return report::triggered(context, &done, "restart");
    }
    report::ended(context, &done, "restart", End::All).await
}

async fn ask(context: &Context, unit: &Unit, goal: Goal) -> Result<Job, Failure> {
    let path = unit_path(&unit.name);
    let client = &context.client;
    let mut job = Job::new(&unit.name, goal);
    let accepted: Accepted = match job.watch.goal {
        Goal::Destroyed => client.delete(&path).await?,
        Goal::Restarted { .. } => client.post(&format!("{path}/restart"), empty()).await?,
        Goal::Unloaded => {
            let body = Desire { desired: DesiredState::Inactive };
            client.put(&format!("{path}/desired"), &body).await?
        }
        // What is not loaded does not become so by being stopped.
        _ => {
            let desired = unit.desired.min(DesiredState::Loaded);
            client.put(&format!("{path}/desired"), &Desire { desired }).await?
        }
    };
    job.index = accepted.index;
    Ok(job)
}
