//! The port: one task a connection, as many as the limits allow.

use super::caller::Via;
use super::complaints::Complaints;
use super::connection::Session;
use super::handshake::Handshakes;
use super::limits::{Limits, REST};
use super::places::{Place, Places};
use super::validity::{Clock, wall_clock};
use crate::net::{TcpListener, TcpStream};
use crate::pki::Credentials;
use crate::sentence::cause;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A port that is open.
pub struct Listener {
    tcp: TcpListener,
    server: Arc<Server>,
}

/// What all connections share.
struct Server {
    handshakes: Handshakes,
    places: Arc<Places>,
    limits: Arc<Limits>,
    complaints: Complaints,
}

/// Opens the port. `address`: `ADDRESS:PORT`.
pub async fn listen(
    address: &str,
    credentials: &Arc<Credentials>,
    limits: Limits,
) -> Result<Listener, String> {
    listen_by(address, credentials, limits, wall_clock()).await
}

pub(super) async fn listen_by(
    address: &str,
    credentials: &Arc<Credentials>,
    limits: Limits,
    clock: Clock,
) -> Result<Listener, String> {
    let handshakes = Handshakes::new(credentials, clock)
        .map_err(|e| format!("listen on {address}: {}", cause(e)))?;
    let tcp = TcpListener::bind(address).await;
    let tcp = tcp.map_err(|e| format!("listen on {address}: {}", cause(e)))?;
    let limits = Arc::new(limits);
    let places = Places::new(Arc::clone(&limits));
    let complaints = Complaints::default();
    Ok(Listener { tcp, server: Arc::new(Server { handshakes, places, limits, complaints }) })
}

impl Listener {
    /// Where it is, with the port that the kernel has chosen for port 0.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// Answers until it is stopped: then nobody gets in any more, and what is under way has
/// [`Limits::closing`] to end. Returns when all connections are closed.
///
/// `router` is for those with a certificate and `join` for those who want to join; both are behind
/// [`super::access::guard`].
pub async fn serve(listener: Listener, router: Router, join: Router, stop: CancellationToken) {
    let Listener { tcp, server } = listener;
    let join = join.layer(DefaultBodyLimit::max(server.limits.join_body));
    let tasks = TaskTracker::new();
    let each = |stream: TcpStream, from: SocketAddr| match server.places.take(from.ip()) {
        Ok(place) => {
            let (server, stop) = (Arc::clone(&server), stop.clone());
            let routers = (router.clone(), join.clone());
            tasks.spawn(async move { server.connection(stream, place, from, routers, stop).await });
        }
        Err(full) => server.complaints.log(format_args!("refuse a connection of {from}: {full}")),
    };
    tokio::select! {
        () = accept(|cx| tcp.poll_accept(cx), each) => {}
        () = stop.cancelled() => {}
    }
    drop(tcp);
    tasks.close();
    tasks.wait().await;
}

/// Accepts without end.
pub(super) async fn accept<T, A>(
    mut next: impl FnMut(&mut Context<'_>) -> Poll<io::Result<(T, A)>>,
    each: impl Fn(T, A),
) {
    loop {
        match poll_fn(&mut next).await {
            Ok((stream, from)) => each(stream, from),
            // The peer has gone before it was accepted: accept(2).
            Err(error) if is_of_peer(&error) => tracing::debug!("accept a connection: {error}"),
            Err(error) => {
                tracing::warn!("accept a connection: {}", cause(error));
                tokio::time::sleep(REST).await;
            }
        }
    }
}

fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted | Kind::ConnectionReset | Kind::Interrupted | Kind::BrokenPipe
    )
}

impl Server {
    async fn connection(
        self: Arc<Self>,
        tcp: TcpStream,
        mut place: Place,
        from: SocketAddr,
        (router, join): (Router, Router),
        stop: CancellationToken,
    ) {
        if let Err(error) = prepare(&tcp) {
            return tracing::debug!("prepare the connection of {from}: {error}");
        }
        let shake = tokio::time::timeout(self.limits.handshake, self.handshakes.shake(tcp));
        let shaken = tokio::select! {
            shaken = shake => shaken.unwrap_or_else(|_| Err("it takes too long".to_owned())),
            () = stop.cancelled() => return,
        };
        let (stream, via, shown) = match shaken {
            Ok(shaken) => shaken,
            Err(cause) => {
                return self.complaints.log(format_args!("let {from} in: {cause}"));
            }
        };
        if let Err(full) = place.enter(via == Via::Join) {
            return self.complaints.log(format_args!("let {from} in: {full}"));
        }
        let (router, from) = match &via {
            Via::Peer(peer) => (router, format!("{} at {from}", peer.identity)),
            Via::Join | Via::Local { .. } => (join, from.to_string()),
        };
        let limits = Arc::clone(&self.limits);
        Session { via, shown, router, limits, stop, from }.serve(stream, place).await;
    }
}

/// A peer that has vanished is found out in so many seconds: while nothing is sent, and while
/// something is.
const SILENT: u32 = 15;
const PROBES: u32 = 3;
const VANISHED: Duration = Duration::from_secs(30);

/// Options of a connection, at both ends.
pub(super) fn prepare(tcp: &TcpStream) -> Result<(), Errno> {
    // A simulated one has none.
    #[cfg(test)]
    let TcpStream::Kernel(tcp) = tcp else { return Ok(()) };
    setsockopt(tcp, sockopt::TcpNoDelay, &true)?;
    setsockopt(tcp, sockopt::KeepAlive, &true)?;
    setsockopt(tcp, sockopt::TcpKeepIdle, &SILENT)?;
    setsockopt(tcp, sockopt::TcpKeepInterval, &(SILENT / PROBES))?;
    setsockopt(tcp, sockopt::TcpKeepCount, &PROBES)?;
    let vanished = u32::try_from(VANISHED.as_millis()).unwrap_or(u32::MAX);
    setsockopt(tcp, sockopt::TcpUserTimeout, &vanished)
}
