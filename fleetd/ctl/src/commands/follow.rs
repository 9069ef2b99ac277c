//! Waits until units have reached what was asked of them, and shows each step meanwhile.

use super::Context;
use crate::client::{self, Lines};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::wait::{Goal, PLACE, Verdict, Watch};
use fleetd_api::{Event, EventKind, Unit};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// How long a wait goes on while fleetd is away.
pub(super) const AWAY: Duration = Duration::from_secs(30);
/// Between two attempts to reach it.
pub(super) const RETRY: Duration = Duration::from_millis(200);
/// One of fleet's attempts.
pub(super) const ATTEMPT: Duration = Duration::from_millis(500);
/// A unit that no host takes for so long is given up; hosts that are away come back within it.
pub(super) const PLACING: Duration = Duration::from_secs(5);
/// A step that takes longer is told where there is no live line.
pub(super) const LONG_STEP: Duration = Duration::from_secs(2);

/// What was asked of one unit.
pub(super) struct Job {
    pub unit: String,
    pub watch: Watch,
    /// Effects have a greater index.
    pub index: u64,
    asked: Instant,
    /// From the request to the verdict.
    pub took: Option<Duration>,
    told_step: Option<String>,
    /// Since when no host takes it.
    homeless: Option<Instant>,
}

impl Job {
    pub(super) fn new(unit: &str, goal: Goal) -> Self {
        Self {
            unit: unit.to_owned(),
            watch: Watch::new(goal),
            index: 0,
            asked: Instant::now(),
            took: None,
            told_step: None,
            homeless: None,
        }
    }

    /// For effects of a change that was decided already.
    pub(super) fn after(index: u64, unit: &str, goal: Goal) -> Self {
        Self { index, ..Self::new(unit, goal) }
    }

    fn waits(&self) -> bool {
        self.watch.verdict == Verdict::Waiting
    }

    pub(super) fn succeeded(&self) -> bool {
        self.watch.verdict == Verdict::Reached
    }
}

/// Why the waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Every job has its verdict.
    All,
    /// Ctrl-C.
    Interrupted,
    /// As many attempts as were allowed.
    GaveUp,
}

/// `attempts`: half seconds to wait at most; 0 is for ever.
pub(super) async fn until(
    context: &Context,
    jobs: &mut [Job],
    attempts: u32,
) -> Result<End, Failure> {
    let mut progress = Progress::new(context.json);
    let interrupted = tokio::signal::ctrl_c();
    let limit = async {
        match attempts {
            0 => std::future::pending().await,
            n => tokio::time::sleep(ATTEMPT * n).await,
        }
    };
    tokio::select! {
        result = watch(context, jobs, &mut progress) => result.map(|()| End::All),
        _ = interrupted => Ok(End::Interrupted),
        () = limit => Ok(End::GaveUp),
    }
}

async fn watch(
    context: &Context,
    jobs: &mut [Job],
    progress: &mut Progress,
) -> Result<(), Failure> {
    let mut index = jobs.iter().map(|job| job.index).min().unwrap_or(0);
    // Whose count the index is; at first it is of who has taken the request.
    let mut origin = String::new();
    let mut lost: Option<Instant> = None;
    while jobs.iter().any(Job::waits) {
        let stream = context.client.lines(&since(index, &origin)).await;
        let result = match stream {
            Ok(mut lines) => {
                refresh(context, jobs, progress, lost.take().is_some()).await?;
                read(context, &mut lines, jobs, progress, (&mut index, &mut origin)).await
            }
            Err(failure) => Err(failure),
        };
        if !jobs.iter().any(Job::waits) {
            break;
        }
        // The daemon went away: units do not mind, and neither do we for a while.
        let since = *lost.get_or_insert_with(|| {
            progress.note("fleetd went away; waiting for it");
            Instant::now()
        });
        if since.elapsed() > AWAY {
            return Err(match result {
                Err(failure) => failure,
                Ok(()) => Failure::new("wait for fleetd: it went away and did not come back"),
            });
        }
        tokio::time::sleep(RETRY).await;
    }
    Ok(())
}

fn since(index: u64, origin: &str) -> String {
    match origin {
        "" => format!("/v1/events?since={index}"),
        origin => format!("/v1/events?since={index}&origin={}", client::encode(origin)),
    }
}

/// Reads events until every job has its verdict or the stream ends.
async fn read(
    context: &Context,
    lines: &mut Lines,
    jobs: &mut [Job],
    progress: &mut Progress,
    (index, origin): (&mut u64, &mut String),
) -> Result<(), Failure> {
    while jobs.iter().any(Job::waits) {
        let event = match tokio::time::timeout(LONG_STEP, lines.next::<Event>()).await {
            Ok(event) => event?,
            Err(_) => {
                give_up_placing(jobs, progress);
                still_waits(jobs, progress);
                continue;
            }
        };
        give_up_placing(jobs, progress);
        let Some(event) = event else { return Ok(()) };
        if *origin == event.origin {
            *index = event.index.max(*index);
        } else {
            if !origin.is_empty() {
                // Another host counts for itself, and says first that something may be missing.
                jobs.iter_mut().for_each(|job| job.index = event.index);
            }
            (*index, *origin) = (event.index, event.origin.clone());
        }
        if event.kind == EventKind::Lagged {
            refresh(context, jobs, progress, true).await?;
            continue;
        }
        let job = jobs.iter_mut().find(|job| {
            event.unit.as_deref() == Some(&job.unit) && event.index > job.index && job.waits()
        });
        if let Some(job) = job {
            job.watch.event(&event.kind);
            job.homeless = match job.watch.current.as_ref().map(|(step, _)| step.as_str()) {
                Some(PLACE) => job.homeless.or(Some(Instant::now())),
                _ => None,
            };
            show(job, &event.kind, progress);
            settle(job, progress);
        }
    }
    Ok(())
}

/// Looks at the units as they are. `fresh`: what is seen is later than the request.
async fn refresh(
    context: &Context,
    jobs: &mut [Job],
    progress: &mut Progress,
    fresh: bool,
) -> Result<(), Failure> {
    let mut waiting: Vec<&mut Job> = jobs.iter_mut().filter(|job| job.waits()).collect();
    // One question for all of them: two hundred would keep fleetd from starting what they ask about.
    let known: Vec<Unit> = match waiting.as_slice() {
        [] => return Ok(()),
        [job] => context.unit(&job.unit).await?.into_iter().collect(),
        _ => context.units().await?,
    };
    let known: HashMap<&str, &Unit> = known.iter().map(|unit| (unit.name.as_str(), unit)).collect();
    for job in &mut waiting {
        match known.get(job.unit.as_str()) {
            Some(unit) => job.watch.state(&unit.state, fresh),
            None => job.watch.event(&EventKind::Destroyed),
        }
        settle(job, progress);
    }
    Ok(())
}

/// Says of units that no host takes that none does.
fn give_up_placing(jobs: &mut [Job], progress: &mut Progress) {
    for job in jobs.iter_mut().filter(|job| job.waits()) {
        let long = job.homeless.is_some_and(|since| since.elapsed() > PLACING);
        if let (true, Some((_, why))) = (long, job.watch.current.clone()) {
            job.watch.verdict = Verdict::Failed(why);
            settle(job, progress);
        }
    }
}

fn settle(job: &mut Job, progress: &mut Progress) {
    if !job.waits() && job.took.is_none() {
        job.took = Some(job.asked.elapsed());
        progress.end(&job.unit);
    }
}

fn show(job: &Job, kind: &EventKind, progress: &mut Progress) {
    match kind {
        EventKind::Step { step, message } => progress.waits(&job.unit, step, message),
        EventKind::Done { step, micros } => progress.done(&job.unit, step, *micros),
        EventKind::Warning { message } => progress.note(&format!("{}: {message}", job.unit)),
        EventKind::State { state } if job.waits() => {
            if let Some(message) = &state.message {
                progress.waits(&job.unit, &state.sub, message);
            }
        }
        _ => {}
    }
}

fn still_waits(jobs: &mut [Job], progress: &mut Progress) {
    for job in jobs.iter_mut().filter(|job| job.watch.verdict == Verdict::Waiting) {
        let state = job.watch.state.as_ref();
        let said = state.and_then(|state| Some((state.sub.clone(), state.message.clone()?)));
        let Some((step, message)) = job.watch.current.clone().or(said) else { continue };
        let line = format!("{step}{message}");
        if job.told_step.as_ref() != Some(&line) {
            progress.still_waits(&job.unit, &step, &message);
            job.told_step = Some(line);
        }
    }
}
