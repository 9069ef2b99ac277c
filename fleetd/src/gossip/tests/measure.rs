//! The tables of docs/gossip.md. Each test prints one:
//! `cargo test -p fleetd --lib gossip::tests::measure -- --ignored --nocapture`

use super::detection::times_to_detect;
use super::world::{World, id, ms, secs};
use crate::core::gossip::{Key, Kind, State, lock};
use rand::RngExt as _;
use std::time::{Duration, Instant};

/// Kills hosts of one fleet, one after the other, and gives back the times in which the rest knew.
fn kill_some(seed: u64, hosts: usize, loss: f64, kills: usize) -> Vec<Duration> {
    let mut world = World::fleet(seed, hosts);
    world.network.loss = loss;
    let mut times = Vec::new();
    for _ in 0..kills {
        let on: Vec<_> = (0..hosts).filter(|host| world.hosts[*host].is_on).collect();
        let victim = on[world.rng.random_range(0..on.len())];
        let moment = ms(world.rng.random_range(0..2_000));
        world.run(moment);
        let found = times_to_detect(&mut world, victim);
        times.extend(found.into_iter().map(|time| time.unwrap_or(Duration::MAX)));
    }
    times
}

fn seconds(time: Duration) -> String {
    if time == Duration::MAX { "never".to_owned() } else { format!("{:.1}", time.as_secs_f64()) }
}

#[test]
#[ignore = "prints a table"]
fn detection() {
    println!("| Hosts | Loss | Deaths | Half | 99 of 100 | Last |\n|---|---|---|---|---|---|");
    for (hosts, fleets, kills) in
        [(2, 400, 1), (3, 300, 1), (5, 200, 2), (10, 100, 4), (100, 8, 10), (1_000, 1, 5)]
    {
        for loss in [0.0, 0.01, 0.05, 0.2] {
            let mut times: Vec<_> =
                (0..fleets).flat_map(|seed| kill_some(seed, hosts, loss, kills)).collect();
            times.sort();
            let part = |part: usize| seconds(times[(times.len() - 1) * part / 100]);
            println!(
                "| {hosts} | {} % | {} | {} s | {} s | {} s |",
                loss * 100.0,
                fleets as usize * kills,
                part(50),
                part(99),
                part(100)
            );
        }
    }
}

#[test]
#[ignore = "prints a table"]
fn false_deaths() {
    println!(
        "| Hosts | Loss | Hours | Suspicions | Checks | False deaths |\n|---|---|---|---|---|---|"
    );
    for (hosts, fleets, minutes) in
        [(2, 10, 60), (3, 10, 60), (5, 10, 60), (10, 10, 60), (30, 10, 60), (100, 1, 60)]
    {
        let (mut suspicions, mut checks, mut deaths) = (0, 0, 0);
        for seed in 0..fleets {
            let mut world = World::fleet(seed, hosts);
            world.network.loss = 0.2;
            world.run(secs(60 * minutes));
            let suspected = |(_, _, event): &&(Duration, usize, _)| {
                matches!(event, crate::core::gossip::Event::Suspected(_))
            };
            suspicions += world.events.iter().filter(suspected).count();
            checks += world.checks;
            deaths += world.false_deaths().len();
        }
        println!(
            "| {hosts} | 20 % | {} | {suspicions} | {checks} | {deaths} |",
            fleets * minutes / 60,
        );
    }
}

/// A fleet of which every host has said something.
fn talking(seed: u64, hosts: usize) -> World {
    let mut world = World::fleet(seed, hosts);
    for host in 0..hosts {
        world.write(host, Kind::Capacity, "", Some(&[7; 200]));
    }
    world.run(secs(20));
    world
}

/// A host joins by another: until it knows all of what the others have said, and until all know it
/// and what it says.
fn times_to_join(world: &mut World) -> (Duration, Duration) {
    let others = world.hosts.len();
    let by = world.rng.random_range(0..others);
    let began = world.now;
    let new = world.enter(by);
    world.write(new, Kind::Capacity, "", Some(&[8; 200]));
    // Of whom it does not know, and who does not know it.
    let (mut unknown, mut strangers): (Vec<usize>, Vec<usize>) =
        ((0..others).collect(), (0..others).collect());
    let (mut knows, mut known) = (Duration::ZERO, Duration::ZERO);
    while !unknown.is_empty() || !strangers.is_empty() {
        let time = world.now - began;
        assert!(
            time < secs(300),
            "{} are unknown to it, it is to {}",
            unknown.len(),
            strangers.len()
        );
        if !unknown.is_empty() {
            unknown.retain(|other| !has(world, new, *other));
            knows = time;
        }
        if !strangers.is_empty() {
            strangers.retain(|other| !has(world, *other, new));
            known = time;
        }
        world.run(ms(5));
    }
    (knows, known)
}

fn has(world: &World, host: usize, of: usize) -> bool {
    let records = world.hosts[host].gossip.records();
    let key = Key { host: id(of), kind: Kind::Capacity, name: String::new() };
    lock(&records).value(&key).is_some() && world.sees(host, of) == Some(State::Alive)
}

/// Packets and bytes a second and host, and how much of a processor.
fn rates(hosts: usize, time: u64) -> (f64, f64, f64) {
    let mut world = World::fleet(1, hosts);
    world.run(secs(10));
    let sent = |world: &World| {
        let sums = world.hosts.iter().map(|host| host.sent);
        sums.fold((0, 0), |sum, sent| (sum.0 + sent.0, sum.1 + sent.1))
    };
    let before = sent(&world);
    let began = Instant::now();
    world.run(secs(time));
    let took = began.elapsed().as_secs_f64();
    let after = sent(&world);
    let per = (hosts as u64 * time) as f64;
    ((after.0 - before.0) as f64 / per, (after.1 - before.1) as f64 / per, took / per)
}

#[test]
#[ignore = "prints a table"]
fn joining() {
    println!("| Hosts | Loss | Joins | It knows all: half | Last | All know it: half | Last |");
    println!("|---|---|---|---|---|---|---|");
    for (hosts, joins) in [(3, 20), (100, 20), (1_000, 10)] {
        for loss in [0.0, 0.01, 0.2] {
            let mut world = talking(1, hosts);
            world.network.loss = loss;
            let times: Vec<_> = (0..joins).map(|_| times_to_join(&mut world)).collect();
            let (mut knows, mut known): (Vec<_>, Vec<_>) = times.into_iter().unzip();
            knows.sort();
            known.sort();
            let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
            println!(
                "| {hosts} | {} % | {joins} | {} | {} | {} | {} |",
                loss * 100.0,
                seconds(knows[joins / 2]),
                seconds(knows[joins - 1]),
                seconds(known[joins / 2]),
                seconds(known[joins - 1])
            );
        }
    }
}

/// For `bench fleet`: a line a row.
#[test]
#[ignore = "prints figures"]
fn figures() {
    let line = |name: &str, samples: Vec<f64>| {
        println!("{}", serde_json::json!({ "name": name, "samples": samples }));
    };
    let mut world = talking(1, 1_000);
    let times: Vec<_> = (0..10).map(|_| times_to_join(&mut world)).collect();
    let seconds = times.iter().map(|(knows, known)| knows.max(known).as_secs_f64());
    line("a host joins 1,000: until all know of all", seconds.collect());
    let (packets, bytes, _) = rates(1_000, 20);
    line("packets sent by each of 1,000 idle hosts", vec![packets]);
    line("bytes sent by each of 1,000 idle hosts", vec![bytes]);
}

#[test]
#[ignore = "prints a table"]
fn idle() {
    println!("| Hosts | Packets/s and host | Bytes/s and host | Processor |\n|---|---|---|---|");
    for (hosts, time) in [(3, 600), (100, 60), (1_000, 20)] {
        let (packets, bytes, processor) = rates(hosts, time);
        println!("| {hosts} | {packets:.1} | {bytes:.0} | {:.3} % |", processor * 100.0);
    }
}
