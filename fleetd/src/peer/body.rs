//! Bodies of requests that have to arrive in time, and that tell whether they did.

use super::limits::Limits;
use super::table;
use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// The body with the deadline of its route.
pub(super) fn within(body: Body, kind: table::Body, limits: &Limits) -> Body {
    if body.is_end_stream() {
        return body;
    }
    let (time, renew) = match kind {
        table::Body::Short => (limits.body, None),
        table::Body::Stream => (limits.piece, Some(limits.piece)),
    };
    Body::new(Timed { body, deadline: Box::pin(sleep(time)), renew })
}

struct Timed {
    body: Body,
    deadline: Pin<Box<Sleep>>,
    /// After each piece.
    renew: Option<Duration>,
}

fn late() -> axum::Error {
    axum::Error::new(io::Error::new(io::ErrorKind::TimedOut, "the body did not come in time"))
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if this.renew.is_none() && this.deadline.is_elapsed() {
            return Poll::Ready(Some(Err(late())));
        }
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            if let Some(time) = this.renew {
                this.deadline.as_mut().reset(Instant::now() + time);
            }
            return Poll::Ready(frame);
        }
        this.deadline.as_mut().poll(cx).map(|()| Some(Err(late())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body that tells when it was read to its end.
pub(super) struct Watched<B> {
    pub(super) body: B,
    pub(super) read: Arc<AtomicBool>,
}

impl<B: HttpBody + Unpin> HttpBody for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.read.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred pieces, one a second.
    async fn slow(kind: table::Body) -> Result<usize, axum::Error> {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            for _ in 0..100 {
                sleep(Duration::from_secs(1)).await;
                let _ = sender.send("a").await;
            }
        });
        let stream = futures_util::stream::unfold(receiver, async |mut receiver| {
            receiver.recv().await.map(|piece| (io::Result::Ok(piece), receiver))
        });
        let limits = Limits {
            body: Duration::from_secs(30),
            piece: Duration::from_secs(30),
            ..Limits::default()
        };
        let body = within(Body::from_stream(stream), kind, &limits);
        axum::body::to_bytes(body, 1000).await.map(|bytes| bytes.len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_body_has_a_time_and_a_stream_only_has_to_go_on() {
        assert!(slow(table::Body::Short).await.is_err());
        assert_eq!(slow(table::Body::Stream).await.unwrap(), 100);
    }
}
