//! The dead are found in time, and nobody else is called dead.

use super::world::{World, id, ms, secs};
use crate::core::gossip::Event;
use rand::RngExt as _;
use std::time::Duration;

/// Kills a host and gives back when each of the others knew; none: it did not.
pub(super) fn times_to_detect(world: &mut World, victim: usize) -> Vec<Option<Duration>> {
    let first = world.events.len();
    let killed = world.now;
    world.kill(victim);
    let others = (0..world.hosts.len()).filter(|host| world.hosts[*host].is_on);
    let others = others.collect::<Vec<_>>();
    let dead = |(_, _, event): &&(Duration, usize, Event)| *event == Event::Dead(id(victim));
    world.run_until(secs(15), |world| {
        world.events[first..].iter().filter(dead).count() == others.len()
    });
    let knew = |host| {
        let dead = |(_, who, event): &&(Duration, usize, Event)| {
            *who == host && *event == Event::Dead(id(victim))
        };
        world.events[first..].iter().find(dead).map(|(at, _, _)| *at - killed)
    };
    others.into_iter().map(knew).collect()
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let trace = |seed| {
        let mut world = World::fleet(seed, 8);
        world.network.loss = 0.2;
        world.network.twice = 0.05;
        world.pause(3);
        world.run(ms(1_500));
        world.resume(3);
        times_to_detect(&mut world, 5);
        world.start(5, 0);
        world.run(secs(10));
        world.trace()
    };
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1), trace(2));
}

#[test]
fn a_dead_host_is_found_in_time() {
    for (loss, limit) in [(0.0, ms(5_000)), (0.01, ms(5_000)), (0.2, ms(10_000))] {
        for hosts in [2, 3, 5, 10] {
            let mut times = Vec::new();
            for seed in 0..10 {
                let mut world = World::fleet(seed, hosts);
                world.network.loss = loss;
                let victim = world.rng.random_range(0..hosts);
                let moment = ms(world.rng.random_range(0..2_000));
                world.run(moment);
                times.extend(times_to_detect(&mut world, victim));
            }
            times.sort();
            assert!(times.iter().all(Option::is_some), "{hosts} hosts, {loss}: {times:?}");
            // 99 of 100, and none is missed.
            let p99 = times[(times.len() - 1) * 99 / 100];
            assert!(p99 < Some(limit), "{hosts} hosts, {loss}: {p99:?}");
        }
    }
}

/// Lets a fleet live for a time at some loss, and gives back who was called dead.
fn quiet_life(seed: u64, hosts: usize, loss: f64, time: Duration) -> usize {
    let mut world = World::fleet(seed, hosts);
    world.network.loss = loss;
    world.run(time);
    world.false_deaths().len()
}

#[test]
fn nobody_dies_of_lost_packets() {
    for (hosts, minutes) in [(2, 60), (3, 60), (10, 10)] {
        assert_eq!(quiet_life(7, hosts, 0.2, secs(60 * minutes)), 0, "{hosts} hosts");
    }
}

#[test]
#[ignore = "a hundred hours of fleets"]
fn nobody_dies_of_lost_packets_in_many_hours() {
    for hosts in [2, 3, 5, 10] {
        let deaths: usize = (0..25).map(|seed| quiet_life(seed, hosts, 0.2, secs(3_600))).sum();
        assert_eq!(deaths, 0, "{hosts} hosts");
    }
}

#[test]
fn a_suspicion_that_was_refuted_leaves_nothing_behind() {
    let mut world = World::fleet(3, 3);
    world.network.loss = 0.3;
    world.run(secs(600));
    let cleared = |(_, _, event): &&(Duration, usize, Event)| matches!(event, Event::Cleared(_));
    assert!(world.events.iter().filter(cleared).count() > 10);
    assert_eq!(world.false_deaths(), []);
    assert!(world.hosts.iter().all(|host| host.gossip.own().renewal == 0));
}

#[test]
fn nobody_dies_of_a_pause_of_two_seconds() {
    for loss in [0.0, 0.01] {
        for hosts in [2, 3, 5, 10] {
            for seed in 0..10 {
                let mut world = World::fleet(seed, hosts);
                world.network.loss = loss;
                for _ in 0..4 {
                    let moment = ms(world.rng.random_range(0..2_000));
                    world.run(moment);
                    let paused = world.rng.random_range(0..hosts);
                    world.pause(paused);
                    world.run(secs(2));
                    world.resume(paused);
                    world.run(secs(5));
                }
                assert_eq!(world.false_deaths(), [], "{hosts} hosts, {loss}, seed {seed}");
                assert!(world.all_see_all(), "{hosts} hosts, {loss}, seed {seed}");
            }
        }
    }
}

#[test]
fn everybody_paused_at_once_calls_nobody_dead() {
    // As when the machine below them all is suspended.
    for seed in 0..20 {
        let mut world = World::fleet(seed, 4);
        world.network.no_streams = seed % 2 == 0;
        world.network.loss = 0.1;
        // In the middle of suspicions, some of them.
        (0..4).for_each(|host| world.pause(host));
        world.run(secs(60));
        for host in 0..4 {
            world.resume(host);
            let apart = ms(world.rng.random_range(0..300));
            world.run(apart);
        }
        world.run(secs(10));
        assert_eq!(world.false_deaths(), [], "seed {seed}");
        assert!(world.all_see_all(), "seed {seed}");
    }
}

#[test]
fn who_wakes_after_a_long_pause_calls_nobody_dead_and_comes_back() {
    for seed in 0..20 {
        let mut world = World::fleet(seed, 5);
        // With no check to save it from a wrong judgement.
        world.network.no_streams = seed % 2 == 0;
        world.pause(2);
        world.run(secs(30));
        assert_eq!(world.false_deaths().len(), 4, "the others called it dead");
        world.resume(2);
        world.run(secs(10));
        assert!(!world.false_deaths().iter().any(|(_, who, _)| *who == 2), "seed {seed}");
        assert!(world.all_see_all(), "seed {seed}");
        let returned = |(_, who, event): &&(Duration, usize, Event)| {
            *who != 2 && *event == Event::Returned(id(2))
        };
        assert_eq!(world.events.iter().filter(returned).count(), 4, "seed {seed}");
    }
}

#[test]
fn a_clock_that_jumps_an_hour_kills_nobody() {
    for seed in 0..20 {
        let mut world = World::fleet(seed, 4);
        world.network.no_streams = seed % 2 == 0;
        for ahead in [true, false, true] {
            world.jump(1, ahead, secs(3_600));
            world.run(secs(6));
        }
        assert_eq!(world.false_deaths(), [], "seed {seed}");
        // And the one with the new clock still finds the dead.
        let times = times_to_detect(&mut world, 0);
        assert!(times.iter().all(|time| time.is_some_and(|time| time < secs(5))), "{times:?}");
    }
}

#[test]
fn a_check_that_ran_while_its_host_was_away_is_made_again() {
    let mut world = World::fleet(1, 2);
    world.network.part(&[0], &[1], true);
    world.pause(1);
    assert!(world.run_until(secs(5), |world| world.checks == 1));
    world.jump(0, true, secs(5));
    assert_eq!(world.checks, 2);
    assert_eq!(world.sees(0, 1), Some(crate::core::gossip::State::Suspected));
}
