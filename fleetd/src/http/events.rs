//! `GET /v1/events`: what happens, a line each, without end.

use super::Shared;
use super::problem::Result;
use crate::agent::context::now;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use fleetd_api::EventKind;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;

#[derive(Deserialize)]
pub(super) struct Filter {
    since: Option<u64>,
    origin: Option<String>,
    unit: Option<String>,
    follow: Option<bool>,
}

pub(super) async fn stream(
    State(api): Shared,
    query: std::result::Result<Query<Filter>, QueryRejection>,
) -> Result<Response> {
    let Query(filter) = query?;
    let mut reader = api.context.events.reader(filter.since, filter.origin.as_deref());
    let wanted = move |event: &fleetd_api::Event| {
        matches!(event.kind, EventKind::Lagged)
            || filter.unit.as_ref().is_none_or(|unit| event.unit.as_ref() == Some(unit))
    };
    let follow = filter.follow.unwrap_or(true);
    Ok(lines(move |mut out| async move {
        if !follow {
            for event in reader.now(now()).iter().filter(|event| wanted(event)) {
                if !out.send(event.as_ref()).await {
                    return;
                }
            }
            return;
        }
        loop {
            let events = tokio::select! {
                events = reader.next(now()) => events,
                () = out.closed() => return,
                // Another host hears more from now on: ask again.
                () = api.consensus.leads_not() => return,
            };
            for event in events.iter().filter(|event| wanted(event)) {
                if !out.send(event.as_ref()).await {
                    return;
                }
            }
        }
    }))
}

/// An answer of JSON lines, written by the task as they come.
pub(super) fn lines<F, W>(write: F) -> Response
where
    F: FnOnce(Out) -> W,
    W: Future<Output = ()> + Send + 'static,
{
    let (writer, reader) = tokio::io::duplex(64 * 1024);
    tokio::spawn(write(Out(writer)));
    let body = Body::from_stream(ReaderStream::new(reader));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

/// The writing end of an answer.
pub(super) struct Out(tokio::io::DuplexStream);

/// How often it is looked whether the client is still there while nothing happens.
const LOOK: Duration = Duration::from_secs(15);

impl Out {
    /// False: nobody reads any more.
    pub(super) async fn send(&mut self, value: &impl Serialize) -> bool {
        let Ok(mut line) = serde_json::to_vec(value) else { return false };
        line.push(b'\n');
        self.0.write_all(&line).await.is_ok()
    }

    /// Returns when nobody reads any more. An empty line now and then shows it.
    pub(super) async fn closed(&mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            if self.0.write_all(b"\n").await.is_err() {
                return;
            }
        }
    }
}
