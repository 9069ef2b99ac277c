//! The tables of docs/gossip.md. Each test prints one:
//! `cargo test -p fleetd --lib gossip::tests::measure -- --ignored --nocapture`

use super::detection::times_to_detect;
use super::world::{World, ms, secs};
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

#[test]
#[ignore = "prints a table"]
fn idle() {
    println!("| Hosts | Packets/s and host | Bytes/s and host | Processor |\n|---|---|---|---|");
    for (hosts, time) in [(3, 600), (100, 60), (1_000, 20)] {
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
        println!(
            "| {hosts} | {:.1} | {:.0} | {:.3} % |",
            (after.0 - before.0) as f64 / per,
            (after.1 - before.1) as f64 / per,
            took / per * 100.0
        );
    }
}
