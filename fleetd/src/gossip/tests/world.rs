//! A fleet, its clock and its faults. Everything is drawn from one seed.

use super::network::Network;
use crate::core::gossip::exchange::{Asking, Knowledge};
use crate::core::gossip::{Event, Gossip, Input, Kind, Member, Node, Output, Parameters, State};
use crate::core::machine_id::MachineId;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Datagrams that a paused host keeps, as its socket does.
const SOCKET: usize = 256;
/// So that clocks can jump back.
const CLOCK: Duration = Duration::from_secs(1_000_000);

pub(super) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(super) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

enum Happening {
    Wake {
        host: usize,
        asked: u64,
    },
    Packet {
        from: usize,
        to: usize,
        packet: Vec<u8>,
    },
    /// A check has reached its host.
    Check {
        from: usize,
        to: usize,
        number: u64,
    },
    Checked {
        host: usize,
        number: u64,
        answer: Node,
    },
    Sync {
        from: usize,
        to: usize,
    },
}

/// Something that waits until a paused host goes on.
enum Waiting {
    Packet(Vec<u8>),
    Check { from: usize, number: u64 },
}

pub(super) struct Host {
    pub(super) gossip: Gossip,
    pub(super) node: Node,
    pub(super) is_on: bool,
    pub(super) is_paused: bool,
    waiting: VecDeque<Waiting>,
    /// What its clock shows beyond the world's time.
    clock: Duration,
    asked: u64,
    pub(super) sent: (u64, u64),
}

pub(super) struct World {
    pub(super) now: Duration,
    pub(super) hosts: Vec<Host>,
    pub(super) network: Network,
    pub(super) parameters: Parameters,
    pub(super) rng: StdRng,
    /// When, who saw it, what.
    pub(super) events: Vec<(Duration, usize, Event)>,
    happenings: BTreeMap<(Duration, u64), Happening>,
    count: u64,
    trace: DefaultHasher,
    /// How many happenings there were.
    pub(super) steps: u64,
    pub(super) checks: u64,
    pub(super) syncs: u64,
    /// A host whose packets are kept.
    pub(super) heard_by: Option<(usize, Vec<Vec<u8>>)>,
}

pub(super) fn id(host: usize) -> MachineId {
    MachineId(host as u128 + 1)
}

fn address(host: usize) -> SocketAddr {
    let host = u32::try_from(host).unwrap();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::from(0x0a00_0001 + host)), 7_400)
}

fn host_at(address: SocketAddr) -> usize {
    let IpAddr::V4(ip) = address.ip() else { panic!("{address}") };
    (u32::from(ip) - 0x0a00_0001) as usize
}

impl World {
    /// Hosts that do not know each other.
    pub(super) fn strangers(seed: u64, hosts: usize, parameters: Parameters) -> Self {
        let mut world = Self {
            now: Duration::ZERO,
            hosts: Vec::new(),
            network: Network::default(),
            parameters,
            rng: StdRng::seed_from_u64(seed),
            events: Vec::new(),
            happenings: BTreeMap::new(),
            count: 0,
            trace: DefaultHasher::new(),
            steps: 0,
            checks: 0,
            syncs: 0,
            heard_by: None,
        };
        for host in 0..hosts {
            let made = world.make(host, 1);
            world.hosts.push(made);
            world.give(host, Input::Wake);
        }
        world
    }

    /// Hosts that know each other, some time ago.
    pub(super) fn fleet(seed: u64, hosts: usize) -> Self {
        let mut world = Self::strangers(seed, hosts, Parameters::default());
        let nodes: Vec<_> = world.hosts.iter().map(|host| (host.node.clone(), 0)).collect();
        for host in 0..hosts {
            world.give(host, Input::Heard(nodes.clone()));
            // They did not start in the same moment.
            let apart = ms(world.rng.random_range(0..=20_000 / hosts as u64 / 10));
            world.run(apart);
        }
        world.run(ms(3_000));
        world
    }

    fn make(&mut self, host: usize, life: u64) -> Host {
        let node = Node::new(id(host), life, address(host));
        let gossip = Gossip::new(node.clone(), 1, self.parameters.clone(), self.rng.random());
        let clock = CLOCK + secs(self.rng.random_range(0..100_000));
        let waiting = VecDeque::new();
        Host { gossip, node, is_on: true, is_paused: false, waiting, clock, asked: 0, sent: (0, 0) }
    }

    /// Gives a host an input and does what it says.
    pub(super) fn give(&mut self, host: usize, input: Input<'_>) {
        let at = &mut self.hosts[host];
        let clock = at.clock + self.now;
        let turn = at.gossip.handle(input, clock);
        at.asked += 1;
        let asked = at.asked;
        self.plan(turn.wake, Happening::Wake { host, asked });
        for output in turn.outputs {
            self.follow(host, output);
        }
    }

    fn follow(&mut self, host: usize, output: Output) {
        match output {
            Output::Send { to, packet } => {
                let sent = &mut self.hosts[host].sent;
                *sent = (sent.0 + 1, sent.1 + packet.len() as u64 + 41 + 28);
                let to = host_at(to);
                for after in self.network.carry(host, to, &mut self.rng) {
                    self.plan(after, Happening::Packet { from: host, to, packet: packet.clone() });
                }
            }
            Output::Check { number, node, .. } => {
                self.checks += 1;
                let after = self.network.connect(&mut self.rng);
                let to = host_at(node.address);
                self.plan(after, Happening::Check { from: host, to, number });
            }
            Output::Sync(node) => {
                self.syncs += 1;
                let after = self.network.connect(&mut self.rng);
                self.plan(after, Happening::Sync { from: host, to: host_at(node.address) });
            }
            Output::Event(event) => self.events.push((self.now, host, event)),
        }
    }

    fn plan(&mut self, after: Duration, happening: Happening) {
        self.count += 1;
        self.happenings.insert((self.now + after, self.count), happening);
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(first) = self.happenings.first_entry().filter(|first| first.key().0 <= end) {
            self.now = first.key().0;
            let happening = first.remove();
            self.steps += 1;
            self.happen(happening);
        }
        self.now = end;
    }

    /// Lets time pass until something holds; true if it came to be.
    pub(super) fn run_until(&mut self, limit: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + limit;
        while self.now < end {
            if holds(self) {
                return true;
            }
            self.run(ms(50));
        }
        holds(self)
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Wake { host, asked } => {
                let at = &self.hosts[host];
                if at.is_on && !at.is_paused && at.asked == asked {
                    (self.now, host).hash(&mut self.trace);
                    self.give(host, Input::Wake);
                }
            }
            Happening::Packet { from, to, packet } => {
                (self.now, from, to, &packet).hash(&mut self.trace);
                if let Some((_, kept)) = self.heard_by.as_mut().filter(|(host, _)| *host == to) {
                    kept.push(packet.clone());
                }
                let at = &mut self.hosts[to];
                if at.is_paused && at.waiting.len() < SOCKET {
                    at.waiting.push_back(Waiting::Packet(packet));
                } else if at.is_on && !at.is_paused {
                    self.give(to, Input::Packet { packet: &packet, generation: 1 });
                }
            }
            Happening::Check { from, to, number } => self.check(from, to, number),
            Happening::Checked { host, number, answer } => {
                (self.now, host, number, answer.life, answer.renewal).hash(&mut self.trace);
                if self.hosts[host].is_on && !self.hosts[host].is_paused {
                    self.give(host, Input::Checked { number, answer: Some(answer) });
                }
            }
            Happening::Sync { from, to } => self.sync(from, to),
        }
    }

    fn check(&mut self, from: usize, to: usize, number: u64) {
        let at = &mut self.hosts[to];
        if at.is_paused {
            at.waiting.push_back(Waiting::Check { from, number });
        } else if at.is_on && self.network.connects_both_ways(from, to) {
            let after = self.network.delay(&mut self.rng);
            let answer = self.hosts[to].gossip.own().clone();
            self.plan(after, Happening::Checked { host: from, number, answer });
        }
    }

    fn sync(&mut self, from: usize, to: usize) {
        let up = |host: &Host| host.is_on && !host.is_paused;
        if up(&self.hosts[from]) && up(&self.hosts[to]) && self.network.connects_both_ways(from, to)
        {
            let (here, there) = (self.knowledge(from), self.knowledge(to));
            let mut asking = Asking::default();
            let mut question = Some(asking.first(&here));
            while let Some(asked) = question {
                let (answer, heard) = there.answer(&asked);
                self.give(to, Input::Heard(heard));
                let (next, heard) = asking.next(&here, &answer);
                self.give(from, Input::Heard(heard));
                question = next;
            }
        }
        if up(&self.hosts[from]) {
            self.give(from, Input::Synced(id(to)));
        }
    }

    fn knowledge(&self, host: usize) -> Knowledge {
        let gossip = &self.hosts[host].gossip;
        Knowledge {
            own: gossip.own().clone(),
            members: gossip.present(),
            records: gossip.records(),
            peer: None,
        }
    }

    /// Power off.
    pub(super) fn kill(&mut self, host: usize) {
        self.hosts[host].is_on = false;
        self.hosts[host].waiting.clear();
    }

    /// In its next life, knowing one other host.
    pub(super) fn start(&mut self, host: usize, knows: usize) {
        let life = self.hosts[host].node.life + 1;
        let (sent, asked) = (self.hosts[host].sent, self.hosts[host].asked);
        self.hosts[host] = Host { sent, asked, ..self.make(host, life) };
        let seed = self.hosts[knows].node.clone();
        self.give(host, Input::Join(vec![Node { life: 0, ..seed }]));
    }

    /// A new host, knowing one other. Gives its number.
    pub(super) fn enter(&mut self, knows: usize) -> usize {
        let host = self.hosts.len();
        let made = self.make(host, 0);
        self.hosts.push(made);
        self.start(host, knows);
        host
    }

    pub(super) fn pause(&mut self, host: usize) {
        self.hosts[host].is_paused = true;
    }

    /// Timers or packets may come first, as in the real one.
    pub(super) fn resume(&mut self, host: usize) {
        self.hosts[host].is_paused = false;
        if self.rng.random_bool(0.5) {
            self.give(host, Input::Wake);
        }
        for waiting in std::mem::take(&mut self.hosts[host].waiting) {
            match waiting {
                Waiting::Packet(packet) => {
                    self.give(host, Input::Packet { packet: &packet, generation: 1 });
                }
                Waiting::Check { from, number } => self.check(from, host, number),
            }
        }
        self.give(host, Input::Wake);
    }

    /// Sets a host's clock.
    pub(super) fn jump(&mut self, host: usize, ahead: bool, by: Duration) {
        let clock = &mut self.hosts[host].clock;
        *clock = if ahead { *clock + by } else { *clock - by };
        self.give(host, Input::Wake);
    }

    pub(super) fn write(&mut self, host: usize, kind: Kind, name: &str, value: Option<&[u8]>) {
        self.give(host, Input::Write { kind, name, value });
    }

    /// What a host thinks of another one.
    pub(super) fn sees(&self, host: usize, other: usize) -> Option<State> {
        let mut members = self.hosts[host].gossip.members();
        members.find(|member: &Member| member.node.host == id(other)).map(|member| member.state)
    }

    /// Whether every host that is on sees every other one that is on alive.
    pub(super) fn all_see_all(&self) -> bool {
        let on: Vec<_> = (0..self.hosts.len()).filter(|host| self.hosts[*host].is_on).collect();
        on.iter().all(|host| {
            let alive = self.hosts[*host].gossip.members();
            let alive = alive.filter(|member| member.state == State::Alive).count();
            alive == on.len() - 1
        })
    }

    /// Deaths that hosts saw while the host was on: when, who, whom.
    pub(super) fn false_deaths(&self) -> Vec<(Duration, usize, MachineId)> {
        let on = |host: MachineId| self.hosts[host.0 as usize - 1].is_on;
        let dead = |(at, who, event): &(Duration, usize, Event)| match event {
            Event::Dead(host) if on(*host) => Some((*at, *who, *host)),
            _ => None,
        };
        self.events.iter().filter_map(dead).collect()
    }

    /// Equal for equal histories.
    pub(super) fn trace(&self) -> u64 {
        self.trace.finish()
    }
}
