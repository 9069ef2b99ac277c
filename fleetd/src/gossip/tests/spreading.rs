//! Records reach everybody, and stay what their writer made them.

use super::world::{World, id, secs};
use crate::core::gossip::{Input, Key, Kind, Limits, MAX_BROADCAST, Parameters, Version, lock};

fn read(world: &World, host: usize, of: usize, kind: Kind, name: &str) -> Option<Vec<u8>> {
    let records = world.hosts[host].gossip.records();
    let key = Key { host: id(of), kind, name: name.to_owned() };
    let found = lock(&records).value(&key);
    found.map(|(_, value)| value.to_vec())
}

fn all_have(world: &World, of: usize, kind: Kind, name: &str, value: Option<&[u8]>) -> bool {
    (0..world.hosts.len())
        .filter(|host| world.hosts[*host].is_on)
        .all(|host| read(world, host, of, kind, name).as_deref() == value)
}

#[test]
fn a_small_record_is_everywhere_soon_and_so_is_its_end() {
    for (hosts, loss) in [(2, 0.0), (10, 0.0), (10, 0.2), (60, 0.05)] {
        let mut world = World::fleet(2, hosts);
        world.network.loss = loss;
        world.write(1, Kind::Unit, "web@1.container", Some(b"running"));
        let there =
            |world: &World| all_have(world, 1, Kind::Unit, "web@1.container", Some(b"running"));
        assert!(world.run_until(secs(3), there), "{hosts} hosts, loss {loss}");
        world.write(1, Kind::Unit, "web@1.container", None);
        let gone = |world: &World| all_have(world, 1, Kind::Unit, "web@1.container", None);
        assert!(world.run_until(secs(3), gone), "{hosts} hosts, loss {loss}");
    }
}

#[test]
fn a_large_record_comes_by_push_pull() {
    let mut world = World::fleet(2, 30);
    let large = vec![7; MAX_BROADCAST * 20];
    world.write(1, Kind::Image, "large", Some(&large));
    let has = |world: &World, host| read(world, host, 1, Kind::Image, "large").is_some();
    let most = |world: &World| (0..30).filter(|host| has(world, *host)).count() >= 24;
    let there = |world: &World| all_have(world, 1, Kind::Image, "large", Some(&large));
    let before = world.syncs;
    // Each host that gets it gives it to three others, chosen blindly.
    assert!(world.run_until(secs(10), most));
    world.run(secs(5));
    assert!(world.syncs - before < 30 * 6, "{}", world.syncs - before);
    // Who was chosen by nobody asks by itself.
    assert!(world.run_until(secs(20), there));
}

#[test]
fn who_comes_later_gets_everything_at_once() {
    let mut world = World::fleet(2, 5);
    world.kill(4);
    for host in 0..4 {
        for unit in 0..50 {
            world.write(host, Kind::Unit, &unit.to_string(), Some(b"x"));
        }
    }
    world.run(secs(30));
    world.start(4, 0);
    let all = |world: &World| {
        (0..4).all(|of| {
            (0..50).all(|unit| all_have(world, of, Kind::Unit, &unit.to_string(), Some(b"x")))
        })
    };
    assert!(world.run_until(secs(2), all));
}

#[test]
fn both_sides_of_a_cut_have_everything_after_it() {
    let mut world = World::fleet(8, 6);
    world.network.part(&[0, 1, 2], &[3, 4, 5], true);
    world.run(secs(20));
    for host in 0..6 {
        world.write(host, Kind::Unit, "a", Some(&[u8::try_from(host).unwrap()]));
    }
    world.run(secs(20));
    world.network.part(&[0, 1, 2], &[3, 4, 5], false);
    let all = |world: &World| {
        (0..6).all(|of| all_have(world, of, Kind::Unit, "a", Some(&[u8::try_from(of).unwrap()])))
    };
    assert!(world.run_until(secs(60), all));
}

#[test]
fn what_a_host_had_before_its_restart_is_taken_back() {
    let mut world = World::fleet(3, 4);
    world.write(2, Kind::Unit, "stays", Some(b"old"));
    world.write(2, Kind::Unit, "goes", Some(b"old"));
    world.run(secs(5));
    world.kill(2);
    world.run(secs(1));
    world.start(2, 0);
    world.write(2, Kind::Unit, "stays", Some(b"new"));
    let right = |world: &World| {
        all_have(world, 2, Kind::Unit, "stays", Some(b"new"))
            && all_have(world, 2, Kind::Unit, "goes", None)
    };
    assert!(world.run_until(secs(10), right));
}

#[test]
fn the_newest_set_wins_whoever_says_it() {
    let mut world = World::fleet(3, 5);
    let set = |generation, index| Version { life: generation, counter: index };
    for (voter, version, value) in
        [(0, set(1, 9), b"old".as_slice()), (1, set(2, 1), b"restored"), (4, set(1, 12), b"late")]
    {
        world.give(voter, Input::WriteSet { host: id(3), version, value });
    }
    let right = |world: &World| all_have(world, 3, Kind::Set, "", Some(b"restored"));
    assert!(world.run_until(secs(3), right));
}

#[test]
fn deletions_and_strangers_are_forgotten() {
    let limits = Limits { deletions: secs(60), ..Limits::default() };
    let parameters = Parameters { forget: secs(240), limits, ..Parameters::default() };
    let mut world = World::strangers(1, 3, parameters);
    let first = world.hosts[0].node.clone();
    for host in 1..3 {
        world.give(host, Input::Join(vec![first.clone()]));
    }
    world.run(secs(5));
    world.write(1, Kind::Unit, "a", Some(b"x"));
    world.write(2, Kind::Unit, "b", Some(b"x"));
    world.run(secs(5));
    world.write(1, Kind::Unit, "a", None);
    world.kill(2);
    world.run(secs(600));
    for host in [0, 1] {
        assert_eq!(lock(&world.hosts[host].gossip.records()).size(), (0, 0));
        assert_eq!(world.sees(host, 2), None);
        let (timers, members, records) = world.hosts[host].gossip.backlog();
        assert!(timers < 20 && members == 0 && records == 0, "{timers} {members} {records}");
    }
}
