//! Everything at once, from many seeds.

use super::world::{World, id, ms, secs};
use crate::core::gossip::{Kind, lock};
use rand::RngExt as _;

/// A value that names its writer.
fn value(host: usize, count: u32) -> Vec<u8> {
    format!("{} wrote {count}", id(host)).into_bytes()
}

fn write_something(world: &mut World, host: usize, count: u32) {
    let kind = [Kind::Unit, Kind::Endpoint, Kind::Image][world.rng.random_range(0..3)];
    let name = world.rng.random_range(0..5).to_string();
    let deletes = world.rng.random_bool(0.2);
    let value = value(host, count);
    world.write(host, kind, &name, (!deletes).then_some(value.as_slice()));
}

/// One fault, or the end of one.
fn fault(world: &mut World) {
    let hosts = world.hosts.len();
    let host = world.rng.random_range(0..hosts);
    let other = (host + world.rng.random_range(1..hosts)) % hosts;
    match world.rng.random_range(0..9) {
        0 => world.network.loss = [0.0, 0.05, 0.2, 0.5][world.rng.random_range(0..4)],
        1 => world.network.twice = [0.0, 0.1, 0.5][world.rng.random_range(0..3)],
        2 => world.network.delay.1 = ms([1, 10, 100, 400][world.rng.random_range(0..4)]),
        3 => {
            // One way, or both.
            world.network.cut.insert((host, other));
            if world.rng.random_bool(0.5) {
                world.network.cut.insert((other, host));
            }
        }
        4 => world.network.cut.clear(),
        5 if world.hosts[host].is_on && !world.hosts[host].is_paused => world.pause(host),
        6 if world.hosts[host].is_paused => world.resume(host),
        7 if world.hosts[host].is_on && !world.hosts[host].is_paused => {
            world.kill(host);
        }
        8 => {
            if !world.hosts[host].is_on {
                world.start(host, other);
            } else if !world.hosts[host].is_paused {
                let ahead = world.rng.random_bool(0.5);
                world.jump(host, ahead, secs(3_600));
            }
        }
        _ => {}
    }
}

fn heal(world: &mut World) {
    world.network = super::network::Network::default();
    for host in 0..world.hosts.len() {
        if world.hosts[host].is_paused {
            world.resume(host);
        }
        if !world.hosts[host].is_on {
            let knows = (host + 1) % world.hosts.len();
            world.start(host, knows);
        }
    }
}

fn records_are_equal(world: &World) -> bool {
    let sum = |host: usize| lock(&world.hosts[host].gossip.records()).sum();
    (1..world.hosts.len()).all(|host| sum(host) == sum(0))
}

fn every_record_is_of_its_writer(world: &World) -> bool {
    world.hosts.iter().all(|host| {
        let records = host.gossip.records();
        let records = lock(&records);
        [Kind::Unit, Kind::Endpoint, Kind::Image].into_iter().all(|kind| {
            records.of_kind(kind).all(|record| {
                let text = String::from_utf8(record.value.unwrap_or_default().to_vec()).unwrap();
                text.starts_with(&record.key.host.to_string())
            })
        })
    })
}

fn live_through(seed: u64) {
    let hosts = 2 + usize::try_from(seed % 6).unwrap();
    let mut world = World::fleet(seed, hosts);
    for count in 0..40 {
        fault(&mut world);
        let host = world.rng.random_range(0..hosts);
        if world.hosts[host].is_on && !world.hosts[host].is_paused {
            write_something(&mut world, host, count);
        }
        let time = ms(world.rng.random_range(0..1_500));
        world.run(time);
    }
    heal(&mut world);
    assert!(world.run_until(secs(40), World::all_see_all), "seed {seed}: not one fleet");
    assert!(world.run_until(secs(120), records_are_equal), "seed {seed}: other records");
    assert!(every_record_is_of_its_writer(&world), "seed {seed}");
    let healed = world.false_deaths().len();
    world.run(secs(20));
    assert_eq!(world.false_deaths().len(), healed, "seed {seed}: deaths after the heal");
}

/// Faults within what is promised: some loss, short pauses, restarts, clocks; nobody may be called
/// dead.
fn live_gently(seed: u64) {
    let hosts = 2 + usize::try_from(seed % 6).unwrap();
    let mut world = World::fleet(seed, hosts);
    world.network.twice = 0.05;
    world.network.delay.1 = ms(20);
    for _ in 0..10 {
        let host = world.rng.random_range(0..hosts);
        world.network.loss = 0.01;
        match world.rng.random_range(0..4) {
            0 => {
                world.pause(host);
                let time = ms(world.rng.random_range(0..=2_000));
                world.run(time);
                world.resume(host);
            }
            1 => {
                let ahead = world.rng.random_bool(0.5);
                world.jump(host, ahead, secs(3_600));
            }
            2 => {
                world.kill(host);
                world.run(ms(800));
                world.start(host, (host + 1) % hosts);
            }
            _ => world.network.loss = 0.2,
        }
        let time = ms(world.rng.random_range(4_000..8_000));
        world.run(time);
    }
    assert_eq!(world.false_deaths(), [], "seed {seed}");
}

#[test]
fn after_any_faults_the_fleet_is_one_again() {
    (0..120).for_each(live_through);
}

#[test]
fn faults_within_the_promise_kill_nobody() {
    (0..120).for_each(live_gently);
}

#[test]
#[ignore = "thousands of seeds"]
fn after_any_faults_the_fleet_is_one_again_for_many_seeds() {
    (1_000..6_000).for_each(live_through);
}

#[test]
#[ignore = "thousands of seeds"]
fn faults_within_the_promise_kill_nobody_for_many_seeds() {
    (1_000..6_000).for_each(live_gently);
}
