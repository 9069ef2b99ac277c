//! This host, and the version.

use super::Shared;
use axum::Json;
use axum::extract::State;
use fleetd_api::{Machine, Version};

/// Of the API.
const API: u32 = 1;

pub(super) async fn version() -> Json<Version> {
    Json(Version { version: env!("CARGO_PKG_VERSION").to_owned(), api: API })
}

pub(super) async fn list(State(api): Shared) -> Json<Vec<Machine>> {
    Json(vec![api.machine.clone()])
}
