//! What an endpoint is, from inside it and beside it.

use crate::client::{spec, tcp};
use crate::traffic::{address_of, greet, serve_tcp};
use crate::world::{GATEWAY, HOST, NEIGHBOUR, World, needs};
use flotilla_tests::require;
use netd_api::{Call, Document, EndpointId, ErrorKind, Reply};

#[test]
fn a_namespace_comes_with_eth0_address_and_route() {
    require!(needs());
    let world = World::new();
    let (attached, inside) = world.client().attach(spec("web:1", &[]));
    assert_eq!(attached.dns, [GATEWAY]);
    let links = inside.json("ip", "-j addr");
    let names: Vec<_> = links.as_array().unwrap().iter().map(|l| l["ifname"].clone()).collect();
    assert_eq!(names, ["lo", "eth0"]);
    for link in links.as_array().unwrap() {
        assert!(link["flags"].as_array().unwrap().contains(&"UP".into()), "{link}");
    }
    let eth0 = &links[1]["addr_info"];
    assert_eq!(eth0.as_array().unwrap().len(), 1, "{eth0}");
    assert_eq!(eth0[0]["local"], address_of(&attached.endpoint).to_string());
    // Alone: every packet goes to the host, also one to a neighbour.
    assert_eq!(eth0[0]["prefixlen"], 32);
    let routes = inside.json("ip", "-j route");
    assert_eq!(routes[0]["dst"], "default");
    assert_eq!(routes[0]["gateway"], GATEWAY.to_string());
    assert_eq!(routes[1]["dst"], GATEWAY.to_string());
    assert_eq!(routes.as_array().unwrap().len(), 2, "{routes}");
}

#[test]
fn ghsa_x84c_an_ipv4_network_has_no_ipv6_inside() {
    require!(needs());
    let world = World::new();
    let (_, inside) = world.client().attach(spec("web:1", &[]));
    let addresses = inside.run(|| std::fs::read_to_string("/proc/thread-self/net/if_inet6"));
    assert_eq!(addresses.unwrap_or_default(), "");
    for (name, value) in [("all/disable_ipv6", "1"), ("eth0/accept_ra", "0")] {
        let path = format!("/proc/sys/net/ipv6/conf/{name}");
        if let Ok(found) = inside.run(|| std::fs::read_to_string(&path)) {
            assert_eq!(found.trim(), value, "{name}");
        }
    }
    let host = world.host.ip("-6 addr show dev flotilla0");
    assert_eq!(host, "", "the host has no IPv6 on the containers' network");
}

#[test]
fn containers_talk_to_each_other_and_to_the_world() {
    require!(needs());
    let world = World::new();
    let mut client = world.client();
    let (web, web_inside) = client.attach(spec("web:1", &[]));
    let (db, db_inside) = client.attach(spec("db:1", &[]));
    serve_tcp(&db_inside, 5432, "db");
    serve_tcp(&world.neighbour, 80, "neighbour");
    serve_tcp(&world.host, 81, "host");
    let seen = greet(&web_inside, address_of(&db.endpoint), 5432).unwrap();
    assert_eq!(seen, format!("db sees {}", address_of(&web.endpoint)));
    // The neighbour has no route to containers: the answer proves the translation.
    assert_eq!(greet(&web_inside, NEIGHBOUR, 80).unwrap(), format!("neighbour sees {HOST}"));
    let seen = greet(&web_inside, GATEWAY, 81).unwrap();
    assert_eq!(seen, format!("host sees {}", address_of(&web.endpoint)));
}

#[test]
fn the_same_attachment_again_is_the_same_namespace() {
    require!(needs());
    let world = World::new();
    let mut client = world.client();
    let (first, inside) = client.attach(spec("web:1", &[tcp(8080, 80)]));
    let (again, inside_again) = client.attach(spec("web:1", &[tcp(8080, 80)]));
    assert_eq!(first.endpoint, again.endpoint);
    let number = || std::fs::read_link("/proc/thread-self/ns/net").unwrap();
    assert_eq!(inside.run(number), inside_again.run(number));
    let other = client.try_attach(spec("web:1", &[])).err().unwrap();
    assert_eq!(other.kind, ErrorKind::Invalid, "{other}");
    assert_eq!(world.endpoints().len(), 1);
}

#[test]
fn a_detached_endpoint_leaves_nothing_and_its_unit_gets_the_address_again() {
    require!(needs());
    let world = World::new();
    let mut client = world.client();
    let (first, inside) = client.attach(spec("web:1", &[tcp(8080, 80)]));
    drop(inside);
    client.detach("web:1");
    client.detach("web:1");
    assert_eq!(world.endpoints(), []);
    let (other, _inside) = client.attach(spec("db:1", &[tcp(8080, 81)]));
    assert_ne!(address_of(&other.endpoint), address_of(&first.endpoint));
    let (second, inside) = client.attach(spec("web:2", &[]));
    assert_eq!(address_of(&second.endpoint), address_of(&first.endpoint));
    assert_ne!(second.endpoint.places[0].link, first.endpoint.places[0].link);
    serve_tcp(&inside, 80, "web");
    let seen = greet(&world.host, address_of(&second.endpoint), 80).unwrap();
    assert_eq!(seen, format!("web sees {GATEWAY}"));
    world.eventually("the first link is gone", |world| {
        !world.links().contains(&first.endpoint.places[0].link.to_string())
    });
    world.assert_consistent();
}

#[test]
fn a_document_changes_ports_in_place_and_drops_what_is_not_in_it() {
    require!(needs());
    let world = World::new();
    let mut client = world.client();
    let (_, web) = client.attach(spec("web:1", &[tcp(8080, 80), tcp(8081, 80)]));
    let (_, _db) = client.attach(spec("db:1", &[tcp(8082, 80)]));
    serve_tcp(&web, 80, "web");
    let document =
        |specs| Call::Apply { document: Document { endpoints: specs, ..Document::default() } };

    let bad = vec![spec("web:1", &[tcp(9000, 80)]), spec("db:1", &[tcp(9000, 80)])];
    let (reply, _) = client.call(document(bad)).unwrap();
    assert!(matches!(reply, Reply::Failed(f) if f.kind == ErrorKind::InUse));
    assert_eq!(world.endpoints().iter().map(|e| e.spec.ports.len()).sum::<usize>(), 3);

    let good = vec![spec("web:1", &[tcp(8082, 80), tcp(8081, 80)]), spec("never:1", &[])];
    let (reply, _) = client.call(document(good)).unwrap();
    assert_eq!(reply, Reply::Applied { missing: vec![EndpointId::new("never:1").unwrap()] });
    for (from, to) in [(&world.neighbour, HOST), (&world.host, [127, 0, 0, 1].into())] {
        for port in [8081, 8082] {
            assert!(greet(from, to, port).is_ok(), "{to}:{port}");
        }
        assert!(greet(from, to, 8080).is_err(), "{to}:8080");
    }
    world.assert_consistent();
}
