//! Attacks on the network of a host.

use crate::client::{spec, tcp};
use crate::namespace::Namespace;
use crate::traffic::{SILENCE, can_connect, greet, serve_tcp, v4};
use crate::world::{HOST, NEIGHBOUR, World, needs};
use flotilla_tests::{require, sys};
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

/// What must come may take this long on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends a datagram from the neighbour to 127.0.0.1 of the host and says whether it arrives there.
fn reaches_loopback(world: &World, patience: Duration) -> bool {
    let service = world.host.run(|| UdpSocket::bind("127.0.0.1:7777").unwrap());
    service.set_read_timeout(Some(patience)).unwrap();
    let socket = world.neighbour.run(|| UdpSocket::bind((NEIGHBOUR, 0)).unwrap());
    socket.send_to(b"boo", "127.0.0.1:7777").unwrap();
    service.recv_from(&mut [0; 10]).is_ok()
}

#[test]
fn cve_2020_8558_a_neighbour_does_not_reach_127_0_0_1() {
    require!(needs());
    let mut world = World::without_netd();
    // The worst of hosts: somebody has opened the loopback network to its neighbours.
    let open = |link: &str| {
        let path = format!("/proc/sys/net/ipv4/conf/{link}/route_localnet");
        std::fs::write(path, "1").unwrap();
    };
    world.host.run(|| open("uplink"));
    world.neighbour.run(|| open("eth0"));
    world.neighbour.ip("addr flush dev lo");
    world.neighbour.ip("route add 127.0.0.1/32 via 192.0.2.1 src 192.0.2.2");
    assert!(
        reaches_loopback(&world, PATIENCE),
        "the attack does not work where nothing keeps it out"
    );
    world.start();
    assert!(!reaches_loopback(&world, SILENCE));
}

#[test]
fn cve_2025_54410_a_neighbours_route_to_the_containers_leads_nowhere() {
    require!(needs());
    let world = World::new();
    let (attached, inside) = world.client().attach(spec("web:1", &[tcp(8080, 80)]));
    serve_tcp(&inside, 80, "web");
    let address = v4(attached.endpoint.address);
    world.neighbour.ip("route add 10.89.0.0/16 via 192.0.2.1");
    assert!(!can_connect(&world.neighbour, address, 80));
    assert!(greet(&world.neighbour, HOST, 8080).is_ok());
    // Without our rules the same packet arrives.
    world.host.command("nft", &["flush", "ruleset"]);
    let owned = world.host.command("nft", &["list", "tables"]).contains("flotilla");
    if owned {
        println!("the table is owned: a foreign flush passes it by");
        assert!(!can_connect(&world.neighbour, address, 80));
    }
}

#[test]
fn cve_2025_54388_flushed_rules_are_there_again() {
    require!(needs());
    let world = World::new();
    let (attached, inside) = world.client().attach(spec("web:1", &[tcp(8080, 80)]));
    serve_tcp(&inside, 80, "web");
    world.neighbour.ip("route add 10.89.0.0/16 via 192.0.2.1");
    world.host.command("nft", &["flush", "ruleset"]);
    world.assert_consistent();
    world.eventually("published ports work", |w| can_connect(&w.neighbour, HOST, 8080));
    assert!(!can_connect(&world.neighbour, v4(attached.endpoint.address), 80));
}

#[test]
fn a_container_cannot_take_anothers_address() {
    require!(needs());
    let world = World::new();
    let mut client = world.client();
    let (victim, victim_inside) = client.attach(spec("victim:1", &[]));
    let (_, thief) = client.attach(spec("thief:1", &[]));
    let (_, other) = client.attach(spec("other:1", &[]));
    let address = v4(victim.endpoint.address);
    serve_tcp(&victim_inside, 80, "victim");
    serve_tcp(&thief, 80, "thief");
    thief.ip(&format!("addr add {address}/32 dev eth0"));
    thief.run(|| std::fs::write("/proc/sys/net/ipv4/conf/eth0/arp_notify", "1").unwrap());
    // Announces the address, as a new owner does.
    thief.ip("link set eth0 down");
    thief.ip("link set eth0 up");
    for _ in 0..10 {
        assert!(greet(&other, address, 80).unwrap().starts_with("victim"));
        assert!(greet(&world.host, address, 80).unwrap().starts_with("victim"));
    }
    // Nor send in its name.
    let sink = other.run(|| UdpSocket::bind("0.0.0.0:7000").unwrap());
    sink.set_read_timeout(Some(SILENCE)).unwrap();
    let target = other.json("ip", "-j -4 addr show eth0")[0]["addr_info"][0]["local"].clone();
    let target: Ipv4Addr = target.as_str().unwrap().parse().unwrap();
    thief.ip("route add default via 10.89.0.1 onlink dev eth0");
    let forged = thief.run(|| UdpSocket::bind((address, 0)).unwrap());
    forged.send_to(b"forged", (target, 7000)).unwrap();
    assert!(sink.recv_from(&mut [0; 10]).is_err(), "a forged datagram arrived");
    let honest = victim_inside.run(|| UdpSocket::bind((address, 0)).unwrap());
    honest.send_to(b"honest", (target, 7000)).unwrap();
    assert!(sink.recv_from(&mut [0; 10]).is_ok(), "an honest datagram did not");
}

/// A packet socket on `eth0`, for all frames of one ether type.
fn frames(namespace: &Namespace, ether_type: u16) -> std::os::fd::OwnedFd {
    namespace.run(|| {
        let protocol = i32::from(ether_type.to_be());
        let socket = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, protocol).unwrap();
        sys::bind_to_link(&socket, "eth0", ether_type).unwrap();
        sys::set_receive_timeout(&socket, SILENCE).unwrap();
        socket
    })
}

fn send_frame(from: &std::os::fd::OwnedFd, source: [u8; 6], ether_type: u16, rest: &[u8]) {
    let mut frame = vec![0xff; 6];
    frame.extend_from_slice(&source);
    frame.extend_from_slice(&ether_type.to_be_bytes());
    frame.extend_from_slice(rest);
    frame.resize(80, 0);
    let flags = nix::sys::socket::MsgFlags::empty();
    nix::sys::socket::send(from.as_raw_fd(), &frame, flags).unwrap();
}

fn hears(socket: &std::os::fd::OwnedFd) -> io::Result<usize> {
    let flags = nix::sys::socket::MsgFlags::empty();
    Ok(nix::sys::socket::recv(socket.as_raw_fd(), &mut [0; 200], flags)?)
}

#[test]
fn cve_2020_10749_a_rogue_router_advertisement_reaches_nobody() {
    require!(needs());
    const IPV6: u16 = 0x86dd;
    const ARP: u16 = 0x0806;
    let world = World::new();
    let mut client = world.client();
    let (attacker, attacker_inside) = client.attach(spec("attacker:1", &[]));
    let (_, victim) = client.attach(spec("victim:1", &[]));
    let [a, b, c, d] = v4(attacker.endpoint.address).octets();
    let own = [0x02, 0xf1, a, b, c, d];
    let (out, ear) = (frames(&attacker_inside, IPV6), frames(&victim, IPV6));
    // The start of an IPv6 header with ICMPv6 in it: enough for a bridge.
    send_frame(&out, own, IPV6, &[0x60, 0, 0, 0, 0, 26, 58, 255]);
    assert!(hears(&ear).is_err(), "an IPv6 frame passed");
    // The same way is open to an honest ARP question, and to no other.
    let ear = frames(&victim, ARP);
    let arp = |sender: [u8; 4]| {
        let mut body = vec![0, 1, 8, 0, 6, 4, 0, 1];
        body.extend_from_slice(&own);
        body.extend_from_slice(&sender);
        body
    };
    send_frame(&out, own, ARP, &arp([10, 89, 0, 1]));
    send_frame(&out, [2, 0, 0, 0, 0, 9], ARP, &arp([a, b, c, d]));
    assert!(hears(&ear).is_err(), "a forged ARP frame passed");
    send_frame(&out, own, ARP, &arp([a, b, c, d]));
    assert!(hears(&ear).is_ok(), "an honest ARP frame did not pass");
}
