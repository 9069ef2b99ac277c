//! Images: list, import, pull, remove.

use super::Shared;
use super::problem::{Answer, Result, internal};
use crate::core::cluster::Seen;
use crate::image::{ImageInfo, PullOptions};
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use fleetd_api::{EventKind, Image, Problem, ProblemKind, Pull};
use futures_util::TryStreamExt;
use serde::Deserialize;
use tokio_util::io::{StreamReader, SyncIoBridge};

pub(super) async fn list(State(api): Shared) -> Result<Json<Vec<Image>>> {
    let images = api.context.images.clone();
    let listed = tokio::task::spawn_blocking(move || images.list()).await.map_err(internal)??;
    let used = api.agent.board.images();
    let observed = api.observed.borrow().clone();
    let with_units = |info: ImageInfo| {
        let used_by = used.get(&info.digest).cloned().unwrap_or_default();
        let of = |seen: &Seen, name| seen.images.as_ref().is_some_and(|all| all.contains(name));
        let holds = |seen: &Seen| info.names.iter().any(|name| of(seen, name));
        let held = observed.machines.iter().filter(|(id, seen)| **id == api.id || holds(seen));
        let machines = held.map(|(id, _)| id.to_string()).collect();
        Image { used_by, machines, ..image(info) }
    };
    Ok(Json(listed.into_iter().map(with_units).collect()))
}

#[derive(Deserialize)]
pub(super) struct Named {
    #[serde(default)]
    name: String,
}

pub(super) async fn import(
    State(api): Shared,
    query: std::result::Result<Query<Named>, QueryRejection>,
    body: Body,
) -> Result<Json<Image>> {
    let Query(Named { name }) = query?;
    let images = api.context.images.clone();
    // The store reads while the archive arrives; nothing is kept of one that breaks off.
    let stream = body.into_data_stream().map_err(std::io::Error::other);
    let reader = SyncIoBridge::new(StreamReader::new(stream));
    let imported = tokio::task::spawn_blocking(move || images.import(reader, &name)).await;
    Ok(Json(told(&api, imported.map_err(internal)??)))
}

pub(super) async fn pull(
    State(api): Shared,
    body: std::result::Result<Json<Pull>, JsonRejection>,
) -> Result<Json<Image>> {
    let Json(Pull { reference, insecure, username, password }) = body?;
    let options = PullOptions { insecure, username, password, ..PullOptions::default() };
    let info = api.context.images.pull(&reference, options, |_| {}).await?;
    Ok(Json(told(&api, info)))
}

pub(super) async fn remove(State(api): Shared, Path(reference): Path<String>) -> Result<()> {
    if reference.is_empty() {
        let text = "remove image: it is not named";
        return Err(Answer(Problem::new(ProblemKind::Invalid, text)));
    }
    let (images, used) = (api.context.images.clone(), api.agent.board.images());
    let removed = tokio::task::spawn_blocking(move || images.remove(&reference, &used)).await;
    Ok(removed.map_err(internal)??)
}

/// What an import left out or found odd goes to whoever listens to events.
fn told(api: &super::Api, info: ImageInfo) -> Image {
    for message in &info.warnings {
        let kind = EventKind::Warning { message: message.clone() };
        api.context.events.publish(crate::agent::context::now(), None, kind);
    }
    image(info)
}

fn image(info: ImageInfo) -> Image {
    let ImageInfo { names, digest, size, layers, imported, .. } = info;
    let (used_by, machines) = (Vec::new(), Vec::new());
    Image { names, digest, size, layers, imported, used_by, machines }
}
