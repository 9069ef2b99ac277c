//! What concerns somebody is told at once: one packet, one way, and the usual spreading when it is lost.

use super::world::{World, id, ms, secs};
use crate::core::gossip::packet::MAX_PACKET;
use crate::core::gossip::{Input, Key, Kind, MAX_BROADCAST, Node, Version, lock};
use foca::{Codec as _, Header, Message, PostcardCodec};

/// No packet takes longer; news goes in rounds of 200 ms.
const ONE_WAY: u64 = 3;

fn has(world: &World, host: usize, of: usize, kind: Kind, name: &str) -> bool {
    let key = Key { host: id(of), kind, name: name.to_owned() };
    lock(&world.hosts[host].gossip.records()).value(&key).is_some()
}

fn write_set(world: &mut World, voter: usize, about: usize) {
    let version = Version { life: 1, counter: 5 };
    world.give(voter, Input::WriteSet { host: id(about), version, value: b"digest" });
}

/// Of the packets that a host got, those that were sent for their records alone.
fn direct(world: &World) -> Vec<&Vec<u8>> {
    let is_direct = |packet: &&Vec<u8>| {
        let header: Header<Node> = PostcardCodec.decode_header(packet.as_slice()).unwrap();
        header.message == Message::Broadcast
    };
    world.heard_by.iter().flat_map(|(_, packets)| packets).filter(is_direct).collect()
}

#[test]
fn a_host_hears_of_its_set_one_way_after_it_was_written() {
    for seed in 0..20 {
        let mut world = World::fleet(seed, 10);
        write_set(&mut world, 0, 7);
        world.run(ms(ONE_WAY));
        assert!(has(&world, 7, 7, Kind::Set, ""), "seed {seed}");
        // And the others in the usual way.
        let all = |world: &World| (0..10).all(|host| has(world, host, 7, Kind::Set, ""));
        assert!(world.run_until(secs(3), all), "seed {seed}");
    }
}

#[test]
fn listeners_hear_of_a_record_and_of_its_end_one_way_after_it_was_written() {
    for seed in 0..20 {
        let mut world = World::fleet(seed, 10);
        world.give(4, Input::Listeners(vec![id(0), id(1), id(4), id(99)]));
        for value in [Some(b"running".as_slice()), None] {
            world.write(4, Kind::Unit, "web.container", value);
            world.run(ms(ONE_WAY));
            for voter in [0, 1] {
                let there = has(&world, voter, 4, Kind::Unit, "web.container");
                assert_eq!(there, value.is_some(), "seed {seed}");
            }
        }
    }
}

#[test]
fn what_is_written_in_one_go_comes_in_few_packets() {
    let mut world = World::fleet(3, 5);
    world.give(4, Input::Listeners(vec![id(0)]));
    world.run(secs(1));
    world.heard_by = Some((0, Vec::new()));
    for number in 0..30 {
        world.write(4, Kind::Step, &format!("unit-{number}.container"), Some(&[7; 40]));
    }
    world.run(ms(ONE_WAY));
    assert!((0..30).all(|n| has(&world, 0, 4, Kind::Step, &format!("unit-{n}.container"))));
    let packets = direct(&world);
    // 30 of 36 + 17 + 40 + 2 bytes.
    assert_eq!(packets.len(), 3);
    assert!(packets.iter().all(|packet| packet.len() <= MAX_PACKET));
    // Once only.
    world.run(secs(1));
    assert_eq!(direct(&world).len(), 3);
}

#[test]
fn a_lost_packet_is_made_good_by_the_usual_spreading() {
    for seed in 0..10 {
        let mut world = World::fleet(seed, 6);
        world.give(4, Input::Listeners(vec![id(0)]));
        world.network.no_datagrams.extend([(0, 4), (4, 0)]);
        write_set(&mut world, 0, 4);
        world.write(4, Kind::Obeys, "", Some(b"digest"));
        world.run(ms(ONE_WAY));
        assert!(!has(&world, 4, 4, Kind::Set, "") && !has(&world, 0, 4, Kind::Obeys, ""));
        let both =
            |world: &World| has(world, 4, 4, Kind::Set, "") && has(world, 0, 4, Kind::Obeys, "");
        assert!(world.run_until(secs(3), both), "seed {seed}");
    }
}

#[test]
fn what_is_too_large_or_too_much_for_packets_is_fetched_at_once() {
    let mut world = World::fleet(3, 10);
    world.give(4, Input::Listeners(vec![id(0), id(1), id(2)]));
    world.heard_by = Some((0, Vec::new()));
    world.write(4, Kind::Unit, "large", Some(&[7; MAX_BROADCAST]));
    for number in 0..100 {
        world.write(4, Kind::Unit, &number.to_string(), Some(&[7; 900]));
    }
    // A stream's five ways, and a second time for the third of them.
    world.run(ms(ONE_WAY * 10));
    assert!(direct(&world).len() <= 16);
    for voter in 0..3 {
        assert!(has(&world, voter, 4, Kind::Unit, "large"));
        assert!((0..100).all(|number| has(&world, voter, 4, Kind::Unit, &number.to_string())));
    }
}

#[test]
fn who_is_dead_is_told_nothing_and_of_many_listeners_the_first_hear() {
    let mut world = World::fleet(3, 20);
    world.kill(7);
    world.run(secs(15));
    world.heard_by = Some((7, Vec::new()));
    write_set(&mut world, 0, 7);
    world.run(ms(ONE_WAY));
    assert!(direct(&world).is_empty());
    world.give(19, Input::Listeners((0..19).map(id).collect()));
    world.heard_by = Some((15, Vec::new()));
    world.write(19, Kind::Raft, "", Some(b"leader"));
    world.run(ms(ONE_WAY));
    assert_eq!(direct(&world).len(), 1);
    world.heard_by = Some((16, Vec::new()));
    world.write(19, Kind::Raft, "", Some(b"follower"));
    world.run(ms(ONE_WAY));
    assert!(direct(&world).is_empty());
}

#[test]
fn listeners_know_that_a_host_leaves_before_it_is_down() {
    for seed in 0..10 {
        let mut world = World::fleet(seed, 12);
        world.give(3, Input::Listeners(vec![id(0)]));
        world.give(3, Input::Leave);
        world.kill(3);
        world.run(ms(ONE_WAY));
        assert!(has(&world, 0, 3, Kind::Leave, ""), "seed {seed}");
    }
}

#[test]
fn a_kind_of_a_later_version_is_passed_on_and_kept() {
    let mut world = World::fleet(2, 8);
    let kind = Kind::from_number(200);
    world.write(1, kind, "new", Some(b"x"));
    let all = |world: &World| (0..8).all(|host| has(world, host, 1, kind, "new"));
    assert!(world.run_until(secs(3), all));
    world.kill(5);
    world.run(secs(30));
    world.start(5, 0);
    assert!(world.run_until(secs(3), all));
}
