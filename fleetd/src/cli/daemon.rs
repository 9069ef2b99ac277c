//! The daemon: opens what it needs, takes over what runs, answers until it is ended.

use super::Daemon;
use crate::agent::assignments::Assignments;
use crate::agent::cgroup::Cgroups;
use crate::agent::clock::Clock;
use crate::agent::context::{Context, now};
use crate::agent::launcher::Launcher;
use crate::agent::network::Network;
use crate::agent::place::{Place, make_private};
use crate::agent::{Agent, adopt, sight};
use crate::consensus::Consensus;
use crate::consensus::leader::{self, Settled};
use crate::consensus::news;
use crate::core::machine_id::MachineId;
use crate::events::Events;
use crate::http::{self, Api};
use crate::image;
use crate::membership::identity::Identity;
use crate::membership::said::Capacity;
use crate::membership::{Links, links, newest, part, recovery, twin};
use crate::peer::{self, Limits};
use crate::sentence::cause;
use crate::store::{self, Opened};
use crate::{host, notify_systemd};
use fleetd_api::{Machine, Role, Status};
use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Containers that are being created at once.
const CREATING: usize = 16;

/// Why the daemon ends.
enum End {
    Told,
    /// It is in another fleet than at its start.
    Again,
}

pub(super) fn run(arguments: &Daemon) -> Result<(), String> {
    // After a start from /proc/self/exe it would be called `exe` in everybody's list of processes. It is only a name.
    let _ = rustix::thread::set_name(c"fleetd");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|e| format!("start: {}", cause(&e)))?;
    let result = runtime.block_on(serve(arguments));
    // Work that is under way is the next fleetd's.
    runtime.shutdown_background();
    match result? {
        End::Told => Ok(()),
        End::Again => Err(format!("start again: {}", cause(again()))),
    }
}

/// The same program in the same process, from its beginning: locks and sockets close with it.
fn again() -> std::io::Error {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| "fleetd".into());
    std::process::Command::new("/proc/self/exe").arg0(name).args(arguments).exec()
}

async fn serve(arguments: &Daemon) -> Result<End, String> {
    // First: whoever ends us before we are ready gets an orderly end, too.
    let handler = |kind| signal(kind).map_err(|e| format!("handle signals: {}", cause(&e)));
    let (mut terminate, mut interrupt) =
        (handler(SignalKind::terminate())?, handler(SignalKind::interrupt())?);
    let place = arguments.where_.place()?;
    let _lock = super::lock::lock(&place)?;
    for directory in [place.runs(), place.lives(), place.layers(), place.all_logs()] {
        make_private(&directory)?;
    }
    let Group { consensus, opened, fleet } = Group::start(&place).await?;
    let Opened { machine_id, incarnation } = opened;
    let images = image::Store::open(&place.images()).map_err(|e| e.to_string())?;
    let cgroups = Cgroups::prepare(&arguments.where_.cgroup_parent)?;
    let launcher = Launcher::prepare(&ocirun(arguments)?, &place, &cgroups)?;
    let facts = host::facts(&machine_id)?;
    let found = adopt::scan(&place, &cgroups, &facts.boot_id).await?;
    // What is alive keeps its endpoint; what is not loses it with the first list.
    let alive = found.iter().filter(|found| found.alive);
    let endpoints = alive.filter_map(|found| found.record.endpoint.clone()).collect();
    let network = Network::start(arguments.where_.netd_socket.clone(), endpoints);
    let (messages, queue) = mpsc::unbounded_channel();
    let context = Arc::new(Context {
        place: place.clone(),
        cgroups,
        clock: Clock::open(&place, &facts.boot_id),
        images,
        network,
        launcher,
        events: Events::new(short(&machine_id), now()),
        own: fleet.is_some().then(|| Events::new(short(&machine_id), now())),
        host: facts,
        cpus: host::cpus(),
        allow_unenforced_limits: arguments.allow_unenforced_limits,
        creating: Semaphore::new(CREATING),
        messages,
    });
    let id: MachineId = machine_id.parse()?;
    let assignments = Arc::new(Assignments::open(&place, id));
    if fleet.is_none() {
        consensus.join(id).await.map_err(|e| e.to_string())?;
    }
    if consensus.leads() {
        consensus.rise_above(assignments.index()).await.map_err(|e| e.to_string())?;
    }
    let (mut agent, handle) =
        Agent::new(context.clone(), &assignments, machine_id.clone(), incarnation);
    agent.adopt(found).await;
    let machine = machine(&context, machine_id);
    let mut shown = handle.progress.clone();
    let agent = tokio::spawn(agent.run(queue));
    tokio::spawn(assignments.clone().follow(consensus.clone()));
    tokio::spawn(assignments.clone().keep_all());
    let restart = CancellationToken::new();
    let confirms = |links| newest::confirm(links, consensus.clone(), assignments.clone());
    let (links, observed) = match fleet {
        Some(fleet) => {
            let links = fleet.link(assignments.index()).await?;
            let sets = assignments.subscribe();
            tokio::spawn(recovery::watch(consensus.clone(), sets, restart.clone()));
            tokio::spawn(confirms(Some(links.clone())));
            let capacity = capacity(&context, &machine);
            let observed =
                part::take_part(&links, &consensus, &context, &handle, &assignments, capacity)
                    .await;
            (Some(links), observed)
        }
        None => {
            tokio::spawn(confirms(None));
            let progress = handle.progress.clone();
            (None, sight::of_itself(&context, id, progress, consensus.disks()))
        }
    };
    let (settle, settled) = watch::channel(Settled::default());
    tokio::spawn(leader::lead(consensus.clone(), observed.clone(), settle));
    tokio::spawn(news::tell_of_ends(context.clone(), consensus.changes()));
    tokio::spawn(news::tell_of_unplaced(context.clone(), settled.clone()));
    let api = Arc::new(Api {
        context,
        consensus,
        agent: handle,
        settled,
        observed,
        id,
        machine,
        links,
        joining: Mutex::default(),
        restart: restart.clone(),
    });
    // Nobody may ask before what runs is shown. An agent that ended is told of below.
    let newest = api.consensus.decided().sets.get(&id).copied().unwrap_or(0);
    let _ = shown.wait_for(|progress| progress.index >= newest).await;
    let stop = CancellationToken::new();
    let twin_of = api.links.clone();
    let mut servers = serve_all(&api, &place, &stop).await?;
    // Who started fleetd may have stopped listening when it starts again by itself.
    if let Err(error) = notify_systemd::notify("READY=1") {
        tracing::warn!("notify systemd: {}", cause(&error));
    }
    tokio::select! {
        _ = terminate.recv() => Ok(End::Told),
        _ = interrupt.recv() => Ok(End::Told),
        () = restart.cancelled() => {
            stop.cancel();
            // What is under way is answered, above all what has asked for this.
            let answered = async { while servers.join_next().await.is_some() {} };
            let _ = tokio::time::timeout(ANSWERED, answered).await;
            Ok(End::Again)
        }
        fault = twin(twin_of) => Err(fault),
        ended = agent => Err(format!("the agent ended: {}", reason(ended))),
        Some(ended) = servers.join_next() => Err(format!("a server ended: {}", reason(ended))),
    }
}

/// Until another machine with this host's id is found.
async fn twin(links: Option<Arc<Links>>) -> String {
    match links {
        Some(links) => twin::found(links).await,
        None => std::future::pending().await,
    }
}

/// What is under way when fleetd starts again may take so long.
const ANSWERED: Duration = Duration::from_secs(2);

/// The unix socket, and the port for the others of a fleet.
async fn serve_all(
    api: &Arc<Api>,
    place: &Place,
    stop: &CancellationToken,
) -> Result<JoinSet<()>, String> {
    let mut servers = JoinSet::new();
    let router = http::router(api.clone());
    if let Some(links) = &api.links {
        let address = links.bind.to_string();
        let listener = peer::listen(&address, &links.credentials, Limits::default()).await?;
        let (router, join) = (router.clone(), http::joining(api.clone()));
        servers.spawn(peer::listen::serve(listener, router, join, stop.clone()));
        tracing::info!("listening on {address} for the hosts of the fleet");
    }
    let listener = http::bind(&place.socket())?;
    servers.spawn(peer::local::serve(listener, None, router, Limits::default(), stop.clone()));
    tracing::info!("listening on {}", place.socket().display());
    Ok(servers)
}

/// The group of this host: of a fleet of one, or with what it needs to be one of others.
struct Group {
    consensus: Consensus,
    opened: Opened,
    fleet: Option<InFleet>,
}

struct InFleet {
    group: links::Group,
    identity: Identity,
}

impl Group {
    async fn start(place: &Place) -> Result<Self, String> {
        let database = place.database();
        let identity = Identity::read(place)?;
        recovery::go_on(place, identity.as_ref())?;
        let Some(mut identity) = identity else {
            let (consensus, opened) = Consensus::start(&database, &host::new_machine_id()?).await?;
            if consensus.decided().fleet.is_some() {
                tracing::warn!(
                    "this host has founded a fleet, and its identity.json is gone: it is alone \
                     until `fleetctl init` makes another"
                );
            }
            return Ok(Self { consensus, opened, fleet: None });
        };
        if identity.fresh {
            store::forget(&database).map_err(|e| e.to_string())?;
            match std::fs::remove_file(place.assignments()) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    let path = place.assignments();
                    return Err(format!("remove {}: {}", path.display(), cause(&e)));
                }
                _ => {}
            }
            identity.fresh = false;
            identity.write(place)?;
        }
        recovery::give_up(place, &identity)?;
        // A newer one has come with a set.
        let view = Assignments::open(place, identity.machine).subscribe().borrow().view.clone();
        let group = links::Group::start(&database, &identity, view).await?;
        let (consensus, opened) = (group.consensus.clone(), group.opened.clone());
        Ok(Self { consensus, opened, fleet: Some(InFleet { group, identity }) })
    }
}

impl InFleet {
    async fn link(self, obeyed: u64) -> Result<Arc<Links>, String> {
        self.group.link(self.identity, obeyed).await
    }
}

fn short(machine: &str) -> &str {
    machine.get(..8).unwrap_or(machine)
}

/// What this host says of itself to the others.
fn capacity(context: &Context, machine: &Machine) -> Capacity {
    Capacity {
        facts: sight::offers(context),
        hostname: context.host.hostname.clone(),
        version: machine.version.clone(),
        lacks: machine.lacks.clone(),
    }
}

fn reason(ended: Result<(), tokio::task::JoinError>) -> String {
    ended.map_or_else(|e| e.to_string(), |()| "by itself".to_owned())
}

fn machine(context: &Context, id: String) -> Machine {
    let wanted = ["cpu", "memory", "pids"].into_iter();
    let missing = wanted.filter(|name| !context.cgroups.controllers.iter().any(|c| c == name));
    Machine {
        id,
        ip: host::address().map(|address| address.to_string()),
        metadata: BTreeMap::new(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        lacks: missing.map(|name| format!("cgroup2 has no {name} controller")).collect(),
        disk_full: false,
        cordoned: false,
        draining: false,
        status: Status::Alive,
        role: Role::Leader,
        units: Vec::new(),
    }
}

/// The runtime that is named, or the one beside this program.
fn ocirun(arguments: &Daemon) -> Result<PathBuf, String> {
    if let Some(runtime) = &arguments.runtime {
        return Ok(runtime.clone());
    }
    let own = std::env::current_exe().map_err(|e| format!("find this program: {}", cause(&e)))?;
    Ok(own.with_file_name("ocirun"))
}
