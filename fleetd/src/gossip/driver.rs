//! The task: datagrams, time, commands and finished streams go into the state machine, and what it
//! says is done.

use super::handle::{Command, Handle, PUSH_PULL, SERVED, Seen};
use super::{Connect, stream};
use crate::core::gossip::exchange::Knowledge;
use crate::core::gossip::packet::{MAX_DATAGRAM, Sealing, Secret};
use crate::core::gossip::{Dropped, Event, Gossip, Input, Node, Output, Parameters, Turn};
use crate::core::machine_id::MachineId;
use crate::net::UdpSocket;
use ring::rand::{SecureRandom as _, SystemRandom};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

/// Events that a reader may be behind.
const EVENTS: usize = 4_096;
const COMMANDS: usize = 256;
/// Datagrams taken before time is looked at again.
const AT_ONCE: usize = 64;

pub struct Settings {
    /// This host, in the life that its store has begun, and where others send to.
    pub own: Node,
    /// Where datagrams are received.
    pub bind: SocketAddr,
    pub fleet: u128,
    pub generation: u64,
    /// The first one seals, all open.
    pub secrets: Vec<Secret>,
    pub parameters: Parameters,
}

/// Begins to gossip, alone so far: [`Handle::join`] names others. Errors: the address cannot be
/// bound, or the system has no random numbers.
pub async fn start<C: Connect>(settings: Settings, connect: C) -> io::Result<Handle> {
    let fail =
        |e: io::Error| io::Error::new(e.kind(), format!("bind udp address {}: {e}", settings.bind));
    let socket = UdpSocket::bind(settings.bind).await.map_err(fail)?;
    let random = SystemRandom::new();
    let mut seed = [0; 32];
    random
        .fill(&mut seed)
        .map_err(|_| io::Error::other("draw random numbers: the system has none"))?;
    let gossip = Gossip::new(settings.own, settings.generation, settings.parameters, seed);
    let sealing = Sealing::new(settings.fleet, settings.generation, &settings.secrets);
    let (commands, receiver) = mpsc::channel(COMMANDS);
    let (seen, watched) = watch::channel(Arc::new(see(&gossip)));
    let (events, _) = broadcast::channel(EVENTS);
    let records = gossip.records();
    let driver = Driver {
        gossip,
        socket,
        sealing,
        random,
        connect: Arc::new(connect),
        streams: JoinSet::new(),
        seen,
        events: events.clone(),
        dropped: Dropped::default(),
        started: Instant::now(),
        wake: Instant::now(),
    };
    tokio::spawn(driver.run(receiver));
    let served = Arc::new(Semaphore::new(SERVED));
    Ok(Handle { commands, seen: watched, events, records, served })
}

fn see(gossip: &Gossip) -> Seen {
    let members = gossip.members().map(|member| (member.node.host, member)).collect();
    Seen { own: gossip.own().clone(), members, present: gossip.present() }
}

/// How a stream ended.
enum Ended {
    Check { number: u64, answer: Option<Node> },
    Sync { host: MachineId, heard: Vec<(Node, u16)> },
}

struct Driver<C> {
    gossip: Gossip,
    socket: UdpSocket,
    sealing: Sealing,
    random: SystemRandom,
    connect: Arc<C>,
    streams: JoinSet<Ended>,
    seen: watch::Sender<Arc<Seen>>,
    events: broadcast::Sender<Event>,
    /// Datagrams that could not be opened.
    dropped: Dropped,
    started: Instant,
    wake: Instant,
}

impl<C: Connect> Driver<C> {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        // One byte more than may come, so that too many are noticed.
        let mut buffer = [0; MAX_DATAGRAM + 1];
        self.give(Input::Wake);
        loop {
            tokio::select! {
                received = self.socket.recv(&mut buffer) => self.received(received, &mut buffer).await,
                Some(Ok(ended)) = self.streams.join_next() => self.ended(ended),
                () = sleep_until(self.wake) => self.give(Input::Wake),
                command = commands.recv() => match command {
                    Some(command) => if let Some(left) = self.commands(command, &mut commands) {
                        // Nobody may wait for it any more.
                        let _ = left.send(());
                        return;
                    },
                    None => return,
                },
            }
        }
    }

    async fn received(&mut self, received: io::Result<usize>, buffer: &mut [u8]) {
        match received {
            Ok(length) => self.datagram(buffer, length),
            Err(e) => {
                tracing::warn!("receive a gossip datagram: {e}");
                // An error that stays must not keep a processor busy.
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        }
        for _ in 0..AT_ONCE {
            let Ok(length) = self.socket.try_recv(buffer) else { break };
            self.datagram(buffer, length);
        }
    }

    fn datagram(&mut self, buffer: &mut [u8], length: usize) {
        let Some(datagram) = buffer.get_mut(..length) else { return };
        match self.sealing.open(datagram) {
            Ok(opened) => {
                let (packet, generation) = (opened.packet.to_vec(), opened.generation);
                self.give(Input::Packet { packet: &packet, generation });
            }
            Err(reason) => self.dropped.count(reason),
        }
    }

    /// Takes a command and those that wait behind it: records that are written in one go leave in one
    /// packet.
    fn commands(
        &mut self,
        first: Command,
        more: &mut mpsc::Receiver<Command>,
    ) -> Option<oneshot::Sender<()>> {
        let mut left = self.command(first);
        for _ in 1..COMMANDS {
            if left.is_some() {
                return left;
            }
            let Ok(command) = more.try_recv() else { break };
            left = self.command(command);
        }
        if left.is_none() {
            self.give(Input::Wake);
        }
        left
    }

    fn command(&mut self, command: Command) -> Option<oneshot::Sender<()>> {
        match command {
            Command::Join(nodes) => self.give(Input::Join(nodes)),
            Command::Write { kind, name, value } => {
                self.give(Input::Write { kind, name: &name, value: value.as_deref() });
            }
            Command::WriteSet { host, version, value } => {
                self.give(Input::WriteSet { host, version, value: &value });
            }
            Command::Listeners(hosts) => self.give(Input::Listeners(hosts)),
            Command::Heard(heard) => self.give(Input::Heard(heard)),
            Command::Keys { generation, secrets } => self.sealing.set(generation, &secrets),
            Command::Signers(keys) => self.give(Input::Signers(keys)),
            Command::Dropped(to) => {
                let _ = to.send(self.gossip.dropped().plus(&self.dropped));
            }
            Command::Leave(left) => {
                self.give(Input::Leave);
                return Some(left);
            }
        }
        None
    }

    fn ended(&mut self, ended: Ended) {
        match ended {
            Ended::Check { number, answer } => self.give(Input::Checked { number, answer }),
            Ended::Sync { host, heard } => {
                self.give(Input::Heard(heard));
                self.give(Input::Synced(host));
            }
        }
    }

    fn give(&mut self, input: Input<'_>) {
        let now = Instant::now();
        let Turn { outputs, wake, members } = self.gossip.handle(input, now - self.started);
        self.wake = now + wake;
        if members {
            self.seen.send_replace(Arc::new(see(&self.gossip)));
        }
        for output in outputs {
            match output {
                Output::Send { to, packet } => self.send(to, &packet),
                Output::Check { number, node, within } => self.check(number, node, within),
                Output::Sync(node) => self.sync(node),
                // Nobody listens: nobody wants to know.
                Output::Event(event) => drop(self.events.send(event)),
            }
        }
    }

    /// What cannot be sent at once is lost, as on the network.
    fn send(&self, to: SocketAddr, packet: &[u8]) {
        let mut nonce = [0; 12];
        if self.random.fill(&mut nonce).is_ok()
            && let Some(datagram) = self.sealing.seal(packet, nonce)
            && let Err(e) = self.socket.try_send_to(&datagram, to)
        {
            tracing::debug!("send a gossip datagram to {to}: {e}");
        }
    }

    fn check(&mut self, number: u64, node: Node, within: std::time::Duration) {
        let connect = Arc::clone(&self.connect);
        self.streams.spawn(async move {
            let ask = async {
                let mut stream = connect.connect(&node).await?;
                stream::ask_who(&mut stream).await
            };
            let answer = timeout(within, ask).await.ok().and_then(Result::ok);
            Ended::Check { number, answer }
        });
    }

    fn sync(&mut self, node: Node) {
        let connect = Arc::clone(&self.connect);
        let knowledge = Knowledge {
            own: self.gossip.own().clone(),
            members: self.gossip.present(),
            records: self.gossip.records(),
            peer: Some(node.host),
        };
        self.streams.spawn(async move {
            let exchange = async {
                let mut stream = connect.connect(&node).await?;
                stream::push_pull(&mut stream, &knowledge).await
            };
            let heard = match timeout(PUSH_PULL, exchange).await {
                Ok(Ok(heard)) => heard,
                Ok(Err(e)) => {
                    tracing::debug!("compare records with host {}: {e}", node.host);
                    Vec::new()
                }
                Err(_) => Vec::new(),
            };
            Ended::Sync { host: node.host, heard }
        });
    }
}
