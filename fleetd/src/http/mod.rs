//! The API: the routes of `fleetd-api`, on the unix socket and on the hosts' port.
//!
//! It checks who asks and what is asked, proposes changes to [`crate::consensus`], and tells what the
//! agent's board, the events and the logs say. It starts and stops nothing itself.

mod events;
mod exec;
mod fleet;
mod images;
mod lead;
mod listen;
mod logs;
mod machines;
mod openapi;
mod peers;
mod plan;
mod problem;
mod rebalance;
mod recovery;
mod relay;
mod restore;
mod rotation;
mod secrets;
pub mod starting;
mod stdio;
mod units;
mod users;
mod why;

pub use listen::bind;

use crate::agent::Handle;
use crate::agent::context::Context;
use crate::consensus::leader::Settled;
use crate::consensus::{Consensus, Decision};
use crate::core::cluster::Observed;
use crate::core::decided::{Command, View};
use crate::core::machine_id::MachineId;
use crate::membership::{Links, earlier};
use crate::peer::Limits;
use crate::peer::access::{HostsMay, guard};
use crate::pki::Role;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, patch, post, put};
use fleetd_api::{MAX_UNIT_FILE, Machine, Problem, ProblemKind};
use problem::Answer;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

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
    /// None: a fleet of one.
    pub links: Option<Arc<Links>>,
    /// One host goes into one fleet.
    pub joining: Mutex<()>,
    /// fleetd is to start again: it is in another fleet.
    pub restart: CancellationToken,
}

impl Api {
    /// Decides it, unless a voter of an earlier version would be left behind.
    async fn propose(&self, command: Command) -> problem::Result<Decision> {
        self.can_be_read(&command)?;
        Ok(self.consensus.propose(command).await?)
    }

    /// Whether all voters could read that decision.
    fn can_be_read(&self, command: &Command) -> problem::Result<()> {
        if let Some(links) = &self.links
            && let Some(voter) = earlier::voter(links, &self.consensus.decided(), command)
        {
            let text =
                format!("decide it: voter {voter} runs an earlier fleetd, which could not read it");
            let problem = Problem::new(ProblemKind::Conflict, text);
            return Err(problem.hint("update fleetd there first").into());
        }
        Ok(())
    }
}

type Shared = axum::extract::State<Arc<Api>>;

/// JSON makes up to six bytes of one, and drop-ins come along.
const MAX_BODY: usize = MAX_UNIT_FILE * 8;

/// All that a fleet has decided.
const MAX_BACKUP: usize = 256 << 20;

/// Of users, behind the rules of who may use which.
pub fn router(api: Arc<Api>) -> Router {
    let (limits, hosts_may) = (Limits::default(), hosts_may(&api));
    let hosts = api.links.as_ref().map(|links| peers::router(api.clone(), links));
    let all = routes(api).merge(hosts.unwrap_or_default());
    let all = all
        .fallback(|| async { not_found() })
        .method_not_allowed_fallback(|| async { not_found() });
    guard(all, &limits, hosts_may)
}

/// Of those who want to join.
pub fn joining(api: Arc<Api>) -> Router {
    let hosts_may = hosts_may(&api);
    guard(peers::joining(api), &Limits::default(), hosts_may)
}

/// What may be asked on the account of a host's own users, by what this host knows now.
fn hosts_may(api: &Arc<Api>) -> HostsMay {
    let api = Arc::clone(api);
    Arc::new(move |host| match &api.links {
        Some(links) => links.view.borrow().may(host.unwrap_or(api.id)),
        None => Role::Admin,
    })
}

/// A decision about the fleet comes to this host with its set; it is not waited for longer.
const APPLIED: Duration = Duration::from_secs(5);

/// Until this host believes what was decided.
async fn applied(api: &Api, believes: impl FnMut(&Arc<View>) -> bool) {
    let Some(links) = &api.links else { return };
    let mut view = links.view.subscribe();
    if tokio::time::timeout(APPLIED, view.wait_for(believes)).await.is_err() {
        tracing::warn!("this host has not taken over what was decided after {APPLIED:?}");
    }
}

fn routes(api: Arc<Api>) -> Router {
    let by_leader = from_fn_with_state(api.clone(), lead::by_leader);
    let by_host = from_fn_with_state(api.clone(), lead::by_host);
    let leader = Router::new()
        .route("/v1/machines", get(machines::list))
        .route("/v1/machines/{id}", patch(machines::change).delete(machines::remove))
        .route("/v1/fleet/backup", get(restore::backup))
        .route("/v1/fleet/rotation", get(rotation::show).post(rotation::begin))
        .route("/v1/tokens", get(fleet::tokens).post(fleet::create_token))
        .route("/v1/tokens/{id}", delete(fleet::revoke_token))
        .route("/v1/secrets", get(secrets::list))
        .route("/v1/secrets/{name}", put(secrets::set).delete(secrets::remove))
        .route("/v1/users", get(users::list).post(users::create))
        .route("/v1/users/{name}", delete(users::revoke))
        .route("/v1/users/{name}/renew", post(users::renew))
        .route("/v1/fleet", patch(fleet::change))
        .route("/v1/plan", post(plan::plan))
        .route("/v1/changes", post(plan::change))
        .route("/v1/rebalance", get(rebalance::show).post(rebalance::move_one))
        .route("/v1/units", get(units::list))
        .route("/v1/units/{name}", get(units::show).put(units::submit).delete(units::destroy))
        .route("/v1/units/{name}/desired", put(units::desire))
        .route("/v1/units/{name}/replicas", put(units::scale))
        .route("/v1/units/{name}/restart", post(units::restart))
        .route("/v1/units/{name}/why", get(why::show))
        .route("/v1/events", get(events::stream))
        .route_layer(by_leader);
    let host = Router::new()
        .route("/v1/units/{name}/logs", get(logs::lines))
        .route("/v1/units/{name}/exec", post(exec::upgrade))
        .route_layer(by_host);
    let here = Router::new()
        .route("/v1/version", get(machines::version))
        .route("/v1/openapi.json", get(openapi::show))
        .route("/v1/fleet", get(fleet::show))
        .route("/v1/fleet/init", post(fleet::init))
        .route("/v1/fleet/join", post(fleet::join))
        .route("/v1/fleet/recovery", get(recovery::show).post(recovery::recover))
        .route("/v1/relay/{id}", post(relay::connect))
        .route("/v1/images/pull", post(images::pull))
        .route("/v1/images/{*reference}", delete(images::remove));
    let small = leader.merge(host).merge(here).layer(DefaultBodyLimit::max(MAX_BODY));
    // A tar archive is as long as it is; the store limits what it unpacks.
    let long = Router::new()
        .route("/v1/images", get(images::list).post(images::import))
        .layer(DefaultBodyLimit::disable());
    let backups = Router::new()
        .route("/v1/fleet/restore", post(restore::restore))
        .layer(DefaultBodyLimit::max(MAX_BACKUP));
    small.merge(long).merge(backups).with_state(api)
}

fn not_found() -> Answer {
    Answer(Problem::new(ProblemKind::NotFound, "answer: there is no such route"))
}
