//! One UDP port: each client gets a socket of its own towards the container, so that answers find
//! their way back.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A client that is silent in both directions for so long is forgotten.
const IDLE: Duration = Duration::from_secs(60);
/// Clients at a time of one port; a datagram of a further one is dropped.
const LIMIT: usize = 256;
/// Datagrams that wait for one client's task; more are dropped, as the kernel would.
const QUEUE: usize = 64;
const LARGEST: usize = 65_535;

/// Serves until it is aborted; its clients' sockets end with it.
pub(super) async fn serve(socket: UdpSocket, target: watch::Receiver<SocketAddr>) {
    let socket = Arc::new(socket);
    let mut clients: HashMap<SocketAddr, mpsc::Sender<Vec<u8>>> = HashMap::new();
    let mut tasks = JoinSet::new();
    let mut buffer = vec![0; LARGEST];
    loop {
        tokio::select! {
            received = socket.recv_from(&mut buffer) => {
                // An error is an earlier answer that was refused: not this client's.
                let Ok((length, client)) = received else { continue };
                if clients.get(&client).is_none_or(mpsc::Sender::is_closed) {
                    if clients.len() >= LIMIT {
                        continue;
                    }
                    let (sender, datagrams) = mpsc::channel(QUEUE);
                    clients.insert(client, sender);
                    let (socket, target) = (Arc::clone(&socket), *target.borrow());
                    tasks.spawn(async move {
                        // What fails here is one client's conversation; it starts anew with the
                        // next datagram.
                        let _ = converse(socket, client, target, datagrams).await;
                        client
                    });
                }
                if let Some(sender) = clients.get(&client) {
                    let _ = sender.try_send(buffer[..length].to_vec());
                }
            }
            Some(Ok(client)) = tasks.join_next() => {
                if clients.get(&client).is_some_and(mpsc::Sender::is_closed) {
                    clients.remove(&client);
                }
            }
        }
    }
}

async fn converse(
    public: Arc<UdpSocket>,
    client: SocketAddr,
    target: SocketAddr,
    mut datagrams: mpsc::Receiver<Vec<u8>>,
) -> io::Result<()> {
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let private = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    private.connect(target).await?;
    let mut buffer = vec![0; LARGEST];
    loop {
        tokio::select! {
            datagram = timeout(IDLE, datagrams.recv()) => match datagram {
                Ok(Some(datagram)) => private.send(&datagram).await?,
                _ => return Ok(()),
            },
            answer = private.recv(&mut buffer) => public.send_to(&buffer[..answer?], client).await?,
        };
    }
}
