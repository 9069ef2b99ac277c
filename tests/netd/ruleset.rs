//! What is written into nftables, as `nft` reads it.

use crate::client::network;
use crate::world::{World, needs};
use flotilla_tests::require;
use netd_api::{Document, NetworkSpec};

/// The whole ruleset, without what differs between kernels (an owner is shown where there are owners),
/// and of the chains that draw a backend only those that draw one of two: they differ in this number.
fn listed(world: &World) -> String {
    let text = world.host.command("nft", &["-s", "list", "ruleset"]);
    let text = text.replace(" # progname netd", "").replace("\tflags owner\n", "");
    let text = text.replace("inet flotilla {\n\n", "inet flotilla {\n");
    let mut drawing = Vec::new();
    let mut blocks: Vec<&str> = Vec::new();
    for block in text.split("\n\n") {
        match drawn(block) {
            Some((kind, places)) => drawing.push((kind, places, block)),
            None => blocks.push(block),
        }
    }
    let of = |kind: &str, places: u32| {
        drawing.iter().find(|(k, p, _)| (*k, *p) == (kind, places)).unwrap().2
    };
    for (kind, places, block) in &drawing {
        let expected = of(kind, 2)
            .replace(&format!("{kind}_2"), &format!("{kind}_{places}"))
            .replace("mod 2 ", &format!("mod {places} "));
        assert_eq!(*block, expected);
    }
    let (first, rest) = blocks.split_at(blocks.iter().position(|b| b.contains("chain")).unwrap());
    let all = [first, &[of("random", 2), of("source", 2)], rest].concat();
    all.join("\n\n")
}

/// What a chain draws a place by, and of how many.
fn drawn(block: &str) -> Option<(&str, u32)> {
    let name = block.trim_start().strip_prefix("chain ")?.split(' ').next()?;
    let (kind, places) = name.split_once('_')?;
    Some((kind, places.parse().ok()?))
}

/// The file is what a reader is to see: the order of the rules is the order of the defences.
#[test]
fn cve_2019_9946_the_rules_are_those_of_the_golden_file_in_their_order() {
    require!(needs());
    let world = World::dual();
    let internal = NetworkSpec {
        internal: true,
        services: vec!["10.96.0.0/24".parse().unwrap()],
        ..network("back", &["10.77.0.0/24"])
    };
    let document = Document { networks: vec![internal], endpoints: vec![], services: vec![] };
    world.client().try_apply(document).unwrap();
    let listed = listed(&world);
    let golden = include_str!("ruleset.nft");
    for (number, (is, should)) in listed.lines().zip(golden.lines()).enumerate() {
        assert_eq!(is, should, "line {} of:\n{listed}", number + 1);
    }
    assert_eq!(listed.lines().count(), golden.lines().count(), "{listed}");
}

#[test]
fn the_number_of_rules_does_not_grow() {
    require!(needs());
    let world = World::dual();
    let rules = |world: &World| {
        let dump = world.host.json("nft", "-j list ruleset");
        dump["nftables"].as_array().unwrap().iter().filter(|o| o.get("rule").is_some()).count()
    };
    let before = rules(&world);
    let mut client = world.client();
    let networks = (0..20).map(|n| network(&format!("net{n}"), &[&format!("10.66.{n}.0/24")]));
    let document = Document { networks: networks.collect(), endpoints: vec![], services: vec![] };
    client.try_apply(document).unwrap();
    let _inside: Vec<_> = (0..20u16)
        .map(|n| {
            client.attach(crate::client::spec(
                &format!("web{n}:1"),
                &[crate::client::tcp(8000 + n, 80)],
            ))
        })
        .collect();
    assert_eq!(rules(&world), before);
    world.assert_consistent();
}
