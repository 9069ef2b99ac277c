//! Questions to the host's own name servers.

use super::answer::{Transport, answers, is_failure};
use super::resolv_conf::ResolvConf;
use super::zone::SharedZone;
use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long a question may take in all: resolvers inside give up after five seconds, and ask thrice.
const PATIENCE: Duration = Duration::from_secs(1);
/// The next server is asked too when the one before has been silent for so long.
const HEAD_START: Duration = Duration::from_millis(200);
/// At most so many servers are asked (as resolv.conf(5) has it).
const SERVERS: usize = 3;

pub struct Forwarder {
    configuration: RefCell<ResolvConf>,
    /// Our own addresses: a host whose resolv.conf names one would ask itself for ever.
    ourselves: SharedZone,
}

impl Forwarder {
    pub fn new(resolv_conf: PathBuf, ourselves: SharedZone) -> Self {
        Self { configuration: RefCell::new(ResolvConf::new(resolv_conf)), ourselves }
    }

    /// The first answer of any server; one that says that it failed counts only when no other does
    /// better in time.
    pub(super) async fn ask(&self, query: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let mut asked = JoinSet::new();
        for (server, place) in self.servers().into_iter().zip(0u32..) {
            let query = query.to_vec();
            asked.spawn(async move {
                sleep(HEAD_START * place).await;
                match transport {
                    Transport::Udp => by_udp(server, &query).await,
                    Transport::Tcp => by_tcp(server, &query).await,
                }
            });
        }
        let mut failure = None;
        let best = async {
            while let Some(answer) = asked.join_next().await {
                match answer {
                    Ok(Ok(answer)) if is_failure(&answer) => failure = Some(answer),
                    Ok(Ok(answer)) => return Some(answer),
                    // This server cannot be reached; another one may.
                    _ => {}
                }
            }
            None
        };
        timeout(PATIENCE, best).await.ok().flatten().or(failure)
    }

    fn servers(&self) -> Vec<SocketAddr> {
        let mut configuration = self.configuration.borrow_mut();
        let foreign = |s: &&SocketAddr| self.ourselves.read(|zone| !zone.is_gateway(s.ip()));
        configuration.servers().iter().filter(foreign).take(SERVERS).copied().collect()
    }
}

/// Each question has a socket of its own, so a random port, and hears one server only.
async fn by_udp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut buffer = vec![0; 4096];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if answers(&buffer[..length], query) {
            buffer.truncate(length);
            return Ok(buffer);
        }
    }
}

async fn by_tcp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    write_message(&mut stream, query).await?;
    let answer = read_message(&mut stream).await?;
    if answers(&answer, query) { Ok(answer) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// A message over TCP has its length before it (RFC 1035, 4.2.2).
pub(super) async fn read_message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

pub(super) async fn write_message(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend_from_slice(message);
    stream.write_all(&framed).await
}
