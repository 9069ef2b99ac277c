//! Virtual addresses in front of containers.

use crate::client::{Client, network, on, service, spec};
use crate::dns::{A, resolve};
use crate::namespace::Namespace;
use crate::traffic::{Talk, address_of, ask_udp_on, can_connect, greet, serve_tcp, serve_udp};
use crate::world::{World, needs};
use flotilla_tests::require;
use netd_api::{
    Attached, Balance, Call, Document, EndpointSpec, ErrorKind, NetworkSpec, Reply, ServiceSpec,
};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpStream, UdpSocket};

const VIRTUAL: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
const UNUSED: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 9);

fn networks() -> Vec<NetworkSpec> {
    let services = ["10.96.0.0/24", "fd00:96::/112"].map(|net| net.parse().unwrap()).to_vec();
    let front = network("front", &["10.66.0.0/24", "fd00:66::/64"]);
    vec![NetworkSpec { services, ..front }, network("back", &["10.77.0.0/24"])]
}

/// netd with these networks, containers that serve on `front`, and one that asks.
struct Ground {
    world: World,
    client: Client,
    servers: Vec<(Attached, Namespace)>,
    asking: (Attached, Namespace),
}

const NAMES: [&str; 3] = ["one", "two", "three"];

fn on_network(id: &str, name: &str) -> EndpointSpec {
    EndpointSpec { networks: vec![on(name)], ..spec(id, &[]) }
}

impl Ground {
    fn new() -> Self {
        let world = World::new();
        let mut client = world.client();
        client.try_apply(Document { networks: networks(), ..Document::default() }).unwrap();
        let servers = NAMES.map(|name| {
            let (attached, inside) = client.attach(on_network(&format!("{name}:1"), "front"));
            serve_tcp(&inside, 8080, name);
            serve_udp(&inside, 8080, name);
            (attached, inside)
        });
        let asking = client.attach(on_network("asking:1", "front"));
        Self { world, client, servers: servers.into(), asking }
    }

    /// The service in front of the first so many.
    fn of(&self, count: usize) -> ServiceSpec {
        let backends: Vec<&Attached> = self.servers[..count].iter().map(|(a, _)| a).collect();
        ServiceSpec {
            network: networks()[0].name.clone(),
            ..service("web", &[&VIRTUAL.to_string(), "fd00:96::1"], &backends)
        }
    }

    fn put(&mut self, service: ServiceSpec) {
        let (reply, _) = self.client.call(Call::PutService { service }).unwrap();
        assert_eq!(reply, Reply::ServicePut);
    }

    /// Who answers so many new connections, and how often.
    fn answers(&self, from: &Namespace, count: usize) -> BTreeMap<String, usize> {
        let mut answers = BTreeMap::new();
        for _ in 0..count {
            let greeting = greet(from, VIRTUAL, 80).unwrap();
            let name = greeting.split(' ').next().unwrap().to_owned();
            *answers.entry(name).or_default() += 1;
        }
        answers
    }
}

#[test]
fn connections_are_spread_over_the_backends_which_see_their_clients_address() {
    require!(needs());
    let mut ground = Ground::new();
    ground.put(ground.of(3));
    let inside = &ground.asking.1;
    let answers = ground.answers(inside, 150);
    // Of 150, each third is 50; less than 20 has a chance of one in a hundred million.
    assert!(answers.len() == 3 && answers.values().all(|count| *count >= 20), "{answers:?}");
    let own = address_of(&ground.asking.0.endpoint);
    assert!(greet(inside, VIRTUAL, 80).unwrap().ends_with(&format!(" sees {own}")));
    let six: IpAddr = "fd00:96::1".parse().unwrap();
    assert!(greet(inside, six, 80).unwrap().contains(" sees fd00:66::"));
    assert_eq!(resolve(inside, "web.", A).addresses, [VIRTUAL]);
    // The host as well, by an address of its own on the network.
    assert!(greet(&ground.world.host, VIRTUAL, 80).unwrap().ends_with(" sees 10.66.0.1"));
    assert!(greet(&ground.world.host, six, 80).unwrap().ends_with(" sees fd00:66::1"));
    // And a backend, which may meet itself.
    let (first, inside) = &ground.servers[0];
    let seen: Vec<String> = (0..60).map(|_| greet(inside, VIRTUAL, 80).unwrap()).collect();
    let itself = seen.iter().filter(|text| text.starts_with("one ")).count();
    assert!(itself > 0 && itself < 60, "{seen:?}");
    assert!(seen.contains(&"one sees 10.66.0.1".to_owned()), "{seen:?}");
    assert!(seen.contains(&format!("two sees {}", address_of(&first.endpoint))), "{seen:?}");
}

#[test]
fn a_backend_that_goes_keeps_its_connections_and_gets_no_new_ones() {
    require!(needs());
    let mut ground = Ground::new();
    ground.put(ground.of(1));
    let mut talk = Talk::open(&ground.asking.1, VIRTUAL, 80).unwrap();
    assert!(talk.greeting.starts_with("one "));
    let without = ServiceSpec { backends: ground.of(3).backends.split_off(1), ..ground.of(3) };
    ground.put(without);
    let answers = ground.answers(&ground.asking.1, 40);
    assert!(answers.len() == 2 && !answers.contains_key("one"), "{answers:?}");
    assert_eq!(talk.say("still here?").unwrap(), "still here?");
    ground.world.kill();
    assert_eq!(talk.say("and now?").unwrap(), "and now?");
    assert_eq!(ground.answers(&ground.asking.1, 40).len(), 2, "while netd is dead");
    ground.world.start();
    assert_eq!(talk.say("again").unwrap(), "again");
    assert_eq!(ground.answers(&ground.asking.1, 40).len(), 2, "after its return");
}

/// How a connection fails.
fn failure(from: &Namespace, to: Ipv4Addr, port: u16) -> io::ErrorKind {
    let address = std::net::SocketAddr::new(to.into(), port);
    let patience = std::time::Duration::from_secs(10);
    from.run(|| TcpStream::connect_timeout(&address, patience)).unwrap_err().kind()
}

#[test]
fn without_backends_one_is_refused_and_an_address_of_nobody_is_silent() {
    require!(needs());
    let mut ground = Ground::new();
    ground.put(ServiceSpec { network: networks()[0].name.clone(), ..ground.of(0) });
    for from in [&ground.asking.1, &*ground.world.host] {
        assert_eq!(failure(from, VIRTUAL, 80), io::ErrorKind::ConnectionRefused);
        assert_eq!(failure(from, VIRTUAL, 81), io::ErrorKind::ConnectionRefused, "no such port");
        assert!(!can_connect(from, UNUSED, 80));
    }
    let udp = ground.asking.1.run(|| UdpSocket::bind("0.0.0.0:0")).unwrap();
    udp.connect((VIRTUAL, 80)).unwrap();
    udp.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    udp.send(b"hello").unwrap();
    let answer = udp.recv(&mut [0; 10]).unwrap_err().kind();
    assert_eq!(answer, io::ErrorKind::ConnectionRefused);
    // Nor does anybody beyond the host hear of it.
    let neighbour = &ground.world.neighbour;
    neighbour.ip(&format!("addr add {UNUSED}/32 dev lo"));
    let ear = neighbour.run(|| UdpSocket::bind((UNUSED, 80)).unwrap());
    ear.set_read_timeout(Some(crate::traffic::SILENCE)).unwrap();
    let udp = ground.asking.1.run(|| UdpSocket::bind("0.0.0.0:0")).unwrap();
    udp.send_to(b"hello", (UNUSED, 80)).unwrap();
    assert!(ear.recv_from(&mut [0; 10]).is_err());
}

#[test]
fn a_client_stays_with_its_backend_where_its_address_decides() {
    require!(needs());
    let mut ground = Ground::new();
    for balance in [Balance::Source, Balance::Stable] {
        ground.put(ServiceSpec { balance, ..ground.of(3) });
        let mut all = BTreeMap::new();
        let all_inside = ground.servers.iter().map(|(_, inside)| inside).chain([&ground.asking.1]);
        for (number, from) in all_inside.enumerate() {
            let answers = ground.answers(from, 20);
            assert_eq!(answers.len(), 1, "{balance:?}: {answers:?}");
            all.insert(number, answers.into_keys().next().unwrap());
        }
        ground.put(ground.of(3));
        assert_eq!(ground.answers(&ground.asking.1, 100).len(), 3, "by chance again");
    }
}

#[test]
fn a_udp_client_that_never_stops_meets_the_new_backend() {
    require!(needs());
    let mut ground = Ground::new();
    let socket = ground.asking.1.run(|| UdpSocket::bind("0.0.0.0:0")).unwrap();
    for (number, name) in NAMES.iter().enumerate() {
        let only = vec![ground.of(3).backends[number].clone()];
        ground.put(ServiceSpec { backends: only, ..ground.of(3) });
        ground.world.eventually("the client meets the new backend", |_| {
            ask_udp_on(&socket, VIRTUAL, 80).is_ok_and(|answer| answer.starts_with(name))
        });
    }
}

#[test]
fn a_service_is_for_its_own_network_and_nobody_else() {
    require!(needs());
    let mut ground = Ground::new();
    ground.put(ground.of(3));
    let (_, other) = ground.client.attach(on_network("other:1", "back"));
    let (_, guest) = ground.client.attach(spec("guest:1", &[]));
    ground.world.neighbour.ip("route add 10.96.0.0/24 via 192.0.2.1");
    for (from, who) in [
        (&other, "another network"),
        (&guest, "the host's own network"),
        (&ground.world.neighbour, "a neighbour"),
    ] {
        assert!(!can_connect(from, VIRTUAL, 80), "{who}");
    }
    assert!(can_connect(&ground.asking.1, VIRTUAL, 80));
}

#[test]
fn a_service_that_cannot_be_is_refused_by_name() {
    require!(needs());
    let mut ground = Ground::new();
    ground.put(ground.of(3));
    let good = ground.of(3);
    let named = |name: &str| netd_api::DnsName::new(name).unwrap();
    let at = |address: &str| ServiceSpec {
        name: named("other"),
        addresses: vec![address.parse().unwrap()],
        ..good.clone()
    };
    let elsewhere = netd_api::NetworkName::new("elsewhere").unwrap();
    let many = vec![good.backends[0].clone(); 1025];
    for (wrong, says) in [
        (
            at("10.66.0.9"),
            "make service other: 10.66.0.9 is not among the virtual addresses of network front",
        ),
        (at("10.96.0.1"), "make service other: 10.96.0.1 is that of service web"),
        (
            ServiceSpec { addresses: vec![], ..good.clone() },
            "make service web: it has no virtual address",
        ),
        (ServiceSpec { ports: vec![], ..good.clone() }, "make service web: it has no port"),
        (
            ServiceSpec {
                ports: [good.ports.clone(), good.ports.clone()].concat(),
                ..good.clone()
            },
            "make service web: port 80/tcp is named twice",
        ),
        (
            ServiceSpec { network: elsewhere, ..good.clone() },
            "make service web: no network elsewhere",
        ),
        (
            ServiceSpec { backends: many, ..good.clone() },
            "make service web: it has more than 1024 backends",
        ),
    ] {
        match ground.client.call(Call::PutService { service: wrong }).unwrap().0 {
            Reply::Failed(failure) => assert!(failure.message.starts_with(says), "{failure}"),
            other => panic!("{says}: {other:?}"),
        }
    }
    let dropped = Document { networks: vec![], ..Document::default() };
    let error = ground.client.try_apply(Document { services: vec![good], ..dropped }).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    assert_eq!(ground.world.status().counts.services, 1);
    assert_eq!(ground.answers(&ground.asking.1, 60).len(), 3, "as before");
    // A document without it ends it.
    let ids: Vec<EndpointSpec> =
        ground.world.endpoints().into_iter().map(|endpoint| endpoint.spec).collect();
    let document = Document { networks: networks(), endpoints: ids, services: vec![] };
    ground.client.try_apply(document).unwrap();
    assert!(!can_connect(&ground.asking.1, VIRTUAL, 80));
    assert_eq!(ground.world.elements("backends4"), Vec::<serde_json::Value>::new());
}
