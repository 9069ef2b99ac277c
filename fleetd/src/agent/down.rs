//! `fleetd down`: stops every container of this fleetd and removes every trace of its runs.

use super::adopt::{self, Found};
use super::cgroup::{Cgroups, remove_below};
use super::place::{Place, remove_tree};
use super::supervisor::Supervisor;
use crate::sentence::cause;
use netd_api::{Call, Document, Request};
use std::path::Path;

/// What a program gets to end by itself.
const PATIENCE_MS: u64 = 5_000;

/// Goes on after an error and gives all of them.
pub async fn down(place: &Place, cgroups: &Cgroups, netd: &Path, boot_id: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let found = if place.runs().exists() {
        adopt::scan(place, cgroups, boot_id).await.unwrap_or_else(|error| {
            errors.push(error);
            Vec::new()
        })
    } else {
        Vec::new()
    };
    let stops = found.iter().filter(|found| found.alive).map(|found| {
        let directory = place.run(&found.record.run);
        tokio::spawn(async move {
            let mut supervisor = Supervisor::connect(&directory).await?;
            supervisor.stop(Some((libc::SIGTERM, Some(PATIENCE_MS)))).await
        })
    });
    for stop in stops.collect::<Vec<_>>() {
        // What does not answer is killed with its cgroup.
        if let Ok(Err(error)) = stop.await {
            tracing::debug!("{error}");
        }
    }
    for Found { record, .. } in &found {
        let run = record.run.as_str();
        let removed = match cgroups.remove_run(run).await {
            Ok(()) => remove_tree(&place.layer(&record.run)),
            Err(error) => Err(error),
        };
        errors.extend(removed.err());
    }
    if let Err(error) = detach_all(netd).await {
        // netd that comes later is told by the next fleetd, or taken down itself.
        tracing::info!("{error}");
    }
    let rest = [place.runs(), place.lives(), place.layers(), place.all_logs()];
    let rest = rest.into_iter().chain(["root", "ocirun"].map(|name| place.run_dir.join(name)));
    errors.extend(rest.filter_map(|path| remove_tree(&path).err()));
    let _ = std::fs::remove_file(place.socket());
    let parent = cgroups.parent_directory();
    if parent.exists() && cgroups.runs().is_ok_and(|runs| runs.is_empty()) {
        // A parent of systemd's has its keeper in it, and stays.
        if let Err(error) = remove_below(&parent) {
            tracing::info!("{error}");
        }
    }
    errors
}

async fn detach_all(netd: &Path) -> Result<(), String> {
    let fail = |e: std::io::Error| format!("tell netd: {}: {}", netd.display(), cause(&e));
    let mut lines = super::line::Lines::connect(netd).await.map_err(fail)?;
    let call = Call::Apply { document: Document::default() };
    lines.send(&Request::from(call), &[]).await.map_err(fail)?;
    lines.receive::<netd_api::Reply>().await.map(|_| ()).map_err(fail)
}
