//! What an earlier fleetd left: runs that go on, runs that have ended, and the rest.
//!
//! The run's directory says what it is, its cgroup whether it lives, its supervisor how it is.

use super::cgroup::Cgroups;
use super::context::now;
use super::place::{Place, remove_tree};
use super::supervisor::{ExitRecord, State, Supervisor};
use crate::core::run::{RunId, RunRecord};
use crate::sentence::cause;
use fleetd_api::ExitReason;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// Written before anything else of a run is made.
pub const RECORD: &str = "run.json";
const EXIT: &str = "exit.json";

/// A supervisor that was started and has no socket after this is broken.
const SOCKET_APPEARS: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_millis(50);

/// A run of this boot that an earlier fleetd began.
#[derive(Debug)]
pub struct Found {
    pub record: RunRecord,
    /// Whether a process of it lives.
    pub alive: bool,
}

/// Reads what is there and removes what belongs to no run: directories of an earlier boot or
/// without a record, cgroups and layers without a directory.
pub async fn scan(place: &Place, cgroups: &Cgroups, boot_id: &str) -> Result<Vec<Found>, String> {
    let mut found = Vec::new();
    for name in names(&place.runs())? {
        let directory = place.runs().join(&name);
        let record = RunId::parse(&name).and_then(|run| read_record(&directory, &run));
        match record {
            Some(record) if record.boot_id == boot_id => {
                let alive = cgroups.populated(record.run.as_str());
                found.push(Found { record, alive });
            }
            // Nothing of an earlier boot lives. Without a record nothing else was made yet.
            _ => remove_tree(&directory)?,
        }
    }
    let known: BTreeSet<&str> = found.iter().map(|found| found.record.run.as_str()).collect();
    for run in cgroups.runs()? {
        if !known.contains(run.as_str()) {
            cgroups.remove_run(&run).await?;
        }
    }
    for layer in names(&place.layers())? {
        if !known.contains(layer.as_str()) {
            remove_tree(&place.layers().join(layer))?;
        }
    }
    Ok(found)
}

fn names(directory: &Path) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(directory)
        .map_err(|e| format!("list {}: {}", directory.display(), cause(&e)))?;
    Ok(entries.filter_map(Result::ok).filter_map(|e| e.file_name().into_string().ok()).collect())
}

fn read_record(directory: &Path, run: &RunId) -> Option<RunRecord> {
    let bytes = std::fs::read(directory.join(RECORD)).ok()?;
    let record: RunRecord = serde_json::from_slice(&bytes).ok()?;
    (record.run == *run).then_some(record)
}

/// What a supervisor says about its run; none: there is no supervisor any more.
pub async fn state(place: &Place, cgroups: &Cgroups, run: &RunId) -> Result<Option<State>, String> {
    let directory = place.run(run);
    let ask = async {
        loop {
            match Supervisor::connect(&directory).await {
                Ok(mut supervisor) => match supervisor.state().await {
                    Ok(state) => return Some(state),
                    Err(error) => tracing::debug!("{run}: {error}"),
                },
                Err(error) => tracing::debug!("{run}: {error}"),
            }
            if !cgroups.populated(run.as_str()) {
                return None;
            }
            // It has just been started.
            tokio::time::sleep(RETRY).await;
        }
    };
    match tokio::time::timeout(SOCKET_APPEARS, ask).await {
        Ok(state) => Ok(state),
        Err(_) => Err(format!("adopt {run}: its supervisor does not answer")),
    }
}

/// Waits for the end of a run: by its supervisor's word, its exit record, or its empty cgroup.
pub async fn ended(
    place: &Place,
    cgroups: &Cgroups,
    boot_id: &str,
    run: &RunId,
) -> (ExitReason, u64) {
    let directory = place.run(run);
    loop {
        if let Ok(mut supervisor) = Supervisor::connect(&directory).await
            && let Ok(record) = supervisor.wait().await
        {
            return (record.reason(), record.finished);
        }
        if let Some(record) = exit_record(&directory, boot_id) {
            return (record.reason(), record.finished);
        }
        if !cgroups.populated(run.as_str()) {
            // Once more: the record may have come between the two looks.
            return match exit_record(&directory, boot_id) {
                Some(record) => (record.reason(), record.finished),
                None => (lost(), now()),
            };
        }
        tokio::time::sleep(RETRY).await;
    }
}

fn exit_record(directory: &Path, boot_id: &str) -> Option<ExitRecord> {
    let bytes = std::fs::read(directory.join(EXIT)).ok()?;
    let record: ExitRecord = serde_json::from_slice(&bytes).ok()?;
    // The supervisor writes it as the kernel does, with hyphens; ours is systemd's form, without.
    (record.boot_id.replace('-', "") == boot_id).then_some(record)
}

/// The end of a run that nobody saw.
pub fn lost() -> ExitReason {
    let error = "its supervisor was killed, and the container with it".to_owned();
    ExitReason { code: None, signal: None, oom: false, error: Some(error) }
}
