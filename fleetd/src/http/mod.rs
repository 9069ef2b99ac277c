//! The API on the unix socket: the routes of `fleetd-api`.
//!
//! It checks who asks and what is asked, proposes changes to [`crate::consensus`], and tells what the
//! agent's board, the events and the logs say. It starts and stops nothing itself.

mod events;
mod exec;
mod images;
mod listen;
mod logs;
mod machines;
mod problem;
mod stdio;
mod units;
mod why;

pub use listen::{bind, serve};

use crate::agent::Handle;
use crate::agent::context::Context;
use crate::consensus::Consensus;
use crate::consensus::leader::Settled;
use crate::core::cluster::Observed;
use crate::core::machine_id::MachineId;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, patch, post, put};
use fleetd_api::{MAX_UNIT_FILE, Machine, Problem, ProblemKind};
use problem::Answer;
use std::sync::Arc;
use tokio::sync::watch;

/// What the routes work with. The context is the agent's; routes only look at it.
pub struct Api {
    pub context: Arc<Context>,
    pub consensus: Consensus,
    pub agent: Handle,
    /// How far the leader is.
    pub settled: watch::Receiver<Settled>,
    pub observed: watch::Receiver<Arc<Observed>>,
    pub id: MachineId,
    pub machine: Machine,
}

type Shared = axum::extract::State<Arc<Api>>;

/// JSON makes up to six bytes of one, and drop-ins come along.
const MAX_BODY: usize = MAX_UNIT_FILE * 8;

pub fn router(api: Arc<Api>) -> Router {
    let small = Router::new()
        .route("/v1/version", get(machines::version))
        .route("/v1/machines", get(machines::list))
        .route("/v1/machines/{id}", patch(machines::change))
        .route("/v1/units", get(units::list))
        .route("/v1/units/{name}", get(units::show).put(units::submit).delete(units::destroy))
        .route("/v1/units/{name}/desired", put(units::desire))
        .route("/v1/units/{name}/replicas", put(units::scale))
        .route("/v1/units/{name}/restart", post(units::restart))
        .route("/v1/units/{name}/why", get(why::show))
        .route("/v1/units/{name}/logs", get(logs::lines))
        .route("/v1/units/{name}/exec", post(exec::upgrade))
        .route("/v1/events", get(events::stream))
        .route("/v1/images/pull", post(images::pull))
        .route("/v1/images/{*reference}", axum::routing::delete(images::remove))
        .layer(DefaultBodyLimit::max(MAX_BODY));
    // A tar archive is as long as it is; the store limits what it unpacks.
    let long = Router::new()
        .route("/v1/images", get(images::list).post(images::import))
        .layer(DefaultBodyLimit::disable());
    small
        .merge(long)
        .fallback(|| async { not_found() })
        .method_not_allowed_fallback(|| async { not_found() })
        .with_state(api)
}

fn not_found() -> Answer {
    Answer(Problem::new(ProblemKind::NotFound, "answer: there is no such route"))
}
