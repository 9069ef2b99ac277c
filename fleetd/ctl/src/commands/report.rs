//! The last words of a command that changed units.

use super::follow::{End, Job};
use super::{Context, print, print_json, unit_path};
use crate::failure::{Failure, exit};
use crate::table::View;
use crate::text;
use crate::wait::{Goal, Verdict};
use fleetd_api::{Active, LogLine, Machine, StepTime, Warning};
use serde::Serialize;

/// Lines of output that a failure shows.
const LAST_LINES: u32 = 10;

#[derive(Serialize)]
struct Outcome<'a> {
    unit: &'a str,
    /// `done`, `failed`, `waiting` or `triggered`.
    result: &'static str,
    reason: Option<&'a str>,
    micros: Option<u64>,
    steps: &'a [StepTime],
}

pub(super) fn warnings(warnings: &[Warning]) {
    for Warning { file, line, message } in warnings {
        let place = if *line == 0 { file.clone() } else { format!("{file}:{line}") };
        eprintln!("warning: {}", text::plain(&format!("{place}: {message}")));
    }
}

/// `--no-block`: nobody waits.
pub(super) fn triggered(context: &Context, jobs: &[Job], verb: &str) -> Result<u8, Failure> {
    if context.json {
        let outcome = |job| Outcome { result: "triggered", ..outcome(job) };
        print_json(&jobs.iter().map(outcome).collect::<Vec<_>>())?;
    } else {
        for job in jobs {
            print(&format!("{} {verb} triggered\n", job.unit))?;
        }
    }
    Ok(0)
}

pub(super) async fn ended(
    context: &Context,
    jobs: &[Job],
    verb: &str,
    end: End,
) -> Result<u8, Failure> {
    // Where it runs is worth a look only if something started.
    let placed = jobs.iter().any(|job| job.succeeded() && job.watch.goal != Goal::Destroyed);
    let machines = if placed { context.machines().await.unwrap_or_default() } else { Vec::new() };
    if context.json {
        print_json(&jobs.iter().map(outcome).collect::<Vec<_>>())?;
    }
    let mut failed = false;
    for job in jobs {
        match &job.watch.verdict {
            Verdict::Reached if context.json => {}
            Verdict::Reached => print(&format!("{}\n", success(job, &machines)))?,
            Verdict::Failed(reason) => {
                failed = true;
                failure(context, job, verb, reason).await;
            }
            Verdict::Waiting => eprintln!("{}", left(job, verb, end)),
        }
    }
    match end {
        End::Interrupted => Err(Failure::told(exit::INTERRUPTED)),
        End::GaveUp => Err(Failure::told(exit::FAILED)),
        End::All if failed => Err(Failure::told(exit::FAILED)),
        End::All => Ok(0),
    }
}

fn outcome(job: &Job) -> Outcome<'_> {
    let (result, reason) = match &job.watch.verdict {
        Verdict::Reached => ("done", None),
        Verdict::Failed(reason) => ("failed", Some(reason.as_str())),
        Verdict::Waiting => ("waiting", None),
    };
    let micros = job.took.map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    Outcome { unit: &job.unit, result, reason, micros, steps: steps(job) }
}

fn steps(job: &Job) -> &[StepTime] {
    match &job.watch.state {
        Some(state) if !state.steps.is_empty() => &state.steps,
        _ => &job.watch.steps,
    }
}

/// `web.container launched on 113f16a7.../192.0.2.1 in 21 ms: image 0.4 ms, ...`
fn success(job: &Job, machines: &[Machine]) -> String {
    let state = job.watch.state.as_ref();
    let id = state.and_then(|state| state.machine.as_deref());
    let view = View { full: false, machines };
    let place = id.map(|id| format!(" on {}", view.machine(id))).unwrap_or_default();
    let ended = state.is_some_and(|state| state.active == Active::Inactive);
    let what = match job.watch.goal {
        Goal::Started if ended => format!("ended well{place}"),
        Goal::Restarted { .. } if ended => format!("ended well{place} again"),
        Goal::Started => format!("launched{place}"),
        Goal::Restarted { .. } => format!("restarted{place}"),
        Goal::Loaded => format!("loaded{place}"),
        Goal::Stopped => "stopped".to_owned(),
        Goal::Unloaded => "inactive".to_owned(),
        Goal::Destroyed => "destroyed".to_owned(),
    };
    let took = job.took.map(|took| format!(" in {}", text::elapsed(took))).unwrap_or_default();
    // A unit that was active before has no steps of this request.
    let split = match &job.watch.goal {
        Goal::Started | Goal::Restarted { .. } if !job.watch.steps.is_empty() => {
            format!(": {}", text::split(steps(job)))
        }
        _ => String::new(),
    };
    text::plain(&format!("{} {what}{took}{split}", job.unit))
}

/// The reason, the last lines of output, what to do next.
async fn failure(context: &Context, job: &Job, verb: &str, reason: &str) {
    let path = format!("{}/logs?lines={LAST_LINES}", unit_path(&job.unit));
    let mut lines = Vec::new();
    if job.watch.goal != Goal::Destroyed
        && let Ok(mut stream) = context.client.lines(&path).await
    {
        while let Ok(Some(line)) = stream.next::<LogLine>().await {
            lines.push(line);
        }
    }
    Failure::new(format!("{verb} {}: {reason}", job.unit))
        .hint(format!("fleetctl status {}", job.unit))
        .print();
    for line in lines {
        eprintln!("  {}", super::logs::short(&line));
    }
}

fn left(job: &Job, verb: &str, end: End) -> String {
    let waits = job.watch.current.as_ref().map(|(step, message)| format!(" ({step}: {message})"));
    let waits = waits.unwrap_or_default();
    let unit = &job.unit;
    let why = if end == End::Interrupted { "left alone" } else { "not done in time" };
    let back = match job.watch.goal {
        Goal::Started | Goal::Loaded => format!("; fleetctl stop {unit} takes it back"),
        _ => String::new(),
    };
    text::plain(&format!("fleetctl: {unit} is {why}: its {verb} goes on{waits}{back}"))
}
