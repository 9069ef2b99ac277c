//! Port 53 of the host's addresses on its networks.
//!
//! Every question that is not answered at once, and every TCP connection, is a task of its own with
//! a deadline, and counted by client: a slow or greedy one takes nothing from the others.

use super::answer::{Decision, Transport, decide, failed};
use super::forward::{Forwarder, read_message, write_message};
use super::listeners::Wanted;
use super::zone::SharedZone;
use crate::sys::socket::reserve_receive_buffer;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{sleep, timeout};

const PORT: u16 = 53;
/// What is under way at a time: questions to the host's servers, and TCP connections.
const TOTAL: usize = 1024;
const PER_CLIENT: usize = 64;
/// What waits while netd does something else: one client must not crowd out the others' questions.
const WAITING: usize = 2 << 20;
/// How long a TCP client may take for a question, or to read an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries to listen.
const AGAIN: Duration = Duration::from_secs(1);
/// Rest after a failure of the socket itself.
const REST: Duration = Duration::from_millis(100);

struct Sockets {
    udp: UdpSocket,
    tcp: TcpListener,
}

async fn bind(address: IpAddr) -> io::Result<Sockets> {
    let udp = UdpSocket::bind((address, PORT)).await?;
    reserve_receive_buffer(&udp, WAITING)?;
    Ok(Sockets { udp, tcp: TcpListener::bind((address, PORT)).await? })
}

struct Server {
    zone: SharedZone,
    forwarder: Forwarder,
    limits: Limits,
}

/// Serves at the addresses that are wanted until the process ends, and goes on trying where it
/// cannot yet. Runs in a local set. `served` hears when each of the first ones was tried.
pub async fn serve(
    mut listeners: Wanted,
    zone: SharedZone,
    forwarder: Forwarder,
    served: oneshot::Sender<()>,
) {
    let server = Rc::new(Server { zone, forwarder, limits: Limits::default() });
    let mut open: HashMap<IpAddr, JoinHandle<()>> = HashMap::new();
    let mut served = Some(served);
    loop {
        let wanted = listeners.wanted.borrow_and_update().clone();
        open.retain(|address, task| {
            let stays = wanted.contains(address);
            if !stays {
                task.abort();
            }
            stays
        });
        let mut refused = BTreeMap::new();
        for address in &wanted {
            if !open.contains_key(address) {
                match bind(*address).await {
                    Ok(sockets) => {
                        open.insert(*address, spawn_local(serve_at(sockets, Rc::clone(&server))));
                    }
                    Err(e) => {
                        refused.insert(*address, e.to_string());
                    }
                }
            }
        }
        let complete = refused.is_empty();
        listeners.tell(refused);
        if let Some(served) = served.take() {
            // Nobody may wait for it any more.
            let _ = served.send(());
        }
        tokio::select! {
            changed = listeners.wanted.changed() => if changed.is_err() { return },
            () = sleep(AGAIN), if !complete => {}
        }
    }
}

async fn serve_at(sockets: Sockets, server: Rc<Server>) {
    let tcp = serve_tcp(sockets.tcp, Rc::clone(&server));
    tokio::join!(serve_udp(Rc::new(sockets.udp), server), tcp);
}

async fn serve_udp(socket: Rc<UdpSocket>, server: Rc<Server>) {
    let mut buffer = vec![0; 4096];
    loop {
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else {
            sleep(REST).await;
            continue;
        };
        let query = &buffer[..length];
        let reply = match server.zone.read(|z| decide(query, Transport::Udp, z, client.ip())) {
            Decision::Ignore => None,
            Decision::Reply(reply) => Some(reply),
            Decision::Forward => match server.limits.enter(client.ip()) {
                None => failed(query, Transport::Udp),
                Some(place) => {
                    let (socket, query) = (Rc::clone(&socket), query.to_vec());
                    let server = Rc::clone(&server);
                    spawn_local(async move {
                        if let Some(reply) = server.forward(&query, Transport::Udp).await {
                            // A client that is gone needs no answer.
                            let _ = socket.send_to(&reply, client).await;
                        }
                        drop(place);
                    });
                    None
                }
            },
        };
        if let Some(reply) = reply {
            // Without waiting: a full queue is as a lost datagram.
            let _ = socket.try_send_to(&reply, client);
        }
    }
}

async fn serve_tcp(listener: TcpListener, server: Rc<Server>) {
    loop {
        match listener.accept().await {
            Ok((stream, client)) => {
                // Over the limit the connection is closed at once.
                if let Some(place) = server.limits.enter(client.ip()) {
                    let server = Rc::clone(&server);
                    spawn_local(async move {
                        // An error is the client's going away or being slow: its own loss.
                        let _ = server.converse(stream, client.ip()).await;
                        drop(place);
                    });
                }
            }
            Err(_) => sleep(REST).await,
        }
    }
}

impl Server {
    async fn forward(&self, query: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let answer = self.forwarder.ask(query, transport).await;
        answer.or_else(|| failed(query, transport))
    }

    async fn converse(&self, mut stream: TcpStream, client: IpAddr) -> io::Result<()> {
        loop {
            let query = timeout(PATIENCE, read_message(&mut stream)).await??;
            let reply = match self.zone.read(|z| decide(&query, Transport::Tcp, z, client)) {
                Decision::Ignore => return Ok(()),
                Decision::Reply(reply) => Some(reply),
                Decision::Forward => self.forward(&query, Transport::Tcp).await,
            };
            let Some(reply) = reply else { return Ok(()) };
            timeout(PATIENCE, write_message(&mut stream, &reply)).await??;
        }
    }
}

/// How much is under way, by client.
#[derive(Default, Clone)]
struct Limits(Rc<RefCell<HashMap<IpAddr, usize>>>);

/// A place among those under way; given back when it is dropped.
struct Place {
    limits: Limits,
    client: IpAddr,
}

impl Limits {
    fn enter(&self, client: IpAddr) -> Option<Place> {
        let mut counts = self.0.borrow_mut();
        let total: usize = counts.values().sum();
        let mine = counts.entry(client).or_insert(0);
        if total >= TOTAL || *mine >= PER_CLIENT {
            if *mine == 0 {
                counts.remove(&client);
            }
            return None;
        }
        *mine += 1;
        Some(Place { limits: self.clone(), client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.limits.0.borrow_mut();
        if let Some(count) = counts.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.client);
            }
        }
    }
}
