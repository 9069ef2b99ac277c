//! The bytes of one connection: seen, counted, and cut off when they are to end at once.
//!
//! HTTP may hand the stream on (`Upgrade`) to whoever; what is held for the connection and the way
//! to cut it go with it.

use super::head::Head;
use super::limits::Limits;
use std::any::Any;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

/// What a server's connection is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing of a request is there.
    Idle,
    /// A request has begun.
    Header,
    /// A request is being answered.
    Busy,
    /// HTTP was left.
    Raw,
}

/// What is known of a connection beside its stream.
pub(super) struct Line {
    /// Ends reads and writes.
    pub(super) cut: CancellationToken,
    /// The stream was dropped.
    pub(super) gone: CancellationToken,
    read: AtomicU64,
    phase: watch::Sender<Phase>,
    head: Mutex<Head>,
    held: Mutex<Vec<Box<dyn Any + Send>>>,
}

/// Which deadline has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    Idle,
    Header,
}

impl Line {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            cut: CancellationToken::new(),
            gone: CancellationToken::new(),
            read: AtomicU64::new(0),
            phase: watch::Sender::new(Phase::Idle),
            head: Mutex::default(),
            held: Mutex::default(),
        })
    }

    /// Is dropped with the stream.
    pub(super) fn hold(&self, held: impl Any + Send) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(held));
    }

    /// Bytes so far.
    pub(super) fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// A request's header was read: whether the request is taken.
    pub(super) fn begin(&self) -> Result<(), &'static str> {
        self.phase.send_replace(Phase::Busy);
        self.head.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn end(&self, next: Phase) {
        self.phase.send_replace(next);
    }

    fn seen(&self, bytes: &[u8]) {
        self.read.fetch_add(bytes.len().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
        let phase = *self.phase.borrow();
        if phase == Phase::Idle && !bytes.is_empty() {
            self.phase.send_replace(Phase::Header);
        }
        if matches!(phase, Phase::Idle | Phase::Header) {
            self.head.lock().unwrap_or_else(PoisonError::into_inner).feed(bytes);
        }
    }

    /// Returns when the peer has let a deadline pass.
    pub(super) async fn late(&self, limits: &Limits) -> Late {
        let mut phases = self.phase.subscribe();
        loop {
            let phase = *phases.borrow_and_update();
            let (within, late) = match phase {
                Phase::Idle => (limits.idle, Late::Idle),
                Phase::Header => (limits.header, Late::Header),
                Phase::Busy | Phase::Raw => {
                    // This line has the sender.
                    let _ = phases.changed().await;
                    continue;
                }
            };
            tokio::select! {
                _ = phases.changed() => {}
                () = tokio::time::sleep(within) => return late,
            }
        }
    }
}

pub(super) struct Stream<S> {
    inner: S,
    line: Arc<Line>,
    // One for each direction: they may be polled by different tasks.
    cut_read: Pin<Box<WaitForCancellationFutureOwned>>,
    cut_write: Pin<Box<WaitForCancellationFutureOwned>>,
    _gone: DropGuard,
}

impl<S> Stream<S> {
    pub(super) fn new(inner: S, line: &Arc<Line>) -> Self {
        let cut = || Box::pin(line.cut.clone().cancelled_owned());
        let gone = line.gone.clone().drop_guard();
        let (cut_read, cut_write) = (cut(), cut());
        Self { inner, line: Arc::clone(line), cut_read, cut_write, _gone: gone }
    }

    /// What a write gives.
    fn written<T>(
        &mut self,
        poll: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        until_cut(poll, self.cut_write.as_mut(), cx)
    }
}

impl<S> Drop for Stream<S> {
    fn drop(&mut self) {
        self.line.held.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn until_cut<T>(
    poll: Poll<io::Result<T>>,
    cut: Pin<&mut WaitForCancellationFutureOwned>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<T>> {
    use std::future::Future;
    match poll {
        Poll::Pending => cut.poll(cx).map(|()| Err(io::ErrorKind::ConnectionAborted.into())),
        ready => ready,
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.line.cut.is_cancelled() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buffer.filled().len();
        let poll = Pin::new(&mut this.inner).poll_read(cx, buffer);
        if poll.is_ready() {
            this.line.seen(buffer.filled().get(before..).unwrap_or_default());
        }
        until_cut(poll, this.cut_read.as_mut(), cx)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.line.cut.is_cancelled() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let poll = Pin::new(&mut this.inner).poll_write(cx, bytes);
        this.written(poll, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.line.cut.is_cancelled() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let poll = Pin::new(&mut this.inner).poll_write_vectored(cx, slices);
        this.written(poll, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let poll = Pin::new(&mut this.inner).poll_flush(cx);
        this.written(poll, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let poll = Pin::new(&mut this.inner).poll_shutdown(cx);
        this.written(poll, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::{Instant, sleep};

    #[tokio::test(start_paused = true)]
    async fn each_byte_of_a_header_buys_no_more_time() {
        let (mut far, near) = tokio::io::duplex(64);
        let line = Line::new();
        let mut stream = Stream::new(near, &line);
        tokio::spawn(async move {
            loop {
                sleep(Duration::from_secs(1)).await;
                far.write_all(b"a").await.unwrap();
            }
        });
        tokio::spawn(async move { while stream.read_u8().await.is_ok() {} });
        let begun = Instant::now();
        assert_eq!(line.late(&Limits::default()).await, Late::Header);
        assert_eq!(begun.elapsed().as_secs(), 11);
    }

    #[tokio::test]
    async fn a_stream_that_is_cut_wakes_both_directions() {
        let (_far, near) = tokio::io::duplex(1);
        let line = Line::new();
        line.hold(Arc::clone(&line));
        let (mut reader, mut writer) = tokio::io::split(Stream::new(near, &line));
        let reading = tokio::spawn(async move { reader.read_u8().await });
        let writing = tokio::spawn(async move { writer.write_all(&[0; 10]).await });
        tokio::task::yield_now().await;
        line.cut.cancel();
        assert!(reading.await.unwrap().is_err() && writing.await.unwrap().is_err());
        line.gone.cancelled().await;
        assert_eq!(Arc::strong_count(&line), 1, "what was held is dropped");
    }
}
