//! `GET /v1/units/NAME/logs`.

use super::Shared;
use super::events::lines as answer;
use super::problem::{Result, internal};
use super::units::{checked, known, unknown};
use crate::logs;
use crate::sentence::cause;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use tokio::sync::mpsc;

#[derive(Deserialize)]
pub(super) struct Wanted {
    lines: Option<usize>,
    #[serde(default)]
    follow: bool,
}

/// Lines on their way to a reader that is slower than the log.
const AHEAD: usize = 256;

pub(super) async fn lines(
    State(api): Shared,
    Path(name): Path<String>,
    query: std::result::Result<Query<Wanted>, QueryRejection>,
) -> Result<Response> {
    let name = checked(&name)?;
    let Query(wanted) = query?;
    if !known(&api, &name) {
        return Err(unknown(&name));
    }
    let directory = api.context.place.logs(name.as_str());
    if !wanted.follow {
        let found = tokio::task::spawn_blocking(move || logs::tail(&directory, wanted.lines)).await;
        let found = found.map_err(internal)?;
        let found = found.map_err(|e| internal(format!("read logs of {name}: {}", cause(&e))))?;
        return Ok(answer(move |mut out| async move {
            for line in &found {
                if !out.send(line).await {
                    return;
                }
            }
        }));
    }
    let (sender, mut receiver) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        if let Err(error) = logs::follow(directory, wanted.lines, sender).await {
            tracing::warn!("follow logs of {name}: {error}");
        }
    });
    Ok(answer(move |mut out| async move {
        loop {
            let line = tokio::select! {
                line = receiver.recv() => line,
                () = out.closed() => return,
            };
            match line {
                Some(line) if out.send(&line).await => {}
                _ => return,
            }
        }
    }))
}
