//! How fast units come to the hosts of a large fleet, in one process.
//!
//! Real: five voters (as a fleet of so many hosts has) with their databases and Raft's messages as JSON, the leader that makes instances and gives
//! places, signed sets as voters hand them out, and what each host does with its own: verified, read, on disk, published.
//! Stub: the wire (a call instead of TLS), gossip (a host looks at the facts of a voter where it would be told of them),
//! the agent behind the set, which says at once that all of it runs.
//!
//! `cargo bench -p fleetd --bench fleet [-- --json]`

#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use fleetd::agent::assignments::Assignments;
use fleetd::agent::place::Place;
use fleetd::consensus::leader::{self, Settled};
use fleetd::consensus::raft::Voter;
use fleetd::consensus::raft::network::{Rpc, Wire, answer};
use fleetd::consensus::{Consensus, Form, voters};
use fleetd::core::cluster::{Facts, Observed, Seen};
use fleetd::core::decided::{AssignmentSet, Command, machine, unit};
use fleetd::core::machine_id::MachineId;
use fleetd::core::obey;
use fleetd::core::schedule::Resources;
use fleetd::membership::{found, sets};
use fleetd_api::DesiredState;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

const HOSTS: u32 = 100;
const VOTERS: u32 = 5;
const UNITS: usize = 1000;
const ROUNDS: usize = 5;

/// The voters, by id.
#[derive(Clone, Default)]
struct Calls(Arc<RwLock<BTreeMap<MachineId, Consensus>>>);

impl Wire for Calls {
    async fn call(
        &self,
        to: MachineId,
        _: &Voter,
        rpc: Rpc,
        message: Vec<u8>,
    ) -> io::Result<Vec<u8>> {
        let raft = self.0.read().unwrap().get(&to).and_then(Consensus::raft);
        let raft = raft.ok_or_else(|| io::Error::other("it is not there"))?;
        answer(&raft, rpc, &message).await
    }
}

/// A directory that goes with the benchmark.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn main() {
    let scratch = std::env::temp_dir().join(format!("flotilla-fleet-{}", std::process::id()));
    let scratch = Scratch(scratch);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let times = runtime.block_on(measure(&scratch.0));
    if std::env::args().any(|word| word == "--json") {
        println!("{}", serde_json::json!({ "name": name(), "samples": times }));
    } else {
        println!("{}: {times:.3?} s", name());
    }
    runtime.shutdown_background();
}

fn name() -> String {
    format!("{UNITS} replicas over {HOSTS} simulated hosts")
}

/// Seconds of each round, from the submission until every set has come to its host.
async fn measure(scratch: &Path) -> Vec<f64> {
    let (show, observed) = watch::channel(Arc::new(Observed::default()));
    let voters = group(scratch, &observed).await;
    let leader = voters[0].clone();
    let there = watch::Sender::new(0);
    let view = leader.decided().view().unwrap();
    for number in 0..HOSTS {
        let host = Host {
            id: id(number),
            place: place(scratch, number),
            voter: voters[number as usize % voters.len()].clone(),
            signer: view.signer.clone(),
        };
        tokio::spawn(host.run(show.clone(), there.clone()));
    }
    let mut decided = leader.changes();
    while !(0..VOTERS).all(|number| leader.has_voter(id(number))) {
        // What is decided tells of most steps towards it.
        let _ = tokio::time::timeout(Duration::from_millis(100), decided.changed()).await;
    }
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        leader.propose(submit()).await.unwrap();
        until(&there, UNITS).await;
        times.push(began.elapsed().as_secs_f64());
        let unit = NAME.to_owned();
        leader.propose(unit::Command::Destroy { unit }.into()).await.unwrap();
        until(&there, 0).await;
        let mut changes = leader.changes();
        changes.wait_for(|decided| decided.units.is_empty()).await.unwrap();
    }
    times
}

async fn until(there: &watch::Sender<usize>, units: usize) {
    let all = async { there.subscribe().wait_for(|there| *there == units).await.map(|_| ()) };
    tokio::time::timeout(Duration::from_secs(60), all).await.unwrap().unwrap();
}

const NAME: &str = "web@.container";

fn submit() -> Command {
    let text = format!("[Container]\nImage=hello\n[X-Fleet]\nReplicas={UNITS}\n");
    let submit = unit::Command::Submit {
        unit: NAME.to_owned(),
        hash: "1".to_owned(),
        text,
        drop_ins: BTreeMap::new(),
        replace: false,
        desired: Some(DesiredState::Launched),
        made_from: None,
        secrets: Default::default(),
    };
    submit.into()
}

fn id(number: u32) -> MachineId {
    MachineId(u128::from(number) + 1)
}

fn place(scratch: &Path, number: u32) -> Place {
    let state_dir = scratch.join(format!("h{number}"));
    std::fs::create_dir_all(&state_dir).unwrap();
    Place { run_dir: state_dir.clone(), state_dir }
}

/// A fleet of all hosts. Gives those that are to decide; the first one leads.
async fn group(scratch: &Path, observed: &watch::Receiver<Arc<Observed>>) -> Vec<Consensus> {
    let wire = Calls::default();
    for number in 0..VOTERS {
        let form = if number == 0 { Form::Alone } else { Form::Member };
        let database = place(scratch, number).database();
        let own = id(number).to_string();
        let (voter, _) = Consensus::start_by(&database, &own, wire.clone(), form).await.unwrap();
        wire.0.write().unwrap().insert(id(number), voter);
    }
    let leader = wire.0.read().unwrap()[&id(0)].clone();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let address = "127.0.0.1:7400".parse().unwrap();
    found::found(&leader, &place(scratch, 0), id(0), address, now).await.unwrap();
    for number in 1..HOSTS {
        let (machine, address) = (id(number), format!("127.0.0.1:{}", 7400 + number));
        leader
            .propose(machine::Command::Join { machine, address, key: None }.into())
            .await
            .unwrap();
    }
    tokio::spawn(voters::look_after(leader.clone(), observed.clone()));
    let (settle, _) = watch::channel(Settled::default());
    tokio::spawn(leader::lead(leader, observed.clone(), settle));
    wire.0.read().unwrap().values().cloned().collect()
}

struct Host {
    id: MachineId,
    place: Place,
    voter: Consensus,
    signer: String,
}

impl Host {
    /// Takes set after set; `there` counts the units of all hosts.
    async fn run(self, show: watch::Sender<Arc<Observed>>, there: watch::Sender<usize>) {
        let assignments = Assignments::open(&self.place, self.id);
        self.tell(&AssignmentSet::default(), &show);
        let mut changes = self.voter.changes();
        let mut before = 0;
        loop {
            let have = assignments.index();
            let newer = |set: Option<&u64>| set.is_some_and(|index| *index > have);
            if changes.wait_for(|decided| newer(decided.sets.get(&self.id))).await.is_err() {
                // The group ends with the benchmark.
                return;
            }
            let Some(signed) = sets::give(&self.voter, self.id, have, None).await.unwrap() else {
                continue;
            };
            // As it comes over the wire.
            let signed = serde_json::to_vec(&signed).unwrap();
            let signed: fleetd::pki::signed::Signed = serde_json::from_slice(&signed).unwrap();
            assignments.offer(obey::read(&signed, [self.signer.as_str()], self.id, have).unwrap());
            let set = assignments.subscribe().borrow().clone();
            let wanted = set.units.values().filter(|unit| !unit.entry.destroyed).count();
            self.tell(&set, &show);
            there.send_modify(|there| *there = *there - before + wanted);
            before = wanted;
        }
    }

    /// What the leader sees of this host: all that it is to run does.
    fn tell(&self, set: &AssignmentSet, show: &watch::Sender<Arc<Observed>>) {
        let capacity = Resources { cpu: 32_000, memory: 128 << 30, tasks: 100_000 };
        let facts = Some(Facts { capacity, ..Facts::default() });
        let runs = set.units.iter().filter(|(_, unit)| !unit.entry.destroyed);
        let runs = runs.map(|(name, _)| name.clone()).collect();
        let seen = Seen {
            alive: true,
            lost: false,
            facts,
            obeys: set.index,
            kept: set.index,
            runs,
            images: Default::default(),
            authority: None,
        };
        show.send_modify(|observed| {
            Arc::make_mut(observed).machines.insert(self.id, seen);
        });
    }
}
