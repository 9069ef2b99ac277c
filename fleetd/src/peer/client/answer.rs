//! The body of an answer: at its end the connection is free for the next request.

use super::pool::Lease;
use axum::body::{Body, Bytes};
use axum::http::Response;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pub(super) fn with(response: Response<Incoming>, lease: Lease) -> Response<Body> {
    response.map(|body| {
        let mut kept = Kept { body, lease: Some(lease) };
        kept.free_at_end();
        Body::new(kept)
    })
}

struct Kept {
    body: Incoming,
    /// Dropped before the end: what is left of the answer is not wanted, and the connection closes.
    lease: Option<Lease>,
}

impl Kept {
    fn free_at_end(&mut self) {
        if self.body.is_end_stream() {
            self.free();
        }
    }

    fn free(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}

impl HttpBody for Kept {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            None => self.free(),
            Some(Ok(_)) => self.free_at_end(),
            Some(Err(_)) => self.lease = None,
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
