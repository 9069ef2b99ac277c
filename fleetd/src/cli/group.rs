//! What a fleetd is made of beside its agent: the group that decides, what connects it with other hosts,
//! and what its routes work with.

use crate::agent::assignments::Assignments;
use crate::agent::context::Context;
use crate::agent::place::Place;
use crate::agent::{self, sight};
use crate::consensus::leader::{self, Settled};
use crate::consensus::news;
use crate::consensus::{self, Consensus};
use crate::core::decided::FORM;
use crate::core::machine_id::MachineId;
use crate::host;
use crate::http::{self, Api};
use crate::membership::identity::Identity;
use crate::membership::said::Capacity;
use crate::membership::{Links, links, newest, part, recovery};
use crate::peer::{self, Limits};
use crate::sentence::cause;
use crate::store::{self, Opened};
use axum::Router;
use fleetd_api::{Machine, Role, Status};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

/// The group of this host: of a fleet of one, or with what it needs to be one of others.
pub(crate) struct Group {
    pub(crate) consensus: Consensus,
    pub(crate) opened: Opened,
    pub(crate) fleet: Option<InFleet>,
}

pub(crate) struct InFleet {
    group: links::Group,
    identity: Identity,
}

impl Group {
    pub(crate) async fn start(place: &Place) -> Result<Self, String> {
        let database = place.database();
        let identity = Identity::read(place)?;
        consensus::until_there_is_room(&database).await;
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
        has_its_votes(&database, identity.machine)?;
        recovery::give_up(place, &identity)?;
        let set = Assignments::open(place, identity.machine).subscribe().borrow().clone();
        let group = links::Group::start(&database, &identity, &set).await?;
        let (consensus, opened) = (group.consensus.clone(), group.opened.clone());
        Ok(Self { consensus, opened, fleet: Some(InFleet { group, identity }) })
    }

    /// What this host is to run, as it is known so far.
    pub(crate) async fn assignments(&self, place: &Place) -> Result<Arc<Assignments>, String> {
        let (id, consensus) = (self.opened.machine_id.parse()?, &self.consensus);
        let assignments = Arc::new(Assignments::open(place, id));
        if self.fleet.is_none() {
            consensus.join(id).await.map_err(|e| e.to_string())?;
        }
        if consensus.leads() {
            consensus.rise_above(assignments.index()).await.map_err(|e| e.to_string())?;
        }
        Ok(assignments)
    }

    /// Begins everything that goes on beside the agent.
    pub(crate) async fn connect(
        self,
        context: Arc<Context>,
        agent: agent::Handle,
        assignments: Arc<Assignments>,
    ) -> Result<Arc<Api>, String> {
        let Self { consensus, opened, fleet } = self;
        let id: MachineId = opened.machine_id.parse()?;
        let machine = machine(&context, opened.machine_id);
        tokio::spawn(assignments.clone().follow(consensus.clone()));
        tokio::spawn(assignments.clone().keep_all());
        let restart = CancellationToken::new();
        let confirms = |links| newest::confirm(links, consensus.clone(), assignments.clone());
        let (links, observed) = match fleet {
            Some(fleet) => {
                let links = fleet.link(assignments.index()).await?;
                let sets = assignments.subscribe();
                let seat = links.seat.clone();
                tokio::spawn(recovery::watch(consensus.clone(), seat, sets, restart.clone()));
                tokio::spawn(confirms(Some(links.clone())));
                let capacity = capacity(&context, &machine);
                let observed =
                    part::take_part(&links, &consensus, &context, &agent, &assignments, capacity)
                        .await;
                (Some(links), observed)
            }
            None => {
                tokio::spawn(confirms(None));
                let progress = agent.progress.clone();
                (None, sight::of_itself(&context, id, progress, consensus.disks()))
            }
        };
        let (settle, settled) = watch::channel(Settled::default());
        tokio::spawn(leader::lead(consensus.clone(), observed.clone(), settle));
        tokio::spawn(news::tell_of_ends(context.clone(), consensus.changes()));
        tokio::spawn(news::tell_of_unplaced(context.clone(), settled.clone()));
        let joining = Mutex::default();
        Ok(Arc::new(Api {
            context,
            consensus,
            agent,
            settled,
            observed,
            id,
            machine,
            links,
            joining,
            restart,
        }))
    }
}

/// A host that has forgotten whom it has voted for could do so a second time, and what was acknowledged be
/// lost. It has a database since before it joined.
fn has_its_votes(database: &Path, machine: MachineId) -> Result<(), String> {
    if database.exists() {
        return Ok(());
    }
    Err(format!(
        "open {}: it is gone, and with it how this host has voted in its fleet (no container was stopped; \
         on another host: fleetctl remove-machine {machine}, then join with a new state directory)",
        database.display()
    ))
}

/// Until what runs is shown: nobody may ask before.
pub(crate) async fn shown(api: &Api) {
    let newest = api.consensus.decided().sets.get(&api.id).copied().unwrap_or(0);
    let mut progress = api.agent.progress.clone();
    // An agent that ended is told of elsewhere.
    let _ = progress.wait_for(|progress| progress.index >= newest).await;
}

impl InFleet {
    async fn link(self, obeyed: u64) -> Result<Arc<Links>, String> {
        self.group.link(self.identity, obeyed).await
    }
}

/// Listens on the port for the others of a fleet, and gives what answers them.
pub(crate) async fn serve_hosts(
    api: &Arc<Api>,
    links: &Links,
    router: Router,
    stop: &CancellationToken,
) -> Result<impl Future<Output = ()> + Send + use<>, String> {
    let address = links.bind.to_string();
    let listener = peer::listen(&address, &links.credentials, Limits::default()).await?;
    tracing::info!("listening on {address} for the hosts of the fleet");
    Ok(peer::listen::serve(listener, router, http::joining(api.clone()), stop.clone()))
}

/// What this host says of itself to the others.
fn capacity(context: &Context, machine: &Machine) -> Capacity {
    Capacity {
        facts: sight::offers(context),
        hostname: context.host.hostname.clone(),
        version: machine.version.clone(),
        decides: FORM,
        tells_images: true,
        lacks: machine.lacks.clone(),
    }
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
