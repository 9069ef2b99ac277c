//! The daemon: opens what it needs, takes over what runs, answers until it is ended.

use super::Daemon;
use crate::agent::assignments::Assignments;
use crate::agent::cgroup::Cgroups;
use crate::agent::context::{Context, now};
use crate::agent::launcher::Launcher;
use crate::agent::network::Network;
use crate::agent::place::make_private;
use crate::agent::{Agent, adopt, sight};
use crate::consensus::Consensus;
use crate::consensus::leader::{self, Settled};
use crate::consensus::news;
use crate::core::machine_id::MachineId;
use crate::events::Events;
use crate::http::{self, Api};
use crate::image;
use crate::sentence::cause;
use crate::store::Opened;
use crate::{host, notify_systemd};
use fleetd_api::Machine;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, mpsc, watch};

/// Containers that are being created at once.
const CREATING: usize = 16;

pub(super) fn run(arguments: &Daemon) -> Result<(), String> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|e| format!("start: {}", cause(&e)))?;
    let result = runtime.block_on(serve(arguments));
    // Work that is under way is the next fleetd's.
    runtime.shutdown_background();
    result
}

async fn serve(arguments: &Daemon) -> Result<(), String> {
    // First: whoever ends us before we are ready gets an orderly end, too.
    let handler = |kind| signal(kind).map_err(|e| format!("handle signals: {}", cause(&e)));
    let (mut terminate, mut interrupt) =
        (handler(SignalKind::terminate())?, handler(SignalKind::interrupt())?);
    let place = arguments.where_.place()?;
    let _lock = super::lock::lock(&place)?;
    for directory in [place.runs(), place.lives(), place.layers(), place.all_logs()] {
        make_private(&directory)?;
    }
    let (consensus, opened) = Consensus::start(&place.database(), &host::new_machine_id()?).await?;
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
        images,
        network,
        launcher,
        events: Events::new(now()),
        host: facts,
        cpus: host::cpus(),
        allow_unenforced_limits: arguments.allow_unenforced_limits,
        creating: Semaphore::new(CREATING),
        messages,
    });
    let id: MachineId = machine_id.parse()?;
    consensus.join(id).await.map_err(|e| e.to_string())?;
    let assignments = Assignments::open(&place, id);
    let obeyed = assignments.subscribe().borrow().index;
    consensus.rise_above(obeyed).await.map_err(|e| e.to_string())?;
    let (mut agent, handle) =
        Agent::new(context.clone(), assignments.subscribe(), machine_id.clone(), incarnation);
    agent.adopt(found).await;
    let machine = machine(&context, machine_id);
    let mut shown = handle.progress.clone();
    let agent = tokio::spawn(agent.run(queue));
    tokio::spawn(assignments.follow(consensus.clone()));
    let (settle, settled) = watch::channel(Settled::default());
    let observed = sight::of_itself(&context, id, handle.progress.clone());
    tokio::spawn(leader::lead(consensus.clone(), observed.clone(), settle));
    tokio::spawn(news::tell_of_ends(context.clone(), consensus.changes()));
    tokio::spawn(news::tell_of_unplaced(context.clone(), settled.clone()));
    let api = Api { context, consensus, agent: handle, settled, observed, id, machine };
    let api = Arc::new(api);
    // Nobody may ask before what runs is shown. An agent that ended is told of below.
    let newest = api.consensus.decided().sets.get(&id).copied().unwrap_or(0);
    let _ = shown.wait_for(|progress| progress.index >= newest).await;
    let listener = http::bind(&place.socket())?;
    let server = tokio::spawn(http::serve(listener, http::router(api)));
    tracing::info!("listening on {}", place.socket().display());
    notify_systemd::notify("READY=1").map_err(|e| format!("notify systemd: {}", cause(&e)))?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        ended = agent => Err(format!("the agent ended: {}", reason(ended.map(|()| String::new())))),
        ended = server => Err(format!("the server ended: {}", reason(ended.map(|e| format!("{e:?}"))))),
    }
}

fn reason(ended: Result<String, tokio::task::JoinError>) -> String {
    ended.unwrap_or_else(|e| e.to_string())
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
        cordoned: false,
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
