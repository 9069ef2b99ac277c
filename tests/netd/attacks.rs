//! Attacks on the network of a host.

use crate::client::{spec, tcp};
use crate::namespace::Namespace;
use crate::traffic::{SILENCE, address_of, can_connect, greet, serve_tcp};
use crate::world::{HOST, NEIGHBOUR, World, needs};
use flotilla_tests::{require, sys};
use std::net::UdpSocket;
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
    let address = address_of(&attached.endpoint);
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
    assert!(!can_connect(&world.neighbour, address_of(&attached.endpoint), 80));
}

#[test]
fn a_container_cannot_take_anothers_address() {
    require!(needs());
    let world = World::new();
    let mut client = world.client();
    let (victim, victim_inside) = client.attach(spec("victim:1", &[]));
    let (_, thief) = client.attach(spec("thief:1", &[]));
    let (bystander, other) = client.attach(spec("other:1", &[]));
    let address = address_of(&victim.endpoint);
    serve_tcp(&victim_inside, 80, "victim");
    serve_tcp(&thief, 80, "thief");
    thief.ip(&format!("addr add {address}/32 dev eth0"));
    thief.run(|| std::fs::write("/proc/sys/net/ipv4/conf/eth0/arp_notify", "1").unwrap());
    // Announces the address, as a new owner does.
    thief.ip("link set eth0 down");
    thief.ip("link set eth0 up");
    thief.ip("route add 10.89.0.1 dev eth0 scope link");
    thief.ip("route add default via 10.89.0.1");
    for _ in 0..10 {
        assert!(greet(&other, address, 80).unwrap().starts_with("victim"));
        assert!(greet(&world.host, address, 80).unwrap().starts_with("victim"));
    }
    // Nor send in its name.
    let sink = other.run(|| UdpSocket::bind("0.0.0.0:7000").unwrap());
    sink.set_read_timeout(Some(SILENCE)).unwrap();
    let target = address_of(&bystander.endpoint);
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

fn send_frame_to(from: &std::os::fd::OwnedFd, to: [u8; 6], ether_type: u16, rest: &[u8]) {
    let mut frame = to.to_vec();
    frame.extend_from_slice(&[2, 0, 0, 0, 0, 9]);
    frame.extend_from_slice(&ether_type.to_be_bytes());
    frame.extend_from_slice(rest);
    frame.resize(80, 0);
    let flags = nix::sys::socket::MsgFlags::empty();
    nix::sys::socket::send(from.as_raw_fd(), &frame, flags).unwrap();
}

/// Whether such a frame comes in time. The socket also hears what its own namespace sends.
fn hears(socket: &std::os::fd::OwnedFd, is_meant: impl Fn(&[u8]) -> bool) -> bool {
    let flags = nix::sys::socket::MsgFlags::empty();
    let mut buffer = [0; 200];
    while let Ok(length) = nix::sys::socket::recv(socket.as_raw_fd(), &mut buffer, flags) {
        if is_meant(&buffer[..length]) {
            return true;
        }
    }
    false
}

/// Whether a frame is a router advertisement: of type 134, behind the headers of Ethernet and IPv6.
fn is_advertisement(frame: &[u8]) -> bool {
    frame.get(54) == Some(&134)
}

/// A whole router advertisement from a link-local address, as the kernel would take it.
fn router_advertisement() -> Vec<u8> {
    let source: std::net::Ipv6Addr = "fe80::bad".parse().unwrap();
    let all_nodes: std::net::Ipv6Addr = "ff02::1".parse().unwrap();
    // Type 134: hop limit 64, a lifetime of 1,800 s.
    let mut message = vec![134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut sum: u32 = (message.len() + 58) as u32;
    let summed = source.octets().into_iter().chain(all_nodes.octets()).chain(message.clone());
    for pair in summed.collect::<Vec<u8>>().chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair[1]]));
    }
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    message[2..4].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    let mut packet = vec![0x60, 0, 0, 0, 0, message.len() as u8, 58, 255];
    packet.extend(source.octets());
    packet.extend(all_nodes.octets());
    packet.extend(message);
    packet
}

/// Default routes of IPv6 in a namespace.
fn default_routes(namespace: &Namespace) -> String {
    namespace.ip("-6 route show default")
}

#[test]
fn cve_2020_10749_a_rogue_router_advertisement_changes_nothing() {
    require!(needs());
    const IPV6: u16 = 0x86dd;
    const ALL_NODES: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
    for subnets in [&["10.89.0.0/16"][..], &["10.89.0.0/16", "fd00:89::/64"]] {
        let mut world = World::without_netd();
        for subnet in subnets {
            world.options.extend(["--subnet", subnet].map(str::to_owned));
        }
        world.start();
        let mut client = world.client();
        let (_, attacker) = client.attach(spec("attacker:1", &[]));
        let (_, victim) = client.attach(spec("victim:1", &[]));
        // The worst of hosts: it listens to routers, also now that it forwards.
        world.host.run(|| {
            for entry in std::fs::read_dir("/proc/sys/net/ipv6/conf").unwrap() {
                std::fs::write(entry.unwrap().path().join("accept_ra"), "2").unwrap();
            }
        });
        let before = [&world.host, &victim].map(default_routes);
        let out = frames(&attacker, IPV6);
        let ear = frames(&victim, IPV6);
        for _ in 0..3 {
            send_frame_to(&out, ALL_NODES, IPV6, &router_advertisement());
        }
        assert!(!hears(&ear, is_advertisement), "the sibling hears it");
        assert_eq!([&world.host, &victim].map(default_routes), before);
    }
}

#[test]
fn a_container_hears_no_frame_of_another_one() {
    require!(needs());
    const ARP: u16 = 0x0806;
    let world = World::new();
    let mut client = world.client();
    let (attacker, attacker_inside) = client.attach(spec("attacker:1", &[]));
    let (victim, victim_inside) = client.attach(spec("victim:1", &[]));
    let out = frames(&attacker_inside, ARP);
    let ear = frames(&victim_inside, ARP);
    let [own, other] = [&attacker, &victim].map(|a| address_of(&a.endpoint).octets());
    // "I am the gateway", to everybody.
    let mut arp = vec![0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 9, 10, 89, 0, 1];
    arp.extend([0xff; 6]);
    arp.extend(other);
    send_frame_to(&out, [0xff; 6], ARP, &arp);
    let is_forged = |frame: &[u8]| frame.get(6..12) == Some(&[2, 0, 0, 0, 0, 9]);
    assert!(!hears(&ear, is_forged), "a forged ARP frame passed");
    // And the host knows its containers for good: "the victim's address is mine" changes nothing.
    let mut arp = vec![0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 9];
    arp.extend(other);
    arp.extend([0xff; 6]);
    arp.extend(own);
    send_frame_to(&out, [0xff; 6], ARP, &arp);
    serve_tcp(&victim_inside, 80, "victim");
    assert!(greet(&world.host, other, 80).unwrap().starts_with("victim"));
}
