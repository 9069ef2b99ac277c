//! Cuts, restarts, leaving, and datagrams that do not get through.

use super::world::{World, id, ms, secs};
use crate::core::gossip::{Event, Node, Parameters, State};
use crate::core::machine_id::MachineId;

fn saw(world: &World, event: &Event) -> Vec<usize> {
    world.events.iter().filter(|(_, _, seen)| seen == event).map(|(_, who, _)| *who).collect()
}

#[test]
fn strangers_become_a_fleet_through_one_host() {
    for loss in [0.0, 0.2] {
        let mut world = World::strangers(3, 12, Parameters::default());
        world.network.loss = loss;
        let first = world.hosts[0].node.clone();
        for host in 1..12 {
            let input = crate::core::gossip::Input::Join(vec![first.clone()]);
            world.give(host, input);
        }
        assert!(world.run_until(secs(10), World::all_see_all), "loss {loss}");
    }
}

#[test]
fn a_cut_fleet_becomes_one_again() {
    for (seed, (one, two)) in [(1, 1), (1, 2), (3, 3), (2, 6)].into_iter().enumerate() {
        let mut world = World::fleet(seed as u64, one + two);
        let (these, those): (Vec<_>, Vec<_>) = ((0..one).collect(), (one..one + two).collect());
        world.network.part(&these, &those, true);
        world.run(secs(30));
        for host in &these {
            assert!(those.iter().all(|other| world.sees(*host, *other) == Some(State::Dead)));
        }
        world.network.part(&these, &those, false);
        assert!(world.run_until(secs(15), World::all_see_all), "{one} and {two}");
    }
}

#[test]
fn a_cut_in_one_direction_that_others_can_go_round_kills_nobody() {
    for seed in 0..10 {
        let mut world = World::fleet(seed, 4);
        world.network.cut.insert((0, 1));
        world.run(secs(120));
        assert_eq!(world.false_deaths(), [], "seed {seed}");
    }
}

#[test]
fn who_answers_the_check_is_not_dead_and_comes_back() {
    // No datagrams in one direction, or in both.
    for both in [false, true] {
        let mut world = World::fleet(5, 4);
        for other in [0, 1, 3] {
            world.network.no_datagrams.insert((2, other));
            if both {
                world.network.no_datagrams.insert((other, 2));
            }
        }
        world.run(secs(60));
        assert_eq!(world.false_deaths(), []);
        assert_eq!(world.sees(0, 2), Some(State::Suspected));
        world.network.no_datagrams.clear();
        assert!(world.run_until(secs(10), World::all_see_all));
    }
}

#[test]
fn a_quick_restart_is_no_death() {
    for seed in 0..20 {
        let mut world = World::fleet(seed, 4);
        world.kill(2);
        world.run(ms(900));
        world.start(2, 0);
        assert!(world.run_until(secs(5), World::all_see_all), "seed {seed}");
        world.run(secs(10));
        assert_eq!(world.false_deaths(), [], "seed {seed}");
        assert_eq!(saw(&world, &Event::Restarted(id(2))).len(), 3, "seed {seed}");
    }
}

#[test]
fn a_dead_host_that_starts_again_is_back_at_once() {
    for seed in 0..10 {
        let mut world = World::fleet(seed, 4);
        world.kill(2);
        world.run(secs(20));
        assert_eq!(saw(&world, &Event::Dead(id(2))).len(), 3);
        world.start(2, 0);
        assert!(world.run_until(secs(3), World::all_see_all), "seed {seed}");
        assert_eq!(saw(&world, &Event::Returned(id(2))).len(), 3);
    }
}

#[test]
fn a_host_whose_store_is_younger_than_the_memory_of_others_comes_back() {
    let mut world = World::fleet(4, 4);
    world.hosts[2].node.life = 40;
    world.kill(2);
    world.start(2, 0);
    assert!(world.run_until(secs(10), World::all_see_all));
    world.kill(2);
    world.run(secs(1));
    // Restored from a backup: its starts are counted from there.
    world.hosts[2].node.life = 7;
    world.start(2, 0);
    assert!(world.run_until(secs(10), World::all_see_all));
    assert!(world.hosts[2].gossip.own().life > 41);
    // And when it leaves, that is believed of the life that it is in now.
    world.give(2, crate::core::gossip::Input::Leave);
    world.run(ms(50));
    world.kill(2);
    world.run(secs(10));
    assert_eq!(world.sees(0, 2), Some(State::Left));
}

#[test]
fn leaving_is_no_death() {
    for seed in 0..10 {
        let mut world = World::fleet(seed, 5);
        world.give(3, crate::core::gossip::Input::Leave);
        world.run(ms(50));
        world.kill(3);
        world.run(secs(10));
        for host in [0, 1, 2, 4] {
            assert_eq!(world.sees(host, 3), Some(State::Left), "seed {seed}");
        }
        for event in [Event::Suspected(id(3)), Event::Dead(id(3))] {
            assert!(saw(&world, &event).is_empty(), "seed {seed}");
        }
        // And it may come back.
        world.start(3, 0);
        assert!(world.run_until(secs(3), World::all_see_all), "seed {seed}");
    }
}

#[test]
fn a_second_machine_with_the_same_id_is_named_and_does_not_shake_the_fleet() {
    let mut world = World::strangers(1, 4, Parameters::default());
    // Copied with its disk: the same id, started as often.
    let copy = Node { host: MachineId(3), ..world.hosts[3].node.clone() };
    world.hosts[3].gossip =
        crate::core::gossip::Gossip::new(copy, 1, Parameters::default(), [9; 32]);
    let nodes: Vec<_> = world.hosts.iter().take(3).map(|host| (host.node.clone(), 0)).collect();
    for host in 0..4 {
        world.give(host, crate::core::gossip::Input::Heard(nodes.clone()));
    }
    world.run(secs(20));
    let sent: u64 = world.hosts.iter().map(|host| host.sent.0).sum();
    world.run(secs(60));
    for other in [0, 1] {
        let twin =
            |who, event: &Event| who == other && matches!(event, Event::Twin(MachineId(3), _));
        assert!(world.events.iter().any(|(_, who, event)| twin(*who, event)));
    }
    assert!(!saw(&world, &Event::Outdone).is_empty());
    let sent = world.hosts.iter().map(|host| host.sent.0).sum::<u64>() - sent;
    assert!(sent < 60 * 4 * 200, "{sent} packets in a minute");
    // The others live on.
    let others = [Event::Dead(id(0)), Event::Dead(id(1))];
    assert!(others.iter().all(|dead| saw(&world, dead).iter().all(|who| *who > 1)));
}
