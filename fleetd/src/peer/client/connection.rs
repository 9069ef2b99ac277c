//! One connection to a host, and the task that keeps it going.

use super::pool::{Host, Lease, Pool};
use crate::net::TcpStream;
use crate::peer::error::{Error, To, explain_http, explain_io};
use crate::peer::handshake::HTTP;
use crate::peer::limits::HEADER;
use crate::peer::listen::prepare;
use crate::peer::stream::{Line, Stream};
use crate::peer::validity::{Shown, replaced, shows};
use crate::pki::refusal::Side;
use crate::pki::{Credentials, Expected, Own, tls};
use crate::sentence::cause;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use std::future::pending;
use std::pin::{Pin, pin};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What is shared by those who use a connection and its task.
pub(super) struct Link {
    pub(super) line: Arc<Line>,
    /// It is used for what is under way and nothing else. Set under the host's lock.
    pub(super) retired: AtomicBool,
    credentials: Arc<Credentials>,
    shown: Shown,
    /// What we have shown.
    own: Own,
}

impl Link {
    /// Whether a request may begin on it, by what is trusted and shown now.
    pub(super) fn is_current(&self) -> bool {
        shows(&self.credentials, &self.own) && self.shown.check().is_ok()
    }
}

/// A request that got no answer.
pub(super) struct Failed {
    /// Not a byte of it was sent.
    pub(super) unsent: Option<Request<Body>>,
    /// Not a byte of an answer came.
    pub(super) silent: bool,
    pub(super) cause: String,
    pub(super) permit: OwnedSemaphorePermit,
}

impl Lease {
    pub(super) async fn send(mut self, request: Request<Body>) -> Result<Response<Body>, Failed> {
        let before = self.link.line.bytes_read();
        match self.send.try_send_request(request).await {
            Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                // The stream is whoever's takes it, and a connection to the host until it is dropped.
                self.link.line.hold((self.permit, self.host));
                Ok(response.map(|_| Body::empty()))
            }
            Ok(response) => Ok(super::answer::with(response, self)),
            Err(mut error) => Err(Failed {
                unsent: error.take_message(),
                silent: self.link.line.bytes_read() == before,
                cause: explain_http(error.error()),
                permit: self.permit,
            }),
        }
    }
}

/// Connects and leaves the connection to a task.
pub(super) async fn open(
    pool: &Pool,
    to: &To,
    host: &Arc<Host>,
) -> Result<(SendRequest<Body>, Arc<Link>), Error> {
    let fail = |cause: String| Error::Connect { to: to.clone(), cause };
    // Before the handshake: what replaces it during that is noticed.
    let own = pool.credentials.own();
    let tls = tokio::time::timeout(pool.limits.connect, shake(&pool.credentials, to)).await;
    let tls = tls.unwrap_or_else(|_| Err("it takes too long".to_owned())).map_err(fail)?;
    let certificates = tls.get_ref().1.peer_certificates();
    let shown = Shown::new(&pool.credentials, certificates, Side::Server, &pool.clock)
        .map_err(|refusal| fail(cause(refusal)))?;
    let (line, retired) = (Line::new(), AtomicBool::new(false));
    let credentials = Arc::clone(&pool.credentials);
    let link = Arc::new(Link { line, retired, credentials, shown, own });
    let stream = TokioIo::new(Stream::new(tls, &link.line));
    let mut http = Builder::new();
    let (send, connection) = http
        .max_header_size(HEADER)
        .handshake(stream)
        .await
        .map_err(|error| fail(explain_http(&error)))?;
    let task = Task {
        to: to.clone(),
        host: Arc::downgrade(host),
        link: Arc::clone(&link),
        closing: pool.limits.closing,
    };
    tokio::spawn(task.run(connection));
    Ok((send, link))
}

async fn shake(credentials: &Arc<Credentials>, to: &To) -> Result<TlsStream<TcpStream>, String> {
    let mut config = tls::client(credentials, Expected::Host(to.machine)).map_err(cause)?;
    config.alpn_protocols = vec![HTTP.to_vec()];
    let tcp = TcpStream::connect(&to.address).await.map_err(cause)?;
    prepare(&tcp).map_err(|error| cause(std::io::Error::from(error)))?;
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(tls::server_name(), tcp).await.map_err(|error| explain_io(&error))
}

struct Task {
    to: To,
    host: Weak<Host>,
    link: Arc<Link>,
    closing: Duration,
}

type Http = Connection<TokioIo<Stream<TlsStream<TcpStream>>>, Body>;

impl Task {
    /// Until the connection is closed, also where HTTP was left.
    async fn run(self, connection: Http) {
        let mut http = Some(Box::pin(connection.with_upgrades()));
        let Link { credentials, shown, own, .. } = &*self.link;
        let mut refused = pin!(shown.refused());
        let mut replaced = pin!(replaced(credentials, own));
        let mut shows_old = false;
        loop {
            tokio::select! {
                () = end(&mut http) => {}
                () = self.link.line.gone.cancelled() => return self.retire(),
                () = replaced.as_mut(), if !shows_old => shows_old = true,
                refusal = refused.as_mut() => {
                    tracing::info!("close the connection to {}: {refusal}", self.to);
                    break;
                }
            }
            self.retire();
        }
        self.retire();
        // What is under way may end; what has left HTTP has no end.
        if http.is_some() {
            let _ = tokio::time::timeout(self.closing, end(&mut http)).await;
        }
        self.link.line.cut.cancel();
    }

    fn retire(&self) {
        if let Some(host) = self.host.upgrade() {
            host.retire(&self.link);
        }
    }
}

/// Until HTTP is over.
async fn end<F: Future>(http: &mut Option<Pin<Box<F>>>) {
    match http {
        Some(running) => {
            // Whoever asked has the error.
            let _ = running.as_mut().await;
            *http = None;
        }
        None => pending().await,
    }
}
