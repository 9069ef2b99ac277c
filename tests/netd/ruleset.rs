//! What is written into nftables, as `nft` reads it.

use crate::client::network;
use crate::world::{World, needs};
use flotilla_tests::require;
use netd_api::{Document, NetworkSpec};

/// Beside the table itself, whose owner is shown where the kernel knows owners.
fn is_ours(line: &&str) -> bool {
    line.trim() != "flags owner"
}

fn listed(world: &World) -> String {
    let text = world.host.command("nft", &["-s", "list", "ruleset"]);
    let lines: Vec<&str> = text.lines().filter(is_ours).collect();
    lines.join("\n").replace(" # progname netd", "").replace("{\n\n", "{\n") + "\n"
}

/// The file is what a reader is to see: the order of the rules is the order of the defences.
#[test]
fn cve_2019_9946_the_rules_are_those_of_the_golden_file_in_their_order() {
    require!(needs());
    let world = World::dual();
    let internal = NetworkSpec { internal: true, ..network("back", &["10.77.0.0/24"]) };
    let document = Document { networks: vec![internal], endpoints: vec![] };
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
    let document = Document { networks: networks.collect(), endpoints: vec![] };
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
