//! A fleet with servers on 127.0.0.1, clients that speak raw HTTP, and a wire that can be cut.

use crate::peer::access::{HostsMay, guard_by};
use crate::peer::client::{Client, Limits as ClientLimits};
use crate::peer::limits::Limits;
use crate::peer::listen::{Listener, listen, serve};
use crate::peer::table::{Body as BodyKind, Need, Rule};
use crate::pki::fixture as pki;
use crate::pki::{Authority, Bundle, Credentials, Expected, Identity, Role, joining, tls};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

pub(super) use crate::pki::fixture::{host, machine, user};

pub(super) struct Fleet {
    pub(super) authority: Authority,
    pub(super) bundle: Bundle,
}

impl Fleet {
    pub(super) fn new() -> Self {
        let authority = pki::fleet();
        let bundle = pki::bundle(&[&authority]);
        Self { authority, bundle }
    }

    pub(super) fn credentials(&self, identity: &Identity) -> Arc<Credentials> {
        pki::credentials(&self.bundle, pki::own(&self.authority, identity))
    }

    pub(super) fn client(&self, identity: &Identity) -> Client {
        Client::new(&self.credentials(identity), ClientLimits::default())
    }

    /// Host 1 with these routes.
    pub(super) async fn server(&self, router: Router, limits: Limits) -> Server {
        self.server_of(1, router, limits).await
    }

    pub(super) async fn server_of(&self, number: u32, router: Router, limits: Limits) -> Server {
        let credentials = self.credentials(&host(number));
        let listener = listen("127.0.0.1:0", &credentials, limits.clone()).await.unwrap();
        let router = guard_by(&TABLE, router, &limits, hosts_are_admins());
        Server::start(listener, credentials, router, join(&limits))
    }
}

/// For routes of tests.
pub(super) static TABLE: [Rule; 5] = [
    Rule { method: "GET", route: "/view", need: Need::User(Role::View), body: BodyKind::Short },
    Rule { method: "POST", route: "/view", need: Need::User(Role::View), body: BodyKind::Short },
    Rule { method: "POST", route: "/stream", need: Need::User(Role::View), body: BodyKind::Stream },
    Rule { method: "GET", route: "/v1/peer/x", need: Need::Host, body: BodyKind::Short },
    Rule { method: "POST", route: "/v1/join", need: Need::Anonymous, body: BodyKind::Short },
];

pub(super) fn join(limits: &Limits) -> Router {
    let read = axum::routing::post(|body: axum::body::Bytes| async move { body.len().to_string() });
    guard_by(&TABLE, Router::new().route("/v1/join", read), limits, hosts_are_admins())
}

pub(super) fn hosts_are_admins() -> HostsMay {
    Arc::new(|_| Role::Admin)
}

/// Anybody's greeting, on the routes of the table.
pub(super) fn greeting() -> Router {
    use axum::routing::get;
    let read = |body: axum::body::Bytes| async move { body.len().to_string() };
    Router::new()
        .route("/view", get(|| async { "hello" }).post(read))
        .route("/stream", axum::routing::post(read))
        .route("/v1/peer/x", get(|| async { "hello host" }))
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) credentials: Arc<Credentials>,
    pub(super) stop: CancellationToken,
    pub(super) task: JoinHandle<()>,
}

impl Server {
    pub(super) fn start(
        listener: Listener,
        credentials: Arc<Credentials>,
        router: Router,
        join: Router,
    ) -> Self {
        let address = listener.address().unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(listener, router, join, stop.clone()));
        Self { address, credentials, stop, task }
    }

    pub(super) fn at(&self) -> String {
        self.address.to_string()
    }

    /// As somebody with these credentials.
    pub(super) async fn connect(&self, credentials: &Arc<Credentials>) -> Raw {
        let config = tls::client(credentials, Expected::Host(machine(1))).unwrap();
        Raw::connect(self.address, config).await.unwrap()
    }

    /// As somebody who joins.
    pub(super) async fn connect_to_join(&self, fleet: &Fleet) -> Raw {
        let config = joining::client(fleet.authority.fingerprint()).unwrap();
        Raw::connect(self.address, config).await.unwrap()
    }
}

/// A client that sends what it is told.
pub(super) struct Raw(pub(super) TlsStream<TcpStream>);

impl Raw {
    pub(super) async fn connect(
        address: SocketAddr,
        config: rustls::ClientConfig,
    ) -> std::io::Result<Self> {
        let tcp = TcpStream::connect(address).await?;
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self(connector.connect(tls::server_name(), tcp).await?))
    }

    pub(super) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// Sends one request and gives the whole answer, which has a length.
    pub(super) async fn ask(&mut self, text: &str) -> String {
        self.send(text).await;
        self.answer().await
    }

    /// The answer that comes next; what came of it if the connection ends.
    pub(super) async fn answer(&mut self) -> String {
        let mut answer = String::new();
        while !is_whole(&answer) {
            match self.0.read_u8().await {
                Ok(byte) => answer.push(char::from(byte)),
                Err(_) => break,
            }
        }
        answer
    }

    /// Waits until the other side has closed. What came before is returned.
    pub(super) async fn closed(&mut self) -> String {
        let mut bytes = Vec::new();
        // How it is closed does not matter.
        let _ = self.0.read_to_end(&mut bytes).await;
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |length| length.parse().unwrap());
    body.len() >= length
}

pub(super) const GET: &str = "GET /view HTTP/1.1\r\nHost: a\r\n\r\n";

pub(super) fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

pub(super) async fn text(response: Response<Body>) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Between clients and a server: counts connections, and cuts them.
pub(super) struct Relay {
    pub(super) address: SocketAddr,
    pub(super) count: Arc<AtomicUsize>,
    cut: tokio::sync::watch::Sender<()>,
    task: JoinHandle<()>,
}

impl Relay {
    pub(super) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        let cut = tokio::sync::watch::Sender::new(());
        let (counted, cuts) = (Arc::clone(&count), cut.subscribe());
        let task = tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
                let mut cuts = cuts.clone();
                cuts.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(server).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        Self { address, count, cut, task }
    }

    pub(super) fn connections(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    pub(super) fn cut(&self) {
        self.cut.send_replace(());
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
