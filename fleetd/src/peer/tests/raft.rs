//! Groups whose members speak over real connections.

use super::fixture::*;
use crate::consensus::raft::network::{Rpc, Wire};
use crate::consensus::raft::node::Node;
use crate::consensus::raft::tests::Dir;
use crate::consensus::raft::{Group, Voter};
use crate::core::decided::{Command, Decided, unit as decided_unit};
use crate::core::machine_id::MachineId;
use crate::peer::access::guard;
use crate::peer::client::{Client, Limits as ClientLimits};
use crate::peer::limits::Limits;
use crate::peer::listen::listen;
use crate::peer::raft::{Messages, Seat, router};
use crate::pki::Role;
use crate::store::Store;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use fleetd_api::Problem;
use openraft::Raft;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

#[derive(Default)]
struct Chair {
    raft: Mutex<Option<Raft<Group>>>,
    generation: AtomicU64,
}

/// Hosts 1 to 3 are members.
impl Seat for Chair {
    fn raft(&self) -> Option<Raft<Group>> {
        self.raft.lock().unwrap().clone()
    }

    fn is_member(&self, machine: MachineId) -> bool {
        (1..=3).any(|number| machine == super::fixture::machine(number))
    }

    fn generation(&self) -> Option<u64> {
        Some(self.generation.load(Ordering::Relaxed))
    }
}

/// The tasks of a run before may hold the database a moment longer.
async fn open(dir: &Dir) -> Store {
    loop {
        match Store::open(&dir.0.join("fleetd.redb"), "m") {
            Ok((store, _)) => return store,
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

struct Member {
    number: u32,
    node: Node,
    server: Server,
    decided: watch::Receiver<Arc<Decided>>,
    /// Pieces of snapshots that came.
    pieces: Arc<AtomicUsize>,
}

impl Member {
    async fn start(fleet: &Fleet, number: u32, dir: &Dir, at: &str) -> Self {
        let credentials = fleet.credentials(&host(number));
        let seat = Arc::new(Chair::default());
        let client = Client::new(&credentials, ClientLimits::default());
        let messages = Messages::new(client, Arc::clone(&seat) as Arc<dyn Seat>);
        let store = open(dir).await;
        let (publish, decided) = watch::channel(Arc::new(store.decided.clone()));
        let node = Node::start(store, machine(number), messages, publish).await.unwrap();
        *seat.raft.lock().unwrap() = Some(node.raft.clone());
        let limits = Limits::default();
        let listener = listen(at, &credentials, limits.clone()).await.unwrap();
        let pieces = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&pieces);
        let count = move |request: Request, next: Next| {
            let piece = request.uri().path().ends_with("/snapshot");
            counted.fetch_add(usize::from(piece), Ordering::Relaxed);
            next.run(request)
        };
        let routes = guard(router(seat).layer(from_fn(count)), &limits, hosts_are_admins());
        let server = Server::start(listener, credentials, routes, Router::new());
        Self { number, node, server, decided, pieces }
    }

    async fn stop(self) {
        self.server.stop.cancel();
        self.server.task.await.unwrap();
        self.node.raft.shutdown().await.unwrap();
    }

    async fn has(&self, unit: &str) {
        let mut decided = self.decided.clone();
        decided.wait_for(|decided| decided.units.contains_key(unit)).await.unwrap();
    }
}

fn submit(unit: &str, text: String) -> Command {
    Command::from(decided_unit::Command::Submit {
        unit: unit.to_owned(),
        text,
        drop_ins: BTreeMap::new(),
        hash: "hash".to_owned(),
        replace: true,
        desired: None,
        made_from: None,
        secrets: Default::default(),
    })
}

/// Proposes to whoever leads. On a busy machine that may change.
async fn propose(members: &[&Member], unit: &str, text: String) {
    for member in members.iter().cycle() {
        if member.node.raft.client_write(submit(unit, text.clone())).await.is_ok() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

fn at(address: impl ToString) -> Voter {
    Voter { address: address.to_string() }
}

/// Makes host 1 a group of one.
async fn found(member: &Member, address: impl ToString) {
    let alone = BTreeMap::from([(machine(member.number), at(address))]);
    member.node.raft.initialize(alone).await.unwrap();
    member.node.lead_alone().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_decides_over_connections_that_break() {
    let fleet = Fleet::new();
    let dirs = [Dir::new(), Dir::new(), Dir::new()];
    let mut members = Vec::new();
    let mut relays = Vec::new();
    for (number, dir) in (1..).zip(&dirs) {
        let member = Member::start(&fleet, number, dir, "127.0.0.1:0").await;
        relays.push(Relay::to(member.server.address).await);
        members.push(member);
    }
    let [one, two, three] = <[Member; 3]>::try_from(members).ok().unwrap();
    found(&one, relays[0].address).await;
    for (number, relay) in (2..).zip(&relays[1..]) {
        one.node.raft.add_learner(machine(number), at(relay.address), true).await.unwrap();
    }
    let voters: BTreeSet<MachineId> = (1..=3).map(machine).collect();
    one.node.raft.change_membership(voters, false).await.unwrap();
    propose(&[&one, &two, &three], "a.container", "a".to_owned()).await;
    for member in [&one, &two, &three] {
        member.has("a.container").await;
    }

    let before: Vec<usize> = relays.iter().map(Relay::connections).collect();
    relays.iter().for_each(Relay::cut);
    propose(&[&one, &two, &three], "b.container", "b".to_owned()).await;
    for member in [&one, &two, &three] {
        member.has("b.container").await;
    }
    let after: Vec<usize> = relays.iter().map(Relay::connections).collect();
    assert_ne!(before, after, "no connection was made again");

    let address = three.server.at();
    three.stop().await;
    propose(&[&one, &two], "c.container", "c".to_owned()).await;
    let three = Member::start(&fleet, 3, &dirs[2], &address).await;
    three.has("c.container").await;
    for member in [one, two, three] {
        member.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_gets_a_snapshot_in_pieces() {
    let fleet = Fleet::new();
    let (dirs, units) = ([Dir::new(), Dir::new()], 10);
    let one = Member::start(&fleet, 1, &dirs[0], "127.0.0.1:0").await;
    found(&one, one.server.address).await;
    for number in 0..units {
        propose(&[&one], &format!("{number}.container"), "x".repeat(256 * 1024)).await;
    }
    let raft = &one.node.raft;
    let applied = raft.metrics().borrow().last_applied.unwrap();
    raft.trigger().snapshot().await.unwrap();
    raft.wait(None).metrics(|m| m.snapshot >= Some(applied), "a snapshot").await.unwrap();
    raft.trigger().purge_log(applied.index).await.unwrap();
    raft.wait(None).metrics(|m| m.purged >= Some(applied), "no log").await.unwrap();
    let two = Member::start(&fleet, 2, &dirs[1], "127.0.0.1:0").await;
    raft.add_learner(machine(2), at(two.server.address), true).await.unwrap();
    two.has("0.container").await;
    assert_eq!(two.decided.borrow().units.len(), units);
    let pieces = two.pieces.load(Ordering::Relaxed);
    assert!(pieces >= 3, "{pieces} pieces");
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn only_members_of_this_generation_are_answered() {
    let fleet = Fleet::new();
    let dir = Dir::new();
    let one = Member::start(&fleet, 1, &dir, "127.0.0.1:0").await;
    let append = "/v1/peer/raft/append";
    for (identity, protocol, generation, status, cause) in [
        (host(2), "1", "0", 400, "missing field"),
        (host(4), "1", "0", 403, "is neither voter nor learner here"),
        (host(2), "2", "0", 409, "its protocol is 2, and this fleetd's is 1"),
        (host(2), "1", "7", 409, "its generation of the fleet is 7, and this host's is 0"),
        (host(2), "1", "", 409, "its generation of the fleet is not said, and this host's is 0"),
        (user("anna", Role::Admin), "1", "0", 403, "it takes a host's certificate"),
    ] {
        let request = Request::post(append)
            .header("flotilla-protocol", protocol)
            .header("flotilla-generation", generation)
            .body(Body::from("{}"))
            .unwrap();
        let client = fleet.client(&identity);
        let answer = client.request(machine(1), &one.server.at(), request).await.unwrap();
        let got = answer.status();
        let problem: Problem = serde_json::from_str(&text(answer).await).unwrap();
        assert_eq!(got, status, "{identity}: {problem}");
        assert!(problem.message.contains(cause), "{identity}: {problem}");
    }
    let seat = Chair { generation: 7.into(), ..Chair::default() };
    let messages = Messages::new(fleet.client(&host(2)), Arc::new(seat));
    let to = at(one.server.address);
    let error = messages.call(machine(1), &to, Rpc::Vote, b"{}".to_vec()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "ask host {} at {}: take a message of Raft: its generation of the fleet is 7, and this \
             host's is 0",
            machine(1),
            one.server.address
        )
    );
    one.stop().await;
}
