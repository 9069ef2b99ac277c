//! What somebody else breaks is whole again.

use crate::client::{network, on, spec, tcp};
use crate::namespace::Namespace;
use crate::traffic::{Talk, address_of, address6_of, can_connect, greet, serve_tcp};
use crate::world::{HOST, World, needs};
use flotilla_tests::require;
use netd_api::{Attached, Document, EndpointSpec};

/// A container with a server and an open conversation with it.
fn served(world: &World) -> (Attached, Namespace, Talk) {
    let (attached, inside) = world.client().attach(spec("web:1", &[tcp(8080, 80)]));
    serve_tcp(&inside, 80, "web");
    let talk = Talk::open(&world.neighbour, HOST, 8080).unwrap();
    (attached, inside, talk)
}

#[test]
fn deleted_routes_neighbours_and_addresses_come_back() {
    require!(needs());
    let world = World::dual();
    let (attached, _inside, mut talk) = served(&world);
    let link = attached.endpoint.places[0].link.clone();
    let (four, six) = (address_of(&attached.endpoint), address6_of(&attached.endpoint));
    for (line, back) in [
        (format!("route del {four}/32"), ("route show".to_owned(), four.to_string())),
        (format!("-6 route del {six}/128"), ("-6 route show".to_owned(), six.to_string())),
        (
            format!("neigh del {four} dev {link}"),
            (format!("neigh show dev {link} nud permanent"), four.to_string()),
        ),
        (
            format!("neigh del {six} dev {link}"),
            (format!("-6 neigh show dev {link} nud permanent"), six.to_string()),
        ),
        (format!("link set {link} down"), ("route show".to_owned(), four.to_string())),
        (
            format!("link set {link} group 0"),
            ("-d link show group 0".to_owned(), "uplink".to_owned()),
        ),
        (
            "addr del 10.89.0.1/16 dev flotilla0".to_owned(),
            ("-4 addr show dev flotilla0".to_owned(), "10.89.0.1/16".to_owned()),
        ),
        (
            "-6 addr del fd00:89::1/64 dev flotilla0".to_owned(),
            ("-6 addr show dev flotilla0".to_owned(), "fd00:89::1/64".to_owned()),
        ),
        (
            "link set flotilla0 down".to_owned(),
            ("-6 addr show dev flotilla0".to_owned(), "fd00:89::1/64".to_owned()),
        ),
    ] {
        world.host.ip(&line);
        let (show, wanted) = back;
        world.eventually(&line, |w| w.host.ip(&show).contains(&wanted));
        world.eventually(&line, |w| can_connect(&w.neighbour, HOST, 8080));
        assert!(greet(&world.host, four, 80).is_ok(), "{line}");
        assert!(greet(&world.host, six, 80).is_ok(), "{line}");
        assert_eq!(talk.say("on").unwrap(), "on", "{line}");
    }
    let groups = world.host.ip("link show group 0");
    assert!(!groups.contains(link.as_str()), "{groups}");
    world.assert_consistent();
}

#[test]
fn a_lost_journal_costs_no_network_either() {
    require!(needs());
    let mut world = World::new();
    let networks = || vec![network("front", &["10.66.0.0/24", "fd00:66::/64"])];
    let both = EndpointSpec {
        networks: vec![on("front"), on("bridge")],
        ..spec("web:1", &[tcp(8080, 80)])
    };
    let document =
        || Document { networks: networks(), endpoints: vec![both.clone()], services: vec![] };
    let mut client = world.client();
    client
        .try_apply(Document { networks: networks(), endpoints: vec![], services: vec![] })
        .unwrap();
    let (attached, inside) = client.attach(both.clone());
    serve_tcp(&inside, 80, "web");
    let mut talk = Talk::open(&world.neighbour, HOST, 8080).unwrap();
    world.kill();
    std::fs::remove_dir_all(world.state_dir()).unwrap();
    world.start();
    assert_eq!(talk.say("still there?").unwrap(), "still there?");
    for address in attached.endpoint.addresses() {
        assert!(greet(&world.host, address, 80).is_ok(), "{address}");
    }
    assert_eq!(world.client().try_apply(document()).unwrap(), []);
    assert_eq!(world.endpoints(), [attached.endpoint]);
    world.assert_consistent();
}

#[test]
fn netd_diff_says_what_is_not_as_it_is_wanted() {
    require!(needs());
    let world = World::dual();
    let (attached, _inside, _talk) = served(&world);
    world.eventually("nothing differs", |w| w.netd(&["diff"]).status.success());
    // A link that looks like one of ours and is nobody's: netd has no reason to touch it.
    let link = attached.endpoint.places[0].link.as_str();
    let shown = world.host.json("ip", &format!("-j link show {link}"));
    let group = shown[0]["group"].as_str().unwrap();
    world.host.ip("link add stray type veth peer name stray2");
    world.host.ip(&format!("link set stray group {group}"));
    let output = world.netd(&["diff"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "strange: link stray\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 thing differs"), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
    world.host.ip("link del stray");
    world.eventually("nothing differs", |w| w.netd(&["diff"]).status.success());
}
