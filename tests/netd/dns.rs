//! The containers' name server.

use crate::client::{spec, udp};
use crate::namespace::Namespace;
use crate::traffic::{SILENCE, address_of};
use crate::world::{GATEWAY, NEIGHBOUR, World, needs};
use flotilla_tests::require;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType, rdata};
use nix::sys::signal::Signal;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const A: RecordType = RecordType::A;
pub(crate) const AAAA: RecordType = RecordType::AAAA;
/// What the neighbour's name server answers to everything.
const WORLD: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

pub(crate) struct Resolved {
    pub(crate) code: ResponseCode,
    pub(crate) addresses: Vec<Ipv4Addr>,
    pub(crate) addresses6: Vec<Ipv6Addr>,
    pub(crate) names: Vec<String>,
}

fn query(name: &str, kind: RecordType) -> Vec<u8> {
    let mut message = Message::new(4711, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message.to_vec().unwrap()
}

fn read(bytes: &[u8]) -> Resolved {
    let message = Message::from_vec(bytes).unwrap();
    assert_eq!(message.metadata.id, 4711);
    let mut resolved = Resolved {
        code: message.metadata.response_code,
        addresses: vec![],
        addresses6: vec![],
        names: vec![],
    };
    for answer in message.answers {
        match answer.data {
            RData::A(address) => resolved.addresses.push(address.0),
            RData::AAAA(address) => resolved.addresses6.push(address.0),
            RData::PTR(name) => resolved.names.push(name.to_string()),
            other => panic!("{other}"),
        }
    }
    resolved
}

/// Asks by UDP from inside.
pub(crate) fn resolve(from: &Namespace, name: &str, kind: RecordType) -> Resolved {
    answer(&ask(from, name, kind))
}

fn ask(from: &Namespace, name: &str, kind: RecordType) -> UdpSocket {
    let socket = from.run(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.connect((GATEWAY, 53)).unwrap();
    socket.send(&query(name, kind)).unwrap();
    socket
}

fn answer(socket: &UdpSocket) -> Resolved {
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).unwrap();
    read(&buffer[..length])
}

fn connect(from: &Namespace) -> TcpStream {
    let address = SocketAddr::new(IpAddr::V4(GATEWAY), 53);
    let stream = from.run(|| TcpStream::connect(address).unwrap());
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn resolve_by_tcp(stream: &mut TcpStream, name: &str) -> Resolved {
    let query = query(name, A);
    stream.write_all(&(query.len() as u16).to_be_bytes()).unwrap();
    stream.write_all(&query).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer).unwrap();
    read(&answer)
}

fn answer_with_world(query: &[u8]) -> (String, Vec<u8>) {
    let query = Message::from_vec(query).unwrap();
    let name = query.queries[0].name().clone();
    let mut answer = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
    answer.add_queries(query.queries);
    answer.add_answer(Record::from_rdata(name.clone(), 60, RData::A(rdata::A(WORLD))));
    (name.to_string(), answer.to_vec().unwrap())
}

/// A name server at the neighbour. Gives the names that it is asked for.
fn serve_world(neighbour: &Namespace) -> Receiver<String> {
    let (socket, listener) = neighbour.run(|| {
        (UdpSocket::bind((NEIGHBOUR, 53)).unwrap(), TcpListener::bind((NEIGHBOUR, 53)).unwrap())
    });
    let (asked, names) = channel();
    let by_tcp = asked.clone();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            let (name, answer) = answer_with_world(&buffer[..length]);
            let _ = asked.send(name);
            let _ = socket.send_to(&answer, peer);
        }
    });
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut query).unwrap();
            let (name, answer) = answer_with_world(&query);
            let _ = by_tcp.send(name);
            stream.write_all(&(answer.len() as u16).to_be_bytes()).unwrap();
            stream.write_all(&answer).unwrap();
        }
    });
    names
}

#[test]
fn containers_find_each_other_by_name() {
    require!(needs());
    let world = World::new();
    let mut client = world.client();
    let (web, inside) = client.attach(spec("web:1", &[]));
    let (_, db) = client.attach(spec("db:1", &[]));
    let address = address_of(&web.endpoint);
    for name in ["web.", &format!("web.{}.", web.search)] {
        assert_eq!(resolve(&db, name, A).addresses, [address], "{name}");
        assert_eq!(resolve_by_tcp(&mut connect(&db), name).addresses, [address], "{name}");
    }
    let [a, b, c, d] = address.octets();
    let reverse = resolve(&db, &format!("{d}.{c}.{b}.{a}.in-addr.arpa."), RecordType::PTR);
    assert_eq!(reverse.names, [format!("web.{}.", web.search)]);
    assert_eq!(resolve(&db, "web.", RecordType::AAAA).code, ResponseCode::NoError);

    let (second, _second_inside) = client.attach(spec("web:2", &[]));
    let mut found = resolve(&inside, "web.", A).addresses;
    found.sort();
    assert_eq!(found, [address, address_of(&second.endpoint)]);
    client.detach("web:1");
    assert_eq!(resolve(&db, "web.", A).addresses, [address_of(&second.endpoint)]);
}

#[test]
fn cve_2025_8283_a_short_name_never_leaves_and_others_do() {
    require!(needs());
    let world = World::new();
    let asked = serve_world(&world.neighbour);
    let (attached, inside) = world.client().attach(spec("web:1", &[]));
    for name in ["db.", &format!("db.{}.", attached.search)] {
        assert_eq!(resolve(&inside, name, A).code, ResponseCode::NXDomain, "{name}");
    }
    let reverse = resolve(&inside, "77.3.89.10.in-addr.arpa.", RecordType::PTR);
    assert_eq!(reverse.code, ResponseCode::NXDomain);
    assert_eq!(resolve(&inside, "example.org.", A).addresses, [WORLD]);
    assert_eq!(resolve_by_tcp(&mut connect(&inside), "example.net.").addresses, [WORLD]);
    let asked: Vec<String> = asked.try_iter().collect();
    assert_eq!(asked, ["example.org.", "example.net."]);
}

#[test]
fn a_silent_name_server_does_not_keep_the_next_one_from_being_asked() {
    require!(needs());
    let world = World::new();
    let _asked = serve_world(&world.neighbour);
    let text = format!("nameserver 192.0.2.200\nnameserver {GATEWAY}\nnameserver {NEIGHBOUR}\n");
    std::fs::write(world.scratch.path().join("resolv.conf"), text).unwrap();
    let (_, inside) = world.client().attach(spec("web:1", &[]));
    assert_eq!(resolve(&inside, "example.org.", A).addresses, [WORLD]);
}

#[test]
fn without_any_name_server_the_answer_is_a_failure_and_not_silence() {
    require!(needs());
    let world = World::new();
    let (_, inside) = world.client().attach(spec("web:1", &[]));
    assert_eq!(resolve(&inside, "example.org.", A).code, ResponseCode::ServFail);
    std::fs::write(world.scratch.path().join("resolv.conf"), "").unwrap();
    assert_eq!(resolve(&inside, "example.org.", A).code, ResponseCode::ServFail);
}

#[test]
fn cve_2024_8418_a_slow_client_blocks_nobody() {
    require!(needs());
    let world = World::new();
    let mut client = world.client();
    let (_, slow) = client.attach(spec("slow:1", &[]));
    let (_, other) = client.attach(spec("other:1", &[]));
    // Each says that a message comes, and then nothing; and some send garbage.
    let hanging: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = connect(&slow);
            let _ = stream.write_all(&[0, 50, 1]);
            stream
        })
        .collect();
    let socket = slow.run(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    // All of it comes at once, as when netd is busy.
    world.signal(Signal::SIGSTOP);
    for length in (0..600).rev() {
        socket.send_to(&vec![0xc0; length], (GATEWAY, 53)).unwrap();
    }
    let asked = ask(&other, "slow.", A);
    world.signal(Signal::SIGCONT);
    let start = Instant::now();
    assert_eq!(answer(&asked).addresses.len(), 1);
    assert_eq!(resolve_by_tcp(&mut connect(&other), "slow.").addresses.len(), 1);
    assert!(start.elapsed() < Duration::from_secs(4), "it waited for the others' deadlines");
    drop(hanging);
}

#[test]
fn the_name_server_is_not_the_neighbours() {
    require!(needs());
    let world = World::new();
    let (_, _inside) = world.client().attach(spec("web:1", &[udp(5353, 5353)]));
    world.neighbour.ip("route add 10.89.0.0/16 via 192.0.2.1");
    let socket = world.neighbour.run(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    socket.set_read_timeout(Some(SILENCE)).unwrap();
    socket.send_to(&query("web.", A), (GATEWAY, 53)).unwrap();
    assert!(socket.recv_from(&mut [0; 100]).is_err());
}
