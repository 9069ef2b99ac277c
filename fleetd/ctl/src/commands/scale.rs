//! `scale`: how many instances of a template there are.

use super::follow::{self, Job};
use super::{Context, print, report, unit_path};
use crate::cli::Scale as Flags;
use crate::failure::Failure;
use crate::names;
use crate::wait::Goal;
use fleetd_api::{Accepted, DesiredState, Scale, Unit};

pub(super) async fn run(context: &Context, flags: &Flags) -> Result<u8, Failure> {
    let known = context.units().await?;
    let template = names::select(std::slice::from_ref(&flags.template), &known)?.remove(0);
    let path = format!("{}/replicas", unit_path(&template.name));
    let body = Scale { replicas: flags.replicas };
    let accepted: Accepted = context.client.put(&path, &body).await?;
    let mut jobs = Vec::new();
    // Those that go, and those that come if the template is started.
    for gone in known.iter().filter(|unit| is_surplus(unit, &template.name, flags.replicas)) {
        jobs.push(Job::after(accepted.index, &gone.name, Goal::Destroyed));
    }
    if template.desired == DesiredState::Launched {
        let is_new = |name: &String| known.iter().all(|unit| unit.name != *name);
        let new = instances(&template.name, flags.replicas).filter(is_new);
        jobs.extend(new.map(|name| Job::after(accepted.index, &name, Goal::Started)));
    }
    if flags.blocking.no_block {
        return report::triggered(context, &jobs, "scale");
    }
    let end = follow::until(context, &mut jobs, flags.blocking.block_attempts).await?;
    if jobs.is_empty() && !context.json {
        let started = template.desired == DesiredState::Launched;
        let when = if started { "" } else { ", once it is started" };
        print(&format!("{}: {} instances{when}\n", template.name, flags.replicas))?;
    }
    report::ended(context, &jobs, "scale", end).await
}

/// Names of the instances that the fleet makes of a template.
pub(super) fn instances(template: &str, count: u32) -> impl Iterator<Item = String> + '_ {
    (1..=count).map(move |number| template.replacen('@', &format!("@{number}"), 1))
}

fn is_surplus(unit: &Unit, template: &str, count: u32) -> bool {
    let stays = instances(template, count).any(|name| name == unit.name);
    unit.made_from.as_deref() == Some(template) && !stays
}
