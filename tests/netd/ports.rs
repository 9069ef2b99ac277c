//! Published ports.

use crate::client::{spec, tcp, udp};
use crate::traffic::{Talk, address_of, ask_udp, ask_udp_on, greet, serve_tcp, serve_udp};
use crate::world::{GATEWAY, HOST, NEIGHBOUR, World, needs};
use flotilla_tests::require;
use netd_api::{ErrorKind, PortMapping};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

#[test]
fn cve_2021_20199_the_program_sees_its_clients_address() {
    require!(needs());
    let world = World::new();
    let (_, inside) = world.client().attach(spec("web:1", &[tcp(8080, 80), udp(8080, 80)]));
    serve_tcp(&inside, 80, "web");
    serve_udp(&inside, 80, "web");
    let expected = format!("web sees {NEIGHBOUR}");
    assert_eq!(greet(&world.neighbour, HOST, 8080).unwrap(), expected);
    assert_eq!(ask_udp(&world.neighbour, HOST, 8080).unwrap(), expected);
}

#[test]
fn a_published_port_answers_on_the_hosts_own_addresses_and_on_127_0_0_1() {
    require!(needs());
    let world = World::new();
    let (_, inside) = world.client().attach(spec("web:1", &[tcp(8080, 80), udp(8080, 80)]));
    serve_tcp(&inside, 80, "web");
    serve_udp(&inside, 80, "web");
    assert_eq!(greet(&world.host, HOST, 8080).unwrap(), format!("web sees {HOST}"));
    assert_eq!(greet(&world.host, GATEWAY, 8080).unwrap(), format!("web sees {GATEWAY}"));
    assert_eq!(greet(&world.host, LOCAL, 8080).unwrap(), format!("web sees {GATEWAY}"));
    assert_eq!(ask_udp(&world.host, HOST, 8080).unwrap(), format!("web sees {HOST}"));
    assert_eq!(ask_udp(&world.host, LOCAL, 8080).unwrap(), format!("web sees {GATEWAY}"));
    let localnet = world
        .host
        .run(|| std::fs::read_to_string("/proc/sys/net/ipv4/conf/all/route_localnet").unwrap());
    assert_eq!(localnet.trim(), "0");
    let mut talk = Talk::open(&world.host, LOCAL, 8080).unwrap();
    let long = "x".repeat(1_000_000);
    assert_eq!(talk.say(&long).unwrap(), long);
}

#[test]
fn containers_reach_published_ports_also_their_own() {
    require!(needs());
    let world = World::new();
    let mut client = world.client();
    let (_, web) = client.attach(spec("web:1", &[tcp(8080, 80)]));
    let (asking, other) = client.attach(spec("other:1", &[]));
    serve_tcp(&web, 80, "web");
    for address in [HOST, GATEWAY] {
        let seen = greet(&other, address, 8080).unwrap();
        assert_eq!(seen, format!("web sees {}", address_of(&asking.endpoint)), "by {address}");
        // From itself to itself the answer would not come back through the host.
        let seen = greet(&web, address, 8080).unwrap();
        assert_eq!(seen, format!("web sees {GATEWAY}"), "itself by {address}");
    }
}

#[test]
fn a_port_on_one_address_is_not_on_the_others() {
    require!(needs());
    let world = World::new();
    world.host.ip("addr add 192.0.2.7/24 dev uplink");
    let mapping = PortMapping { host_ip: Some(HOST.into()), ..tcp(8080, 80) };
    let other = PortMapping { host_ip: Some([192, 0, 2, 7].into()), ..tcp(8080, 80) };
    let mut client = world.client();
    let (_, first) = client.attach(spec("first:1", &[mapping]));
    let (_, second) = client.attach(spec("second:1", &[other]));
    serve_tcp(&first, 80, "first");
    serve_tcp(&second, 80, "second");
    for from in [&world.neighbour, &world.host] {
        assert!(greet(from, HOST, 8080).unwrap().starts_with("first"));
        assert!(greet(from, [192, 0, 2, 7], 8080).unwrap().starts_with("second"));
    }
    assert!(greet(&world.host, LOCAL, 8080).is_err());
    let nowhere = PortMapping { host_ip: Some([192, 0, 2, 99].into()), ..tcp(8081, 80) };
    let error = client.try_attach(spec("third:1", &[nowhere])).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.contains("192.0.2.99:8081"), "{error}");
}

#[test]
fn a_port_in_use_is_refused_by_name_and_nothing_is_left() {
    require!(needs());
    let world = World::new();
    let mut client = world.client();
    let (_, _web) = client.attach(spec("web:1", &[tcp(8080, 80)]));
    let (_local, _wide, _address) = world.host.run(|| {
        (
            TcpListener::bind((LOCAL, 9001)).unwrap(),
            UdpSocket::bind(("0.0.0.0", 9002)).unwrap(),
            TcpListener::bind((HOST, 9003)).unwrap(),
        )
    });
    for (mapping, named) in [
        (tcp(8080, 80), "8080/tcp"),
        (tcp(9001, 80), "9001/tcp"),
        (udp(9002, 80), "9002/udp"),
        (tcp(9003, 80), "9003/tcp"),
    ] {
        // A good port before it must not stay taken.
        let error = client.try_attach(spec("db:1", &[tcp(9100, 80), mapping])).err().unwrap();
        assert_eq!(error.kind, ErrorKind::InUse, "{error}");
        assert!(error.message.contains(named), "{error}");
    }
    world.host.run(|| TcpListener::bind((LOCAL, 9100))).unwrap();
    assert_eq!(world.endpoints().len(), 1);
    world.assert_consistent();
    let taken = world.host.run(|| TcpListener::bind((LOCAL, 8080)));
    assert_eq!(taken.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn a_port_passes_to_the_next_endpoint_at_once() {
    require!(needs());
    let world = World::new();
    let mut client = world.client();
    for round in 0..10 {
        let id = format!("web{round}:1");
        let (_, inside) = client.attach(spec(&id, &[tcp(8080, 80), udp(8080, 80)]));
        serve_tcp(&inside, 80, "web");
        assert!(greet(&world.neighbour, HOST, 8080).is_ok(), "round {round}");
        assert!(greet(&world.host, LOCAL, 8080).is_ok(), "round {round}");
        client.detach(&id);
    }
    world.assert_consistent();
}

#[test]
fn a_udp_client_that_never_stops_meets_the_new_container() {
    require!(needs());
    let world = World::new();
    let mut client = world.client();
    let socket = world.neighbour.run(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    for name in ["web0", "web1", "web2"] {
        let id = format!("{name}:1");
        let (attached, inside) = client.attach(spec(&id, &[udp(8080, 80)]));
        serve_udp(&inside, 80, name);
        let address = address_of(&attached.endpoint);
        // The flow of the last round is forgotten in the background, and until then the old
        // container may answer; a datagram may go with it.
        world.eventually("the client meets the new container", |_| {
            socket.set_read_timeout(Some(crate::traffic::SILENCE)).unwrap();
            socket.send_to(b"hello", (HOST, 8080)).unwrap();
            let mut buffer = [0; 100];
            let heard = socket.recv_from(&mut buffer);
            heard.is_ok_and(|(length, _)| buffer[..length].starts_with(name.as_bytes()))
        });
        assert!(ask_udp_on(&socket, HOST, 8080).is_ok(), "{address}");
        client.detach(&id);
        let _ = socket.send_to(b"to nobody", (HOST, 8080));
    }
}

#[test]
fn ghsa_jv3w_a_published_port_takes_no_transit() {
    require!(needs());
    let world = World::new();
    let mut client = world.client();
    let (_, dns) = client.attach(spec("dns:1", &[tcp(53, 53), udp(53, 53)]));
    let (_, other) = client.attach(spec("other:1", &[]));
    serve_tcp(&dns, 53, "dns");
    serve_udp(&dns, 53, "dns");
    serve_tcp(&world.neighbour, 53, "neighbour");
    serve_udp(&world.neighbour, 53, "neighbour");
    assert_eq!(greet(&other, NEIGHBOUR, 53).unwrap(), format!("neighbour sees {HOST}"));
    assert_eq!(ask_udp(&other, NEIGHBOUR, 53).unwrap(), format!("neighbour sees {HOST}"));
    assert_eq!(greet(&world.neighbour, HOST, 53).unwrap(), format!("dns sees {NEIGHBOUR}"));
    // And the containers' own name server is still there.
    assert!(crate::dns::resolve(&other, "dns.", crate::dns::A).addresses.len() == 1);
}
