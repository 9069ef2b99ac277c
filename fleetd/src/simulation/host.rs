//! One host: its fleetd, from its beginning until the host crashes or it is to begin again.

use super::world::{say, with};
use super::{agent, draw};
use crate::agent::assignments::Assignments;
use crate::agent::cgroup::Cgroups;
use crate::agent::clock::Clock;
use crate::agent::context::{Context, now};
use crate::agent::launcher::Launcher;
use crate::agent::network::Network;
use crate::agent::place::{Place, make_private};
use crate::cli::group::{self, Group};
use crate::core::machine_id::MachineId;
use crate::core::unit::HostFacts;
use crate::events::Events;
use crate::http::{self, Api};
use crate::peer::Via;
use crate::store::Opened;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use rand::RngExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The most hosts of a fleet.
pub(super) const COUNT: usize = 8;
/// What is under way may end before a fleetd begins again.
const ANSWERED: Duration = Duration::from_millis(500);

pub(super) fn id(number: usize) -> MachineId {
    MachineId(0x1000_0000_0000_0000_0000_0000_0000_0000 + number as u128)
}

pub(super) fn name(number: usize) -> String {
    format!("h{number}")
}

/// What a fleetd answers: its status, and what it says.
pub(super) type Answer = (StatusCode, Vec<u8>);
type Told = Box<dyn FnOnce(Answer) + Send>;

/// Somebody on the host asks its fleetd.
pub(super) struct Order {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: Vec<u8>,
    /// Not called where the fleetd dies before it answers.
    pub(super) told: Told,
}

/// Why a fleetd is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Over {
    /// It is to begin again at once.
    Again,
    Failed(String),
}

/// What is known of a host's fleetd.
#[derive(Default)]
pub(super) struct Fleetd {
    pub(super) place: Option<Place>,
    /// While it answers.
    pub(super) api: Option<Arc<Api>>,
    pub(super) orders: Option<mpsc::UnboundedSender<Order>>,
    pub(super) over: Option<Over>,
    /// Runs of which the agent is to hear something.
    pub(super) news: Vec<(String, u64)>,
    pub(super) told: Arc<Notify>,
    /// The assignments as they are safe on disk.
    pub(super) synced: Option<Vec<u8>>,
}

impl Fleetd {
    /// Its assignments are on disk now.
    pub(super) fn sync(&mut self) {
        let place = self.place.as_ref().unwrap();
        self.synced = std::fs::read(place.assignments()).ok();
    }

    /// The power is gone, and with it what was not synced, or not.
    pub(super) fn lose_unsynced(&self) {
        let place = self.place.as_ref().unwrap();
        if draw(|rng| rng.random_bool(0.5)) {
            return;
        }
        match &self.synced {
            Some(synced) => std::fs::write(place.assignments(), synced).unwrap(),
            None => drop(std::fs::remove_file(place.assignments())),
        }
    }
}

/// The software of a simulated host.
pub(super) async fn live(number: usize) -> turmoil::Result {
    let over = match run(number).await {
        Ok(()) => Over::Again,
        Err(error) => Over::Failed(error),
    };
    say(format_args!("h{number}: its fleetd is over: {over:?}"));
    with(|world| world.fleetds[number].over = Some(over));
    std::future::pending().await
}

async fn run(number: usize) -> Result<(), String> {
    let place = with(|world| world.fleetds[number].place.clone()).ok_or("no place")?;
    for directory in [place.runs(), place.lives(), place.layers(), place.all_logs()] {
        make_private(&directory)?;
    }
    let group = Group::start(&place).await?;
    let Opened { incarnation, .. } = group.opened;
    say(format_args!("h{number} begins, the {incarnation}. time"));
    let assignments = group.assignments(&place).await?;
    let context = Arc::new(context(number, &place, (&group, &assignments))?);
    let agent = agent::begin(number, &context, &assignments);
    let api = group.connect(context, agent, assignments).await?;
    group::shown(&api).await;
    let (router, stop) = (http::router(api.clone()), CancellationToken::new());
    let mut servers = JoinSet::new();
    if let Some(links) = &api.links {
        servers.spawn(group::serve_hosts(&api, links, router.clone(), &stop).await?);
    }
    let (orders, mut queue) = mpsc::unbounded_channel();
    with(|world| {
        let fleetd = &mut world.fleetds[number];
        (fleetd.api, fleetd.orders) = (Some(api.clone()), Some(orders));
    });
    loop {
        tokio::select! {
            Some(order) = queue.recv() => drop(tokio::spawn(answer(router.clone(), order))),
            () = api.restart.cancelled() => {
                tokio::time::sleep(ANSWERED).await;
                return Ok(());
            }
            Some(ended) = servers.join_next() => return Err(format!("a server ended: {ended:?}")),
        }
    }
}

/// As root asks on the unix socket.
async fn answer(router: Router, order: Order) {
    let Order { method, path, body, told } = order;
    let request = Request::builder().method(method).uri(path);
    let request = request.header(header::CONTENT_TYPE, "application/json");
    let mut request = request.body(Body::from(body)).unwrap();
    request.extensions_mut().insert(Via::Local { uid: 0 });
    let answer = hyper_util::service::TowerToHyperService::new(router);
    let answer = hyper::service::Service::call(&answer, request).await.unwrap();
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
    told((status, body.map(|body| body.to_vec()).unwrap_or_default()));
}

fn context(
    number: usize,
    place: &Place,
    (group, assignments): (&Group, &Arc<Assignments>),
) -> Result<Context, String> {
    let boot = with(|world| world.hosts[number].boot);
    let host = HostFacts {
        machine_id: id(number).to_string(),
        boot_id: format!("{boot:032x}"),
        hostname: name(number),
        kernel_release: "6.1".to_owned(),
        architecture: "x86-64".to_owned(),
        memory: 1 << 30,
        tasks: 1000,
    };
    let (mount, parent, controllers) = (PathBuf::new(), String::new(), Vec::new());
    Ok(Context {
        place: place.clone(),
        assignments: assignments.clone(),
        cgroups: Cgroups { mount, parent, controllers },
        clock: Clock::open(place, &host.boot_id),
        images: crate::image::Store::open(&place.images()).map_err(|e| e.to_string())?,
        network: Network::idle(),
        launcher: Launcher::idle(),
        events: Events::new(&host.hostname, now()),
        own: group.fleet.is_some().then(|| Events::new(&host.hostname, now())),
        host,
        cpus: 2,
        allow_unenforced_limits: true,
        creating: Semaphore::new(1),
        messages: mpsc::unbounded_channel().0,
    })
}

/// Where all files are: in memory, if there is such a place. Always as long: it is in messages.
pub(super) fn root() -> PathBuf {
    let shared = PathBuf::from("/dev/shm");
    let parent = if shared.is_dir() { shared } else { std::env::temp_dir() };
    parent.join(format!("flotilla-simulation-{:010}", std::process::id()))
}

/// Where a host's files are.
pub(super) fn place(number: usize) -> Place {
    let root = root().join(name(number));
    Place { run_dir: root.join("run"), state_dir: root.join("state") }
}
