//! One connection, from its handshake until it is over.

use super::answer::refuse;
use super::body::Watched;
use super::caller::Via;
use super::limits::{HEADER, Limits};
use super::stream::{Late, Line, Phase, Stream};
use super::validity::Shown;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use fleetd_api::ProblemKind;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

/// What a connection is served with.
pub(super) struct Session {
    pub(super) via: Via,
    /// What it lives by; none: nothing was shown.
    pub(super) shown: Option<Shown>,
    pub(super) router: Router,
    pub(super) limits: Arc<Limits>,
    /// Of the listener.
    pub(super) stop: CancellationToken,
    /// The connection's log name.
    pub(super) from: String,
}

/// Why it is to end though the peer has not ended it.
enum End {
    Refused,
    Stop,
    /// A join has had its time.
    Over,
}

impl Session {
    /// `held` is dropped with the connection, also where HTTP was left.
    pub(super) async fn serve<S>(self, stream: S, held: impl Send + 'static)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let line = Line::new();
        line.hold(held);
        let mut ended = pin!(self.ended());
        if self.http(Stream::new(stream, &line), &line, ended.as_mut()).await {
            return;
        }
        // HTTP is over, or was left.
        tokio::select! {
            () = line.gone.cancelled() => {}
            end = ended => {
                if let End::Stop = end {
                    let _ = tokio::time::timeout(self.limits.closing, line.gone.cancelled()).await;
                }
                line.cut.cancel();
            }
        }
    }

    /// Until HTTP is over. True: so is the connection.
    async fn http<S>(
        &self,
        stream: Stream<S>,
        line: &Arc<Line>,
        ended: Pin<&mut impl Future<Output = End>>,
    ) -> bool
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let router = TowerToHyperService::new(self.router.clone());
        let service =
            service_fn(|request| answer(request, &router, (&self.via, self.shown.as_ref()), line));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // Ours tell a header that is late from a connection that is not used.
            .header_read_timeout(None)
            .max_header_size(HEADER)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let end = tokio::select! {
            // How a peer has ended it does not matter.
            _ = connection.as_mut() => return false,
            late = line.late(&self.limits) => late == Late::Header,
            end = ended => matches!(end, End::Over),
        };
        if end {
            return true;
        }
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(self.limits.closing, connection).await;
        line.cut.cancel();
        true
    }

    async fn ended(&self) -> End {
        let refused = async {
            match &self.shown {
                Some(shown) => shown.refused().await,
                None => std::future::pending().await,
            }
        };
        let over = async {
            match self.via {
                Via::Join => tokio::time::sleep(self.limits.join).await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            refusal = refused => {
                tracing::info!("close the connection of {}: {refusal}", self.from);
                End::Refused
            }
            () = self.stop.cancelled() => End::Stop,
            () = over => End::Over,
        }
    }
}

async fn answer(
    request: hyper::Request<Incoming>,
    router: &TowerToHyperService<Router>,
    (via, shown): (&Via, Option<&Shown>),
    line: &Arc<Line>,
) -> Result<Response, Infallible> {
    let taken = line.begin().map_err(|cause| (ProblemKind::Invalid, cause.to_owned()));
    let taken = taken.and_then(|()| match shown {
        Some(shown) => shown.check().map_err(|cause| (ProblemKind::Denied, cause.to_string())),
        None => Ok(()),
    });
    let mut busy = Busy { line: Arc::clone(line), next: Phase::Idle };
    let read = Arc::new(AtomicBool::new(request.body().is_end_stream()));
    let mut response = match taken {
        Ok(()) => {
            let mut request: Request<Body> =
                request.map(|body| Body::new(Watched { body, read: Arc::clone(&read) }));
            request.extensions_mut().insert(via.clone());
            if let Via::Peer(peer) = via {
                request.extensions_mut().insert(peer.clone());
            }
            router.call(request).await?
        }
        Err((kind, cause)) => {
            read.store(false, Ordering::Relaxed);
            refuse(kind, format!("read request: {cause}"))
        }
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        busy.next = Phase::Raw;
    } else if !read.load(Ordering::Relaxed) {
        // What is left of the body would be taken for the next request's header.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    Ok(response.map(|body| Body::new(Sending { body, _busy: busy })))
}

/// A request is under way until this is dropped.
struct Busy {
    line: Arc<Line>,
    next: Phase,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.line.end(self.next);
    }
}

/// The body of an answer.
struct Sending {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
