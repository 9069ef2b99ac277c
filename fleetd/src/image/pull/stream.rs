//! From an asynchronous download to a blocking reader, and a few things done at once.

use std::future::Future;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::Poll;
use tokio::sync::mpsc;

/// Pieces that wait for the unpacker: a download that is faster than the disk waits.
const PIECES: usize = 16;

enum Piece {
    Data(Vec<u8>),
    End,
}

pub(super) struct Sender(mpsc::Sender<Piece>);

/// Ends where the sender says so; a sender that goes without a word is an error, not an end.
pub(super) struct Reader {
    pieces: mpsc::Receiver<Piece>,
    current: Vec<u8>,
    position: usize,
    ended: bool,
}

pub(super) fn channel() -> (Sender, Reader) {
    let (sender, pieces) = mpsc::channel(PIECES);
    (Sender(sender), Reader { pieces, current: Vec::new(), position: 0, ended: false })
}

impl Sender {
    /// False if nobody reads any more.
    pub(super) async fn send(&mut self, data: Vec<u8>) -> bool {
        self.0.send(Piece::Data(data)).await.is_ok()
    }

    /// With `complete` the reader sees an end, without an error.
    pub(super) async fn end(self, complete: bool) {
        if complete {
            // If nobody reads, nobody misses it.
            let _ = self.0.send(Piece::End).await;
        }
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.position == self.current.len() {
            if self.ended {
                return Ok(0);
            }
            match self.pieces.blocking_recv() {
                Some(Piece::Data(data)) => (self.current, self.position) = (data, 0),
                Some(Piece::End) => self.ended = true,
                None => {
                    let cause = "the download was broken off";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, cause));
                }
            }
        }
        let rest = &self.current[self.position..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.position += length;
        Ok(length)
    }
}

/// Does `work` for every item, at most `limit` at a time; the first error ends it all.
pub(super) async fn for_each<T, E, F>(
    items: Vec<T>,
    limit: usize,
    work: impl Fn(T) -> F,
) -> Result<(), E>
where
    F: Future<Output = Result<(), E>>,
{
    let mut waiting = items.into_iter();
    let mut running: Vec<Pin<Box<F>>> = Vec::with_capacity(limit);
    std::future::poll_fn(move |context| {
        loop {
            while running.len() < limit {
                let Some(item) = waiting.next() else { break };
                running.push(Box::pin(work(item)));
            }
            let before = running.len();
            let mut failed = None;
            running.retain_mut(|future| match future.as_mut().poll(context) {
                Poll::Pending => true,
                Poll::Ready(Ok(())) => false,
                Poll::Ready(Err(e)) => {
                    failed = Some(e);
                    false
                }
            });
            if let Some(e) = failed {
                return Poll::Ready(Err(e));
            }
            if running.is_empty() && waiting.len() == 0 {
                return Poll::Ready(Ok(()));
            }
            if running.len() == before {
                return Poll::Pending;
            }
        }
    })
    .await
}
