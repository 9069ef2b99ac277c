//! Real sockets on the loopback, real time. Events are awaited; no test says how soon they come.

use crate::core::gossip::packet::Secret;
use crate::core::gossip::{
    Event, Key, Kind, MAX_BROADCAST, Node, Parameters, Reason, State, Version,
};
use crate::core::machine_id::MachineId;
use crate::gossip::{Connect, Handle, Seen, Settings, start};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::DuplexStream;

/// After it a test has failed.
const DEADLINE: Duration = Duration::from_secs(60);

/// The hosts that answer on streams.
#[derive(Clone, Default)]
struct Streams(Arc<Mutex<BTreeMap<MachineId, Handle>>>);

impl Connect for Streams {
    type Stream = DuplexStream;

    async fn connect(&self, to: &Node) -> io::Result<DuplexStream> {
        let served = self.0.lock().unwrap().get(&to.host).cloned();
        let served = served.ok_or(io::ErrorKind::ConnectionRefused)?;
        let (here, there) = tokio::io::duplex(4_096);
        tokio::spawn(async move { served.serve(there).await });
        Ok(here)
    }
}

/// Each test has a network of the loopback's addresses to itself.
struct Net {
    test: u8,
    streams: Streams,
}

impl Net {
    fn new(test: u8) -> Self {
        Self { test, streams: Streams::default() }
    }

    fn node(&self, host: u8) -> Node {
        let [.., a, b] = std::process::id().to_be_bytes();
        let ip = Ipv4Addr::new(127, a, b, self.test * 10 + host);
        Node::new(MachineId(host.into()), 1, SocketAddr::new(IpAddr::V4(ip), 7_400))
    }

    async fn start(&self, host: u8, fleet: u128, secrets: &[Secret]) -> Handle {
        self.start_with(host, fleet, secrets, Parameters::default()).await
    }

    async fn start_with(
        &self,
        host: u8,
        fleet: u128,
        secrets: &[Secret],
        parameters: Parameters,
    ) -> Handle {
        let own = self.node(host);
        let (bind, secrets) = (own.address, secrets.to_vec());
        let settings = Settings { own, bind, fleet, generation: 1, secrets, parameters };
        let handle = start(settings, self.streams.clone()).await.unwrap();
        self.streams.0.lock().unwrap().insert(MachineId(host.into()), handle.clone());
        handle
    }

    async fn fleet(&self) -> Vec<Handle> {
        let mut handles = Vec::new();
        for host in 1..=3 {
            handles.push(self.start(host, 7, &[[1; 32]]).await);
        }
        for handle in &handles[1..] {
            handle.join(vec![self.node(1)]).await;
        }
        for handle in &handles {
            see(handle, |seen| alive(seen) == 2).await;
        }
        handles
    }
}

fn alive(seen: &Seen) -> usize {
    seen.members.values().filter(|member| member.state == State::Alive).count()
}

async fn see(handle: &Handle, holds: impl Fn(&Seen) -> bool) {
    let mut seen = handle.seen();
    let waits = seen.wait_for(|seen| holds(seen));
    tokio::time::timeout(DEADLINE, waits).await.unwrap().unwrap();
}

/// Waits for a record to be there, or to be gone.
async fn has(handle: &Handle, key: &Key, value: Option<&[u8]>) {
    let mut events = handle.events();
    let there = async {
        while handle.record(key).map(|(_, value)| value.to_vec()).as_deref() != value {
            events.recv().await.unwrap();
        }
    };
    tokio::time::timeout(DEADLINE, there).await.unwrap();
}

#[tokio::test]
async fn three_hosts_find_each_other_and_tell_each_other_everything() {
    let net = Net::new(1);
    let handles = net.fleet().await;
    let key = |kind, name: &str| Key { host: MachineId(2), kind, name: name.to_owned() };
    handles[1].write(Kind::Unit, "web.container", b"running").await;
    has(&handles[2], &key(Kind::Unit, "web.container"), Some(b"running")).await;
    let large = vec![7; MAX_BROADCAST * 3];
    handles[1].write(Kind::Image, "large", &large).await;
    has(&handles[0], &key(Kind::Image, "large"), Some(&large)).await;
    handles[1].delete(Kind::Unit, "web.container").await;
    has(&handles[2], &key(Kind::Unit, "web.container"), None).await;
    handles[0].write_set(MachineId(2), Version { life: 1, counter: 5 }, b"digest").await;
    has(&handles[1], &key(Kind::Set, ""), Some(b"digest")).await;
    has(&handles[2], &key(Kind::Set, ""), Some(b"digest")).await;
    assert_eq!(handles[0].records(Some(MachineId(2)), Kind::Image).len(), 1);
    assert_eq!(handles[2].records(None, Kind::Set).len(), 1);
}

#[tokio::test]
async fn who_leaves_has_left_and_who_is_gone_is_dead() {
    let net = Net::new(2);
    let mut handles = net.fleet().await;
    let mut events = handles[0].events();
    handles[2].leave().await;
    net.streams.0.lock().unwrap().remove(&MachineId(3));
    see(&handles[0], |seen| seen.members[&MachineId(3)].state == State::Left).await;
    // Its task ends with its last handle.
    net.streams.0.lock().unwrap().remove(&MachineId(2));
    handles.truncate(1);
    see(&handles[0], |seen| seen.members[&MachineId(2)].state == State::Dead).await;
    let mut saw = Vec::new();
    while let Ok(event) = events.try_recv() {
        saw.push(event);
    }
    assert!(saw.contains(&Event::Left(MachineId(3))) && saw.contains(&Event::Dead(MachineId(2))));
    assert!(!saw.contains(&Event::Dead(MachineId(3))));
}

#[tokio::test]
async fn another_fleet_and_a_stranger_are_not_let_in_and_counted() {
    let net = Net::new(3);
    let host = net.start(1, 7, &[[1; 32]]).await;
    // The same key, another fleet; the same fleet, another key.
    for (other, fleet, secret) in [(2, 8, [1; 32]), (3, 7, [2; 32])] {
        net.start(other, fleet, &[secret]).await.join(vec![net.node(1)]).await;
    }
    let counted = async {
        loop {
            let dropped = host.dropped().await.unwrap();
            if dropped.of(Reason::Forged) > 0 && dropped.of(Reason::UnknownKey) > 0 {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, counted).await.unwrap();
    assert!(host.seen().borrow().members.is_empty());
}

#[tokio::test]
async fn keys_change_while_hosts_talk() {
    let net = Net::new(4);
    let handles = net.fleet().await;
    let (old, new) = ([1; 32], [2; 32]);
    for keys in [vec![old, new], vec![new, old], vec![new]] {
        for handle in &handles {
            handle.set_keys(1, keys.clone()).await;
        }
        let name = format!("{keys:?}");
        let name = &name[..20];
        handles[0].write(Kind::Unit, name, &[keys[0][0]]).await;
        let key = Key { host: MachineId(1), kind: Kind::Unit, name: name.to_owned() };
        has(&handles[2], &key, Some(&[keys[0][0]])).await;
    }
    // With the old key nobody is heard any more.
    let late = net.start(5, 7, &[old]).await;
    late.join(vec![net.node(1)]).await;
    let counted = async {
        while handles[0].dropped().await.unwrap().of(Reason::UnknownKey) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, counted).await.unwrap();
    assert_eq!(alive(&late.seen().borrow()), 0);
}

#[tokio::test]
async fn records_are_told_at_once_to_who_they_concern() {
    let net = Net::new(6);
    let hour = Duration::from_secs(3_600);
    // Nothing else brings a record from one to the other before the test has failed.
    let still = Parameters {
        probe_period: hour,
        gossip_period: hour,
        sync_period: hour,
        ..Parameters::default()
    };
    let voter = net.start_with(1, 7, &[[1; 32]], still.clone()).await;
    let host = net.start_with(2, 7, &[[1; 32]], still).await;
    host.join(vec![net.node(1)]).await;
    see(&voter, |seen| alive(seen) == 1).await;
    see(&host, |seen| alive(seen) == 1).await;
    host.set_listeners(vec![MachineId(1)]).await;
    for number in 0..3_u64 {
        voter.write_set(MachineId(2), Version { life: 1, counter: number }, &[7]).await;
        let key = |kind, name: &str| Key { host: MachineId(2), kind, name: name.to_owned() };
        has(&host, &key(Kind::Set, ""), Some(&[7])).await;
        let name = format!("{number}.container");
        host.write(Kind::Step, &name, b"pulls").await;
        has(&voter, &key(Kind::Step, &name), Some(b"pulls")).await;
    }
}
