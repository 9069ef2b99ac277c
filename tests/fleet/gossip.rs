//! Gossip that lies: from somebody without the key, and from a host that has it.
//!
//! Packets are made here as docs/gossip.md describes them.

use crate::LONELY;
use flotilla_tests::playground::{Ground, eventually, needs, said};
use flotilla_tests::require;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use serde_json::Value;
use std::cell::Cell;
use std::net::UdpSocket;

/// What is on the disk of every host of a fleet.
struct Keys {
    fleet: Vec<u8>,
    secret: Vec<u8>,
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = (0..hex.len()).step_by(2).map(|at| &hex[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

impl Keys {
    fn of(ground: &Ground, host: &str) -> Self {
        let text = std::fs::read_to_string(ground.state_dir().join(host).join("identity.json"));
        let identity: Value = serde_json::from_str(&text.unwrap()).unwrap();
        let view = &identity["view"];
        Self {
            fleet: bytes(view["fleet"].as_str().unwrap()),
            secret: bytes(view["gossip_keys"][0].as_str().unwrap()),
        }
    }

    /// A datagram, sealed with `secret` under the name of the fleet's key.
    fn seal(&self, secret: &[u8], packet: &[u8]) -> Vec<u8> {
        let id = digest(&SHA256, &[b"flotilla gossip key", self.secret.as_slice()].concat());
        let header = [&[1], &id.as_ref()[..4], &0_u64.to_be_bytes()].concat();
        let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, secret).unwrap());
        let mut sealed = packet.to_vec();
        let nonce = *b"of this test";
        let bound = Aad::from([header.as_slice(), &self.fleet].concat());
        let nonce_of_it = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce_of_it, bound, &mut sealed).unwrap();
        [header, nonce.to_vec(), sealed].concat()
    }
}

/// Numbers as foca's packets have them (postcard): seven bits a byte, the lowest first.
fn number(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

/// A host in one of its lives, at 10.90.0.`last`:7400.
fn node(host: &[u8], life: u64, last: u8) -> Vec<u8> {
    [host, &number(life), &number(0), &[0, 10, 90, 0, last], &number(7400)].concat()
}

/// Kind, life, counter, value: about a host.
type Lie<'a> = (u8, u64, u64, &'a [u8]);

fn record(host: &[u8], (kind, life, counter, value): Lie) -> Vec<u8> {
    let version = [life.to_be_bytes(), counter.to_be_bytes()].concat();
    let record = [&[1, kind], host, &version, &[0, 0], value].concat();
    [&u16::try_from(record.len()).unwrap().to_be_bytes(), record.as_slice()].concat()
}

/// From a host that nobody knows to one in that life: `Gossip` without news of hosts, and records.
fn packet(to: Vec<u8>, records: &[Vec<u8>]) -> Vec<u8> {
    const GOSSIP: u8 = 8;
    let from = node(&[0xee; 16], 1, 99);
    [from, number(0), to, vec![GOSSIP, 0, 0], records.concat()].concat()
}

fn send(ground: &Ground, from: &str, to: &str, datagram: Vec<u8>) {
    let to = format!("10.90.0.{}:7400", &to[1..]);
    ground.inside(from, move || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.send_to(&datagram, to).unwrap();
    });
}

/// How often a host has dropped something for this reason.
fn dropped(ground: &Ground, host: &str, reason: &str) -> u64 {
    let text = ground.ctl(host, &["--json", "fleet"]);
    let fleet: Value = serde_json::from_str(&text).unwrap();
    fleet["dropped"][reason].as_u64().unwrap_or(0)
}

#[test]
fn a_forged_packet_is_dropped_and_counted() {
    require!(needs());
    let ground = Ground::fleet(3);
    let keys = Keys::of(&ground, "h1");
    let packet = packet(node(&[1; 16], 1, 1), &[]);
    for n in 1..=5 {
        send(&ground, "h3", "h1", keys.seal(&[n; 32], &packet));
    }
    eventually("they are counted", || dropped(&ground, "h1", "forged, or of another fleet") == 5);
    let page = ground.ctl("h1", &["fleet"]);
    assert!(page.contains("Dropped: 5 forged, or of another fleet"), "{page}");
    assert!(ground.machines("h1").iter().all(|row| row["status"] == "alive"));
}

#[test]
fn a_host_that_lies_about_others_changes_nothing_for_long() {
    require!(needs());
    let ground = Ground::fleet(3);
    let keys = Keys::of(&ground, "h2");
    let (h1, h3) = (bytes(&ground.machine_of("h1")), bytes(&ground.machine_of("h3")));
    let version = |ask: &str| {
        let rows = ground.machines(ask);
        let row = rows.iter().find(|row| row["ip"] == "10.90.0.3");
        row.and_then(|row| Some(row["version"].as_str()?.to_owned()))
    };
    let told = |ask: &str| version(ask).is_some_and(|text| !text.is_empty());
    eventually("h3 is known", || told("h1") && told("h2"));
    let true_one = version("h1");
    let negative = br#"{"facts":{"capacity":{"cpu":-5}},"version":"lie"}"#;
    let long = format!(r#"{{"version":"{}"}}"#, "long".repeat(100));
    let top = (1 << 62) - 1;
    let (capacity, set) = (1, 5);
    let lies: [Lie; 5] = [
        // A set that nobody will ever have; lives and counters at the end of all numbers.
        (set, 1 << 20, 1 << 39, b""),
        (capacity, (1 << 56) - 1, 1, negative),
        (capacity, top, top, negative),
        (capacity, 1 << 31, top, negative),
        (capacity, 1 << 31, top, long.as_bytes()),
    ];
    let records: Vec<Vec<u8>> = lies.map(|lie| record(&h3, lie)).into();
    // It is taken only by the life that the host is in now.
    let unsigned = "sets without a voter's signature";
    let life = Cell::new(0);
    eventually("it is heard", || {
        life.set(life.get() + 1);
        let packet = packet(node(&h1, life.get(), 1), &records);
        send(&ground, "h2", "h1", keys.seal(&keys.secret, &packet));
        dropped(&ground, "h1", unsigned) > 0
    });
    assert!(dropped(&ground, "h1", "unbelievable") > 0);
    for ask in ["h1", "h2", "h3"] {
        eventually("it shows what is true", || version(ask) == true_one);
    }
    // Also of what h3 says from now on.
    let text = format!("{LONELY}[X-Fleet]\nMachineID={}\n", ground.machine_of("h3"));
    said(&["start"], &ground.start("h1", "later.container", &text));
    for ask in ["h1", "h2"] {
        eventually("it is seen", || ground.running(ask, "later.container").is_some());
    }
    ground.ctl("h1", &["destroy", "later.container"]);
    eventually("it has gone", || ground.units("h1").is_empty() && ground.units("h2").is_empty());
}
