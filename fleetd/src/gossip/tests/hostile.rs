//! What comes from outside, and from a host of the fleet that lies.

use super::world::{World, secs};
use crate::core::gossip::packet::{MAX_PACKET, Sealing};
use crate::core::gossip::{Event, Gossip, Input, Limits, Node, Output, Parameters, Reason, lock};
use foca::{Codec as _, Header, Member, Message, PostcardCodec};
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use std::time::Duration;

/// A packet as another host could make it.
fn packet(from: &Node, to: &Node, message: Message<Node>, said: &[Member<Node>]) -> Vec<u8> {
    let header = Header { src: from.clone(), src_incarnation: 0, dst: to.clone(), message };
    let mut packet = Vec::new();
    PostcardCodec.encode_header(&header, &mut packet).unwrap();
    packet.extend_from_slice(&u16::try_from(said.len()).unwrap().to_be_bytes());
    for member in said {
        PostcardCodec.encode_member(member, &mut packet).unwrap();
    }
    packet
}

fn give(world: &mut World, host: usize, packet: &[u8]) {
    world.give(host, Input::Packet { packet, generation: 1 });
}

#[test]
fn a_host_that_calls_everybody_dead_is_not_believed() {
    for seed in 0..10 {
        let mut world = World::fleet(seed, 5);
        let nodes: Vec<_> = world.hosts.iter().map(|host| host.node.clone()).collect();
        for (to, node) in nodes.iter().enumerate().skip(1) {
            let down: Vec<_> = nodes
                .iter()
                .skip(1)
                .filter(|other| *other != node)
                .cloned()
                .map(Member::down)
                .collect();
            give(&mut world, to, &packet(&nodes[0], node, Message::Gossip, &down));
        }
        assert!(world.run_until(secs(20), World::all_see_all), "seed {seed}");
        assert_eq!(world.false_deaths(), [], "seed {seed}");
    }
}

#[test]
fn a_host_comes_back_only_so_often() {
    let mut world = World::fleet(1, 3);
    for _ in 0..100 {
        let own = world.hosts[1].gossip.own().clone();
        let from = world.hosts[0].node.clone();
        give(&mut world, 1, &packet(&from, &own, Message::Gossip, &[Member::down(own.clone())]));
        let mut undead = packet(&from, &own, Message::TurnUndead, &[]);
        undead.truncate(undead.len() - 2);
        give(&mut world, 1, &undead);
    }
    assert!(world.hosts[1].gossip.own().renewal <= 3);
    assert!(world.hosts[1].gossip.dropped().of(Reason::TooManyRenewals) > 0);
    assert!(world.hosts[1].gossip.dropped().of(Reason::Unbelievable) > 0);
    assert!(world.run_until(secs(30), World::all_see_all));
}

#[test]
fn a_suspicion_that_cannot_be_refuted_makes_a_host_come_back_only_so_often() {
    let mut world = World::fleet(1, 3);
    for _ in 0..100 {
        let own = world.hosts[1].gossip.own().clone();
        let from = world.hosts[0].node.clone();
        let suspected = Member::new(own.clone(), u16::MAX, foca::State::Suspect);
        give(&mut world, 1, &packet(&from, &own, Message::Gossip, &[suspected]));
    }
    assert_eq!(world.hosts[1].gossip.own().renewal, 3);
    assert!(world.run_until(secs(30), World::all_see_all));
}

#[test]
fn what_is_said_in_the_name_of_a_host_itself_is_dropped() {
    let mut world = World::fleet(1, 3);
    let own = world.hosts[1].node.clone();
    let twin = Node { address: "192.0.2.1:1".parse().unwrap(), life: 9, ..own.clone() };
    give(&mut world, 1, &packet(&twin, &own, Message::Gossip, &[]));
    let from = world.hosts[0].node.clone();
    give(&mut world, 1, &packet(&from, &own, Message::Gossip, &[Member::alive(twin.clone())]));
    let dropped = world.hosts[1].gossip.dropped();
    assert_eq!((dropped.of(Reason::Ourselves), dropped.of(Reason::Unbelievable)), (1, 1));
    let twins =
        world.events.iter().filter(|(_, _, event)| *event == Event::Twin(own.host, twin.address));
    assert_eq!(twins.count(), 2);
    assert_eq!(world.hosts[1].gossip.own(), &own);
}

#[test]
fn memory_is_bounded_under_a_flood_of_hosts_and_records() {
    let parameters = Parameters {
        max_hosts: 50,
        limits: Limits { hosts: 40, records_per_host: 100, ..Limits::default() },
        ..Parameters::default()
    };
    let mut world = World::strangers(1, 2, parameters);
    let (own, first) = (world.hosts[1].node.clone(), world.hosts[0].node.clone());
    let mut rng = StdRng::seed_from_u64(5);
    for round in 0..20_000_u32 {
        let made_up = Node { host: rng.random::<u64>().into(), ..first.clone() };
        let from = if round % 2 == 0 { &first } else { &made_up };
        let said: Vec<_> = (0..5)
            .map(|_| Member::alive(Node { host: rng.random::<u64>().into(), ..first.clone() }))
            .collect();
        let mut bytes = packet(from, &own, Message::Gossip, &said);
        for _ in 0..5 {
            let mut record = vec![1, 2];
            record.extend_from_slice(&u128::from(rng.random::<u8>()).to_be_bytes());
            record.extend_from_slice(&1_u64.to_be_bytes());
            record.extend_from_slice(&u64::from(round).to_be_bytes());
            let mut letter = || rng.random_range(b'a'..=b'z');
            record.extend_from_slice(&[0, 2, letter(), letter(), b'x']);
            bytes.extend_from_slice(&u16::try_from(record.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(&record);
        }
        give(&mut world, 1, &bytes);
    }
    let gossip = &world.hosts[1].gossip;
    assert!(gossip.members().count() <= 55, "{}", gossip.members().count());
    assert!(lock(&gossip.records()).size().0 <= 4_000);
    let (timers, members, records) = gossip.backlog();
    assert!(timers < 2_000 && members < 100 && records <= 1_100, "{timers} {members} {records}");
    assert!(gossip.dropped().of(Reason::Limit) > 0);
}

#[test]
fn memory_is_bounded_under_a_flood_of_dead_hosts_and_of_hosts_in_one_push_pull() {
    let parameters = Parameters { max_hosts: 50, forget: secs(120), ..Parameters::default() };
    let mut world = World::strangers(1, 2, parameters);
    let (own, first) = (world.hosts[1].node.clone(), world.hosts[0].node.clone());
    give(&mut world, 1, &packet(&first, &own, Message::Gossip, &[]));
    let made_up = |host: u64| Node { host: (1_000 + host).into(), ..first.clone() };
    for round in 0..1_000 {
        let said: Vec<_> = (0..5).map(|n| Member::down(made_up(round * 5 + n))).collect();
        give(&mut world, 1, &packet(&first, &own, Message::Gossip, &said));
    }
    let kept = |world: &World| world.hosts[1].gossip.kept();
    assert!(kept(&world) <= 55, "{}", kept(&world));
    assert!(world.hosts[1].gossip.dropped().of(Reason::Unbelievable) > 900);
    // Their places are free again some time.
    world.run(secs(240));
    assert!(kept(&world) <= 2, "{}", kept(&world));
    let many = (0..5_000).map(|host| (made_up(host), 0)).collect();
    world.give(1, Input::Heard(many));
    assert!(kept(&world) <= 50, "{}", kept(&world));
}

#[test]
fn a_push_pull_that_never_ends_gives_its_place_back() {
    // Nobody is asked, so nobody is suspected of being silent.
    let parameters = Parameters { probe_period: secs(36_000), ..Parameters::default() };
    let node = |host: u64| Node::new(host.into(), 1, "10.0.0.1:7400".parse().unwrap());
    let mut gossip = Gossip::new(node(1), 1, parameters, [1; 32]);
    let others = (2..6).map(|host| (node(host), 0)).collect();
    let mut clock = Duration::ZERO;
    let mut turn = gossip.handle(Input::Heard(others), clock);
    let mut begun = 0;
    while clock < secs(600) {
        clock += turn.wake;
        turn = gossip.handle(Input::Wake, clock);
        begun += turn.outputs.iter().filter(|output| matches!(output, Output::Sync(_))).count();
    }
    assert!(begun > 4, "{begun}");
}

/// A host with two peers, and real packets for it.
fn listener() -> (Gossip, Vec<Vec<u8>>) {
    let mut world = World::fleet(11, 3);
    world.heard_by = Some((1, Vec::new()));
    world.write(0, crate::core::gossip::Kind::Unit, "a.container", Some(b"running"));
    world.run(secs(5));
    world.network.loss = 0.3;
    world.run(secs(20));
    let (_, packets) = world.heard_by.take().unwrap();
    assert!(packets.len() > 100);
    (world.hosts.swap_remove(1).gossip, packets)
}

#[test]
fn no_bytes_make_a_host_panic() {
    let (mut gossip, packets) = listener();
    let mut rng = StdRng::seed_from_u64(3);
    let mut clock = Duration::from_secs(3_000_000);
    let mut answers = 0_usize;
    for round in 0..60_000 {
        clock += Duration::from_millis(1);
        let mut bytes = if round % 3 == 0 {
            let mut bytes = vec![0; rng.random_range(0..MAX_PACKET + 2)];
            rng.fill_bytes(&mut bytes);
            bytes
        } else {
            packets[rng.random_range(0..packets.len())].clone()
        };
        for _ in 0..rng.random_range(0..4) {
            let at = rng.random_range(0..bytes.len().max(1));
            match rng.random_range(0..3) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at.min(bytes.len()), rng.random()),
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << rng.random_range(0..8);
                    }
                }
            }
        }
        let turn = gossip.handle(Input::Packet { packet: &bytes, generation: 1 }, clock);
        let sends = turn.outputs.iter().filter(|output| matches!(output, Output::Send { .. }));
        answers += sends.count();
    }
    assert!(gossip.dropped().of(Reason::Malformed) > 1_000);
    // No packet is answered with many.
    assert!(answers < 60_000 * 3, "{answers}");
}

#[test]
fn no_datagram_makes_opening_panic() {
    let sealing = Sealing::new(7, 1, &[[1; 32]]);
    let mut rng = StdRng::seed_from_u64(3);
    let good = sealing.seal(b"packet", [3; 12]).unwrap();
    for _ in 0..20_000 {
        let mut bytes =
            if rng.random_bool(0.5) { good.clone() } else { vec![1; rng.random_range(0..1_500)] };
        let at = rng.random_range(0..bytes.len().max(1));
        if let Some(byte) = bytes.get_mut(at) {
            *byte = byte.wrapping_add(rng.random_range(1..=255));
        }
        assert!(sealing.open(&mut bytes).is_err());
    }
}

#[test]
fn a_replayed_packet_changes_nothing() {
    let mut world = World::fleet(2, 3);
    let own = world.hosts[1].node.clone();
    let from = world.hosts[0].node.clone();
    let suspected = Member::new(own.clone(), 0, foca::State::Suspect);
    let old = packet(&from, &own, Message::Gossip, &[suspected]);
    give(&mut world, 1, &old);
    world.run(secs(2));
    let before = world.events.len();
    for _ in 0..100 {
        give(&mut world, 1, &old);
    }
    world.run(secs(5));
    assert_eq!(world.events.len(), before);
    assert!(world.all_see_all());
}

#[test]
fn a_life_that_nobody_comes_to_is_believed_of_no_host() {
    let mut world = World::fleet(4, 3);
    let nodes: Vec<_> = world.hosts.iter().map(|host| host.node.clone()).collect();
    for life in [u64::MAX, u64::MAX - 1, 1 << 62] {
        let liar = Node { life, ..nodes[0].clone() };
        let lies = [Member::alive(Node { life, ..nodes[2].clone() })];
        for to in [1, 2] {
            give(&mut world, to, &packet(&liar, &nodes[to], Message::Gossip, &[]));
            give(&mut world, to, &packet(&nodes[0], &nodes[to], Message::Gossip, &lies));
            let other_self = Node { life, ..nodes[to].clone() };
            give(&mut world, to, &packet(&nodes[0], &other_self, Message::Gossip, &[]));
            world.give(to, Input::Heard(vec![(Node { life, ..nodes[2].clone() }, 0)]));
        }
    }
    world.run(secs(10));
    assert!(world.all_see_all());
    for (host, node) in world.hosts.iter().zip(&nodes) {
        assert_eq!(host.gossip.own(), node);
        let lives: Vec<_> = host.gossip.members().map(|member| member.node.life).collect();
        assert_eq!(lives, [1, 1]);
    }
    assert!(world.hosts[1].gossip.dropped().of(Reason::Unbelievable) >= 9);
}
