//! The start of one run, step by step. What fails takes back what was made.

use super::context::{Context, now};
use super::message::{Running, What};
use super::place::{make_private, write_whole};
use super::{clear, prepare};
use crate::core::oci::{self, limits};
use crate::core::reconcile::StartError;
use crate::core::restart;
use crate::core::run::{RECORD_VERSION, RunId, RunRecord};
use crate::core::unit::container::{ContainerUnit, ServiceType};
use crate::sentence::cause;
use crate::sys::spawn::Child;
use fleetd_api::{EventKind, StepTime};
use serde::Deserialize;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::watch;

/// A run that is to be.
#[derive(Clone)]
pub struct Plan {
    pub run: RunId,
    pub unit: Arc<ContainerUnit>,
    pub hash: String,
    pub order: u64,
    pub source: String,
}

/// Starts the run and tells the agent how it went. `cancel` turns true when it is not wanted any
/// more; that is heard until the container is being made.
pub async fn start(context: Arc<Context>, plan: Plan, cancel: watch::Receiver<bool>) {
    let unit = plan.unit.name.clone();
    let run = plan.run.clone();
    match begin(&context, plan, cancel).await {
        Ok(running) => context.tell(&unit, &run, What::Running(Box::new(running))),
        Err((error, kind)) => context.tell(&unit, &run, What::StartFailed { error, kind }),
    }
}

async fn begin(
    context: &Arc<Context>,
    plan: Plan,
    cancel: watch::Receiver<bool>,
) -> Result<Running, (String, StartError)> {
    let mut record = record(context, &plan).map_err(|error| (error, StartError::Fault))?;
    let started = async {
        write_record(context, &record)?;
        let mut steps = Steps { context, unit: &plan.unit.name, taken: Vec::new() };
        let parts = prepare::parts(&mut steps, &plan, &record, cancel).await?;
        let launched = launch(&mut steps, &plan, &mut record, parts).await?;
        Ok((launched, steps.taken))
    };
    let started: Result<_, Fault> = started.await;
    match started {
        Ok((pid, steps)) => {
            record.steps = steps;
            // For whoever comes after us; the run itself does not need it.
            if let Err(error) = write_record(context, &record) {
                tracing::warn!("{error}");
            }
            let ready = plan.unit.service.kind != ServiceType::Notify;
            Ok(Running { record, pid, since: context.clock.now(), ready })
        }
        Err(fault) => {
            clear::undo(context, &record).await;
            Err(match fault {
                Fault::Cancelled => {
                    ("start: it is not wanted any more".to_owned(), StartError::Cancelled)
                }
                Fault::Failed(error) => (error, StartError::Fault),
            })
        }
    }
}

/// Why a run did not come to be.
#[derive(Debug)]
pub enum Fault {
    Cancelled,
    Failed(String),
}

impl From<String> for Fault {
    fn from(error: String) -> Self {
        Self::Failed(error)
    }
}

/// What is known before anything is made.
fn record(context: &Context, plan: &Plan) -> Result<RunRecord, String> {
    let unit = &plan.unit;
    let unenforced = limits::unenforced(&unit.limits, &context.cgroups.controllers);
    if let (Some(first), false) = (unenforced.first(), context.allow_unenforced_limits) {
        return Err(format!("limit {first} (fleetd --allow-unenforced-limits starts it without)"));
    }
    Ok(RunRecord {
        version: RECORD_VERSION,
        boot_id: context.host.boot_id.clone(),
        run: plan.run.clone(),
        unit: unit.name.clone(),
        hash: plan.hash.clone(),
        order: plan.order,
        source: plan.source.clone(),
        begun: now(),
        image: None,
        config: None,
        endpoint: prepare::endpoint(unit, &plan.run)?,
        address: None,
        unenforced,
        process: None,
        steps: Vec::new(),
    })
}

pub(super) fn write_record(context: &Context, record: &RunRecord) -> Result<(), String> {
    let directory = context.place.run(&record.run);
    make_private(&directory)?;
    let bytes =
        serde_json::to_vec(record).map_err(|e| format!("write run record: {}", cause(&e)))?;
    write_whole(&directory.join(super::adopt::RECORD), &bytes)
}

/// Takes the time of each step and tells of it.
pub struct Steps<'a> {
    pub context: &'a Arc<Context>,
    pub unit: &'a str,
    taken: Vec<StepTime>,
}

impl Steps<'_> {
    pub fn begin(&self, step: &str, message: impl Into<String>) -> Instant {
        let kind = EventKind::Step { step: step.to_owned(), message: message.into() };
        self.context.event(self.unit, kind);
        Instant::now()
    }

    pub fn done(&mut self, step: &str, took: Duration) {
        let micros = restart::micros(took);
        self.taken.push(StepTime { step: step.to_owned(), micros });
        self.context.event(self.unit, EventKind::Done { step: step.to_owned(), micros });
    }
}

/// Writes config.json, starts the supervisor and waits until the program runs.
async fn launch(
    steps: &mut Steps<'_>,
    plan: &Plan,
    record: &mut RunRecord,
    parts: prepare::Parts,
) -> Result<i32, Fault> {
    let context = steps.context.clone();
    let _turn = context.creating.acquire().await.map_err(|e| e.to_string())?;
    let began = steps.begin("root", format!("mounts the root of {}", plan.unit.image));
    let prepared = {
        let (context, plan, parts) = (context.clone(), plan.clone(), parts);
        tokio::task::spawn_blocking(move || prepare::root(&context, &plan, parts))
    };
    let prepared = prepared.await.map_err(|e| format!("mount root: {}", cause(&e)))??;
    record.image = Some(prepared.digest.clone());
    record.config = Some(prepared.image.clone());
    record.address = prepared.address.map(|a| a.to_string());
    let directory = context.place.run(&plan.run);
    let destinations: Vec<&str> =
        prepared.mounts.iter().filter(|m| m.ours).map(|m| m.destination.as_str()).collect();
    let config = oci::config(&oci::Input {
        unit: &plan.unit,
        image: &prepared.image,
        user: &prepared.user,
        run: plan.run.as_str(),
        environment: &prepared.environment,
        files: &destinations,
        cgroup: &context.cgroups.payload_path(plan.run.as_str()),
        controllers: &context.cgroups.controllers,
        cpus: context.cpus,
    })?;
    record.process = config.get("process").cloned();
    let bytes =
        serde_json::to_vec(&config).map_err(|e| format!("write config.json: {}", cause(&e)))?;
    write_whole(&directory.join("config.json"), &bytes)?;
    write_record(&context, record)?;
    steps.done("root", began.elapsed());
    let began = steps.begin("create", "makes the container");
    let pid = create(&context, plan, prepared, steps).await?;
    steps.done("create", began.elapsed());
    Ok(pid)
}

/// The line that comes over `--ready-fd`.
#[derive(Deserialize)]
struct Ready {
    pid: Option<i32>,
    #[serde(default)]
    steps: Vec<ReadyStep>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct ReadyStep {
    step: String,
    micros: u64,
}

async fn create(
    context: &Arc<Context>,
    plan: &Plan,
    prepared: prepare::Prepared,
    steps: &mut Steps<'_>,
) -> Result<i32, Fault> {
    let (read, write) =
        nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC | nix::fcntl::OFlag::O_NONBLOCK)
            .map_err(|e| format!("make pipe: {}", cause(e)))?;
    let child = {
        let (context, plan) = (context.clone(), plan.clone());
        tokio::task::spawn_blocking(move || spawn(&context, &plan, &prepared, &write))
    };
    let child = child.await.map_err(|e| format!("start supervisor: {}", cause(&e)))??;
    let ended = reap(child).map_err(|e| format!("watch supervisor: {}", cause(&e)))?;
    let mut line = String::new();
    let mut pipe = pipe::Receiver::from_owned_fd(read)
        .map_err(|e| format!("read --ready-fd: {}", cause(&e)))?;
    pipe.read_to_string(&mut line).await.map_err(|e| format!("read --ready-fd: {}", cause(&e)))?;
    if line.is_empty() {
        // It ended without a word: its last one is on stderr.
        let _ = ended.await;
        let words = context.place.run(&plan.run).join(STDERR);
        let words = std::fs::read_to_string(words).unwrap_or_default();
        let last = words.lines().last().unwrap_or("it ended without a word");
        return Err(Fault::Failed(format!("start supervisor: {last}")));
    }
    let ready: Ready = serde_json::from_str(&line)
        .map_err(|e| format!("read the supervisor's word: {}", cause(&e)))?;
    if let Some(error) = ready.error {
        return Err(Fault::Failed(error));
    }
    for step in ready.steps {
        steps.taken.push(StepTime { step: format!("create/{}", step.step), micros: step.micros });
    }
    ready.pid.ok_or_else(|| Fault::Failed("start supervisor: it gave no pid".to_owned()))
}

/// What the supervisor says outside its protocol, such as a panic.
const STDERR: &str = "stderr";
const LOG_BYTES: &str = "10485760";
const LOG_FILES: &str = "4";

fn spawn(
    context: &Context,
    plan: &Plan,
    prepared: &prepare::Prepared,
    ready: &OwnedFd,
) -> Result<Child, String> {
    let run = plan.run.as_str();
    let directory = context.place.run(&plan.run);
    let log = context.place.log(&plan.unit.name, &plan.run);
    make_private(&log)?;
    let cgroup = context.cgroups.make_run(run)?;
    let stderr = directory.join(STDERR);
    let stderr =
        File::create(&stderr).map_err(|e| format!("create {}: {}", stderr.display(), cause(&e)))?;
    let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
    let mut keep: Vec<BorrowedFd> = vec![ready.as_fd(), prepared.root.as_fd()];
    let mut arguments = Arguments(vec!["ocirun".to_owned()]);
    arguments.option("--root", text(&context.place.run_dir.join("ocirun")));
    arguments.0.push("supervise".to_owned());
    arguments.option("--bundle", text(&directory));
    arguments.option("--run-dir", text(&directory));
    arguments.option("--log-dir", text(&log));
    arguments.option("--log-max-size", LOG_BYTES);
    arguments.option("--log-max-files", LOG_FILES);
    arguments.option("--cgroup", context.cgroups.supervisor_path(run));
    // For its own SIGTERM, which it gets when the host goes down.
    let (signal, patience) = super::stop_words(Some(&plan.unit), Some(&prepared.image));
    arguments.option("--stop-signal", signal.to_string());
    arguments.option("--stop-timeout-ms", patience.map_or("never".to_owned(), |ms| ms.to_string()));
    arguments.option("--ready-fd", ready.as_raw_fd().to_string());
    arguments.option("--rootfs-fd", prepared.root.as_raw_fd().to_string());
    if let Some(namespace) = &prepared.network {
        arguments.option("--netns-fd", namespace.as_raw_fd().to_string());
        keep.push(namespace.as_fd());
    }
    if let Some(notify) = &prepared.notify {
        arguments.option("--notify-fd", notify.as_raw_fd().to_string());
        keep.push(notify.as_fd());
    }
    for mount in &prepared.mounts {
        let value = format!("{}={}", mount.destination, mount.tree.as_raw_fd());
        arguments.option("--mount-fd", value);
        keep.push(mount.tree.as_fd());
    }
    arguments.0.push(run.to_owned());
    context.launcher.start(&arguments.0, &cgroup, &stderr, &keep)
}

struct Arguments(Vec<String>);

impl Arguments {
    fn option(&mut self, name: &str, value: impl Into<String>) {
        self.0.extend([name.to_owned(), value.into()]);
    }
}

/// Reaps the supervisor when it ends, if we still live then.
fn reap(child: Child) -> std::io::Result<tokio::task::JoinHandle<()>> {
    let watch = crate::sys::watch::watch(child.pidfd, tokio::io::Interest::READABLE)?;
    Ok(tokio::spawn(async move {
        if watch.readable().await.is_ok()
            && let Err(e) = crate::sys::process::reap(watch.get_ref())
        {
            tracing::warn!("reap supervisor {}: {}", child.pid, cause(&e));
        }
    }))
}
