//! The daemon: opens what it needs, takes over what runs, answers until it is ended.

use super::Daemon;
use super::group::{self, Group};
use super::starting;
use crate::agent::cgroup::Cgroups;
use crate::agent::clock::Clock;
use crate::agent::context::{Context, now};
use crate::agent::launcher::Launcher;
use crate::agent::network::Network;
use crate::agent::place::{Place, make_private};
use crate::agent::{Agent, adopt};
use crate::events::Events;
use crate::http::{self, Api};
use crate::image;
use crate::membership::{Links, twin};
use crate::peer::{self, Limits};
use crate::sentence::cause;
use crate::store::Opened;
use crate::{host, notify_systemd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, mpsc};
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
    let group = tokio::select! {
        group = starting::answered_for(&place, Group::start(&place)) => group?,
        _ = terminate.recv() => return Ok(End::Told),
        _ = interrupt.recv() => return Ok(End::Told),
    };
    let Opened { machine_id, incarnation } = group.opened.clone();
    let images = image::Store::open(&place.images()).map_err(|e| e.to_string())?;
    let cgroups = Cgroups::prepare(&arguments.where_.cgroup_parent)?;
    let launcher = Launcher::prepare(&ocirun(arguments)?, &place, &cgroups)?;
    let facts = host::facts(&machine_id)?;
    let found = adopt::scan(&place, &cgroups, &facts.boot_id).await?;
    // What is alive keeps its endpoint; what is not loses it with the first list.
    let alive = found.iter().filter(|found| found.alive);
    let endpoints = alive.filter_map(|found| found.record.endpoint.clone()).collect();
    let network = Network::start(arguments.where_.netd_socket.clone(), endpoints);
    let assignments = group.assignments(&place).await?;
    let (messages, queue) = mpsc::unbounded_channel();
    let context = Arc::new(Context {
        place: place.clone(),
        assignments: assignments.clone(),
        cgroups,
        clock: Clock::open(&place, &facts.boot_id),
        images,
        network,
        launcher,
        events: Events::new(short(&machine_id), now()),
        own: group.fleet.is_some().then(|| Events::new(short(&machine_id), now())),
        host: facts,
        cpus: host::cpus(),
        allow_unenforced_limits: arguments.allow_unenforced_limits,
        creating: Semaphore::new(CREATING),
        messages,
    });
    let (mut agent, handle) =
        Agent::new(context.clone(), &assignments, machine_id.clone(), incarnation);
    agent.adopt(found).await;
    let agent = tokio::spawn(agent.run(queue));
    let api = group.connect(context, handle, assignments).await?;
    group::shown(&api).await;
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
        () = api.restart.cancelled() => {
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
        let hosts = group::serve_hosts(api, links, router.clone(), stop).await?;
        servers.spawn(hosts);
    }
    let listener = http::bind(&place.socket())?;
    servers.spawn(peer::local::serve(listener, None, router, Limits::default(), stop.clone()));
    tracing::info!("listening on {}", place.socket().display());
    Ok(servers)
}

fn short(machine: &str) -> &str {
    machine.get(..8).unwrap_or(machine)
}

fn reason(ended: Result<(), tokio::task::JoinError>) -> String {
    ended.map_or_else(|e| e.to_string(), |()| "by itself".to_owned())
}

/// The runtime that is named, or the one beside this program.
fn ocirun(arguments: &Daemon) -> Result<PathBuf, String> {
    if let Some(runtime) = &arguments.runtime {
        return Ok(runtime.clone());
    }
    let own = std::env::current_exe().map_err(|e| format!("find this program: {}", cause(&e)))?;
    Ok(own.with_file_name("ocirun"))
}
