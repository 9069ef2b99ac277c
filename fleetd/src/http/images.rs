//! Images: list, import, pull, remove.

use super::problem::{Answer, Result, internal};
use super::{Api, Shared};
use crate::core::gossip::{Kind, Record};
use crate::core::machine_id::MachineId;
use crate::image::{ImageInfo, PullOptions};
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use fleetd_api::{EventKind, Image, Problem, ProblemKind, Pull};
use futures_util::TryStreamExt;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use tokio_util::io::{StreamReader, SyncIoBridge};

pub(super) async fn list(State(api): Shared) -> Result<Json<Vec<Image>>> {
    let images = api.context.images.clone();
    let listed = tokio::task::spawn_blocking(move || images.list()).await.map_err(internal)??;
    let used = api.agent.board.images();
    let holders = holders(&api);
    let with_units = |info: ImageInfo| {
        let used_by = used.get(&info.digest).cloned().unwrap_or_default();
        let held = info.names.iter().filter_map(|name| holders.get(name)).flatten();
        let machines: BTreeSet<MachineId> = held.copied().chain([api.id]).collect();
        let machines = machines.iter().map(ToString::to_string).collect();
        Image { used_by, machines, ..image(info) }
    };
    Ok(Json(listed.into_iter().map(with_units).collect()))
}

/// Who has an image of each name, as this host hears. A voter knows which hosts there are, and takes the
/// word of no other; the rest of the fleet has to believe what is said.
fn holders(api: &Api) -> BTreeMap<String, BTreeSet<MachineId>> {
    let mut holders: BTreeMap<String, BTreeSet<MachineId>> = BTreeMap::new();
    let observed = api.observed.borrow();
    for (id, seen) in &observed.machines {
        for name in seen.images.iter().flat_map(|names| names.iter()) {
            holders.entry(name.clone()).or_default().insert(*id);
        }
    }
    if observed.machines.is_empty()
        && let Some(links) = &api.links
    {
        let said = links.gossip.records(None, Kind::Image).into_iter();
        for Record { key, .. } in said.filter(|record| record.value.is_some()) {
            holders.entry(key.name).or_default().insert(key.host);
        }
    }
    holders
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
