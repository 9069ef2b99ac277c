//! The handshake of one connection: by its first message it is of the fleet's, or to join.

use super::caller::Via;
use super::validity::{Clock, Shown};
use crate::net::TcpStream;
use crate::pki::refusal::{Side, explain};
use crate::pki::{Credentials, Expected, joining, tls};
use crate::sentence::cause;
use rustls::ServerConfig;
use rustls::server::Acceptor;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// What is spoken over the fleet's connections.
pub(super) const HTTP: &[u8] = b"http/1.1";

/// After a refusal the peer is listened to for so long: closed with words of it unread, the
/// connection would be reset, and the peer might not get to read why.
const LINGER: Duration = Duration::from_secs(1);

pub(super) struct Handshakes {
    credentials: Arc<Credentials>,
    fleet: Arc<ServerConfig>,
    join: Arc<ServerConfig>,
    clock: Clock,
}

impl Handshakes {
    pub(super) fn new(credentials: &Arc<Credentials>, clock: Clock) -> Result<Self, rustls::Error> {
        let mut fleet = tls::server(credentials, Expected::Anyone)?;
        fleet.alpn_protocols = vec![HTTP.to_vec()];
        Ok(Self {
            credentials: Arc::clone(credentials),
            fleet: Arc::new(fleet),
            join: Arc::new(joining::server(credentials)?),
            clock,
        })
    }

    /// What was shown: none by those who want to join. The error is the end of a sentence.
    pub(super) async fn shake(
        &self,
        tcp: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, Via, Option<Shown>), String> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), tcp);
        let start = start.await.map_err(|e| explain(&e))?;
        let joins = start.client_hello().alpn().into_iter().flatten();
        let joins = joins.into_iter().any(|protocol| protocol == joining::PROTOCOL);
        let config = if joins { &self.join } else { &self.fleet };
        let stream = match start.into_stream(Arc::clone(config)).into_fallible().await {
            Ok(stream) => stream,
            Err((error, tcp)) => {
                let _ = tokio::time::timeout(LINGER, linger(tcp)).await;
                return Err(explain(&error));
            }
        };
        if joins {
            return Ok((stream, Via::Join, None));
        }
        let certificates = stream.get_ref().1.peer_certificates();
        let shown = Shown::new(&self.credentials, certificates, Side::Client, &self.clock)
            .map_err(cause)?;
        // The same as in the handshake, but for what has changed since.
        let peer = shown.peer().map_err(cause)?;
        Ok((stream, Via::Peer(peer), Some(shown)))
    }
}

async fn linger(mut tcp: TcpStream) -> io::Result<()> {
    tcp.shutdown().await?;
    let mut buffer = [0; 1024];
    while tcp.read(&mut buffer).await? > 0 {}
    Ok(())
}
