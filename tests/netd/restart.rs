//! netd's death, at any moment, and its return.

use crate::client::{Client, spec, tcp, udp};
use crate::namespace::Namespace;
use crate::traffic::{Talk, address_of, greet, serve_tcp};
use crate::world::{HOST, World, needs};
use flotilla_tests::require;
use netd_api::{Call, EndpointId, Reply};
use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::mpsc;
use std::time::Duration;

#[test]
fn an_established_connection_survives_netds_death_and_return() {
    require!(needs());
    let mut world = World::new();
    let (attached, inside) = world.client().attach(spec("web:1", &[tcp(8080, 80)]));
    serve_tcp(&inside, 80, "web");
    let mut talk = Talk::open(&world.neighbour, HOST, 8080).unwrap();
    assert_eq!(talk.say("one").unwrap(), "one");
    world.kill();
    assert_eq!(talk.say("two").unwrap(), "two");
    assert!(greet(&world.neighbour, HOST, 8080).is_ok(), "new connections while netd is dead");
    world.start();
    assert_eq!(talk.say("three").unwrap(), "three");
    assert_eq!(world.endpoints(), [attached.endpoint]);
    for (from, to) in [(&world.neighbour, HOST), (&*world.host, Ipv4Addr::LOCALHOST)] {
        assert!(greet(from, to, 8080).is_ok(), "{to} after the return");
    }
    world.assert_consistent();
}

#[test]
fn a_container_that_ends_while_netd_is_dead_or_after_is_let_go() {
    require!(needs());
    let mut world = World::new();
    let mut client = world.client();
    let (_, first) = client.attach(spec("first:1", &[tcp(8080, 80)]));
    let (_, second) = client.attach(spec("second:1", &[tcp(8081, 80)]));
    let (_, _third) = client.attach(spec("third:1", &[]));
    world.kill();
    drop(first);
    world.eventually("the kernel has taken the first link away", |w| w.links().len() == 2);
    world.start();
    let ids = |w: &World| -> Vec<String> {
        w.endpoints().into_iter().map(|e| e.spec.id.as_str().to_owned()).collect()
    };
    assert_eq!(ids(&world), ["second:1", "third:1"]);
    drop(second);
    world.eventually("netd has heard of the second's end", |w| ids(w) == ["third:1"]);
    world.client().attach(spec("fourth:1", &[tcp(8080, 80), tcp(8081, 80)]));
    world.assert_consistent();
}

#[test]
fn an_attachment_that_cannot_be_repeated_says_so() {
    require!(needs());
    let mut world = World::new();
    let (_, _inside) = world.client().attach(spec("web:1", &[]));
    world.kill();
    world.start();
    let failure = world.client().try_attach(spec("web:1", &[])).err().unwrap();
    assert!(failure.message.contains("web:1") && failure.hint.is_some(), "{failure}");
    world.client().detach("web:1");
    world.client().attach(spec("web:2", &[]));
}

#[test]
fn a_lost_journal_costs_no_container_its_network() {
    require!(needs());
    let mut world = World::new();
    let (attached, inside) = world.client().attach(spec("web:1", &[tcp(8080, 80), udp(53, 53)]));
    serve_tcp(&inside, 80, "web");
    let mut talk = Talk::open(&world.neighbour, HOST, 8080).unwrap();
    world.kill();
    std::fs::remove_dir_all(world.state_dir()).unwrap();
    world.start();
    assert_eq!(talk.say("still there?").unwrap(), "still there?");
    assert!(greet(&world.neighbour, HOST, 8080).is_ok());
    assert!(greet(&world.host, Ipv4Addr::LOCALHOST, 8080).is_ok());
    world.assert_consistent();
    let found = world.endpoints();
    assert_eq!(address_of(&found[0]), address_of(&attached.endpoint));
    // Who knows the names says them again, and all is as it was.
    let document = netd_api::Document {
        endpoints: vec![attached.endpoint.spec.clone()],
        ..netd_api::Document::default()
    };
    let (reply, _) = world.client().call(Call::Apply { document }).unwrap();
    assert_eq!(reply, Reply::Applied { missing: vec![] });
    assert_eq!(world.endpoints(), [attached.endpoint]);
    let (other, _inside) = world.client().attach(spec("other:1", &[]));
    assert_ne!(address_of(&other.endpoint), address_of(&found[0]));
    world.assert_consistent();
}

#[test]
fn a_removed_device_comes_back_with_its_addresses() {
    require!(needs());
    let world = World::new();
    let (_, inside) = world.client().attach(spec("web:1", &[tcp(8080, 80)]));
    serve_tcp(&inside, 80, "web");
    world.host.ip("link del flotilla0");
    world.eventually("it is there again, with its address", |w| {
        w.host.ip("-4 -o addr").contains("10.89.0.1/16")
    });
    world.assert_consistent();
    assert!(greet(&world.neighbour, HOST, 8080).is_ok());
}

/// A client that attaches and detaches until netd is gone.
struct Worker {
    random: u64,
    count: usize,
    /// What netd has confirmed, with the address.
    attached: BTreeMap<String, (Ipv4Addr, Namespace)>,
    /// The request that has had no answer.
    open: Option<String>,
}

impl Worker {
    fn random(&mut self, below: usize) -> usize {
        // Knuth's MMIX generator: the same run for the same seed.
        self.random =
            self.random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.random >> 33) as usize % below
    }

    fn work(&mut self, client: &mut Client) -> io::Result<()> {
        loop {
            if self.attached.len() < 2 || (self.attached.len() < 8 && self.random(2) == 0) {
                self.count += 1;
                let slot = self.random(4000) as u16;
                let name = format!("unit{}:{}", slot % 12, self.count);
                self.open = Some(name.clone());
                let wanted = spec(&name, &[tcp(10_000 + slot, 80), udp(10_000 + slot, 80)]);
                match client.call(Call::Attach { endpoint: wanted })? {
                    (Reply::Attached(attached), mut fds) => {
                        let address = address_of(&attached.endpoint);
                        self.attached.insert(name, (address, fds.remove(0).into()));
                    }
                    // The slot is taken by another one of ours.
                    (Reply::Failed(_), _) => {}
                    (other, _) => panic!("{other:?}"),
                }
            } else {
                let nth = self.random(self.attached.len());
                let name = self.attached.keys().nth(nth).unwrap().clone();
                self.attached.remove(&name);
                self.open = Some(name.clone());
                client.call(Call::Detach { id: EndpointId::new(name).unwrap() })?;
            }
            self.open = None;
        }
    }
}

fn kill_at_random(rounds: usize, seed: u64) {
    let mut world = World::without_netd();
    world.options.extend(["--pool", "3"].map(str::to_owned));
    let mut worker = Worker { random: seed, count: 0, attached: BTreeMap::new(), open: None };
    for round in 0..rounds {
        world.start();
        settle(&world, &mut worker, round);
        let mut client = world.client();
        let moment = Duration::from_micros(worker.random(60_000) as u64);
        let (done, ended) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let worker = &mut worker;
            scope.spawn(move || {
                let _done = done;
                worker.work(&mut client).unwrap_err();
            });
            // Nobody sends: this waits for the moment.
            assert_eq!(ended.recv_timeout(moment), Err(mpsc::RecvTimeoutError::Timeout));
            world.kill();
        });
    }
    world.start();
    settle(&world, &mut worker, rounds);
    let mut client = world.client();
    for name in worker.attached.keys() {
        client.detach(name);
    }
    worker.attached.clear();
    world.assert_consistent();
    assert_eq!(world.endpoints(), []);
}

/// What was confirmed is there, with its address; what was not confirmed may be either way.
fn settle(world: &World, worker: &mut Worker, round: usize) {
    if let Some(open) = worker.open.take() {
        world.client().detach(&open);
    }
    world.assert_consistent();
    let there: BTreeMap<String, Ipv4Addr> = world
        .endpoints()
        .into_iter()
        .map(|e| (e.spec.id.as_str().to_owned(), address_of(&e)))
        .collect();
    let confirmed: BTreeMap<String, Ipv4Addr> =
        worker.attached.iter().map(|(name, (address, _))| (name.clone(), *address)).collect();
    assert_eq!(there, confirmed, "round {round}");
    for (name, (address, inside)) in &worker.attached {
        let shown = inside.ip("-4 addr show eth0");
        assert!(shown.contains(&format!("inet {address}/32")), "{name}: {shown}");
    }
}

#[test]
fn killed_fifty_times_at_random_netd_loses_and_leaks_nothing() {
    require!(needs());
    // The virtual machine takes four seconds for one.
    let rounds = if flotilla_tests::need::virtual_machine().is_ok() { 10 } else { 50 };
    kill_at_random(rounds, 20);
}

#[test]
#[ignore = "soak: ten times as long"]
fn killed_five_hundred_times_at_random_netd_loses_and_leaks_nothing() {
    require!(needs());
    kill_at_random(500, 1);
}

#[test]
fn down_leaves_nothing() {
    require!(needs());
    for kill_first in [false, true] {
        let mut world = World::without_netd();
        let links = |w: &World| -> Vec<String> {
            let links = w.host.json("ip", "-j link");
            links.as_array().unwrap().iter().map(|l| l["ifname"].to_string()).collect()
        };
        let before = links(&world);
        let forward = || std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap();
        // A new namespace has the machine's value.
        world.host.run(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap());
        world.start();
        assert_eq!(world.host.run(forward), "1\n");
        let (_, _inside) = world.client().attach(spec("web:1", &[tcp(8080, 80)]));
        if kill_first {
            world.kill();
        }
        let output = world.netd(&["down"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        if !kill_first {
            assert!(world.ended().success());
        }
        world.eventually("the pool's links are gone", |w| links(w) == before);
        assert_eq!(world.host.command("nft", &["list", "ruleset"]), "");
        assert_eq!(world.host.run(forward), "0\n");
        for dir in ["run", "state"] {
            assert!(!world.scratch.path().join(dir).exists(), "{dir} is left");
        }
        assert!(world.netd(&["down"]).status.success(), "a second time");
        assert!(!world.netd(&["status"]).status.success());
    }
}
