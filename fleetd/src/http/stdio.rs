//! The ends of what a program is connected to: pipes, or the master of its terminal. None of them costs a
//! thread while nothing comes: there is one for every session, and threads are few.

use crate::sys::file;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, AsyncWrite, Interest};
use tokio::net::unix::pipe;

/// Both directions of a terminal's master.
#[derive(Clone)]
pub(super) struct Terminal(Arc<AsyncFd<OwnedFd>>);

impl Terminal {
    pub(super) fn new(master: OwnedFd) -> io::Result<Self> {
        file::set_nonblocking(&master)?;
        let watched = crate::sys::watch::watch(master, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self(Arc::new(watched)))
    }
}

impl AsyncWrite for Terminal {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.0.poll_write_ready(context))?;
            if let Ok(written) = ready.try_io(|master| file::write(master.get_ref(), bytes)) {
                return Poll::Ready(written);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

pub(super) enum Output {
    Pipe(pipe::Receiver),
    Terminal(Terminal),
}

impl Output {
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Pipe(pipe) => pipe.read(buffer).await,
            Self::Terminal(Terminal(master)) => {
                let read = |master: &OwnedFd| file::read(master, buffer);
                master.async_io(Interest::READABLE, read).await
            }
        }
    }

    /// What is there now; WouldBlock: nothing is. Asks the kernel, not tokio, which may not have
    /// heard of it yet.
    pub(super) fn read_at_once(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Pipe(pipe) => file::read(pipe.as_fd(), buffer),
            Self::Terminal(Terminal(master)) => file::read(master.get_ref(), buffer),
        }
    }
}
