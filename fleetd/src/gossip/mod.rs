//! Drives [`crate::core::gossip`]: a socket, time, and tasks around the state machine.
//!
//! [`start`] gives a [`Handle`]. Who is there comes by [`Handle::seen`], what happens by
//! [`Handle::events`], records by [`Handle::records`]. Streams to other hosts are opened by the
//! [`Connect`] that it is given, and those that others open are given to [`Handle::serve`].
//! docs/gossip.md says what it promises.

mod driver;
mod handle;
mod stream;

pub use driver::{Settings, start};
pub use handle::{Handle, Seen};

use crate::core::gossip::Node;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};

/// Opens streams to other hosts.
pub trait Connect: Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send;

    /// A stream whose other end is given to [`Handle::serve`] there. It must be sure that the other
    /// side is that host of this fleet; the address may be another one than that of datagrams. It
    /// is dropped when its time is over.
    fn connect(&self, to: &Node) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Asks whoever is reached as a host who it is, and in which life.
pub async fn ask_who<C: Connect>(connect: &C, of: &Node) -> io::Result<Node> {
    stream::ask_who(&mut connect.connect(of).await?).await
}

#[cfg(test)]
mod tests;
