//! Lines of JSON with descriptors over a unix stream: how fleetd talks to netd and to supervisors.

use crate::sys::socket;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// The longest line that is taken from the other side.
const MAX_LINE: usize = netd_api::MAX_LINE;

/// One connection.
pub struct Lines {
    stream: UnixStream,
    buffer: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

impl Lines {
    /// Connects to a socket in a directory. The path may be longer than a socket's address: it is
    /// reached through the directory's descriptor.
    pub async fn connect(path: &Path) -> io::Result<Self> {
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let directory = std::fs::File::open(directory)?;
        let address = {
            use std::os::fd::AsRawFd;
            Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name)
        };
        let stream = UnixStream::connect(address).await?;
        Ok(Self { stream, buffer: Vec::new(), descriptors: Vec::new() })
    }

    /// Sends a value as one line; the descriptors ride on its first byte.
    pub async fn send(
        &mut self,
        value: &impl Serialize,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        let mut sent = 0;
        while let Some(rest) = line.get(sent..).filter(|rest| !rest.is_empty()) {
            let riding = if sent == 0 { descriptors } else { &[] };
            let stream = &self.stream;
            let send = || socket::send(stream.as_fd(), rest, riding);
            sent += stream.async_io(Interest::WRITABLE, send).await?;
        }
        Ok(())
    }

    /// The next line with the descriptors that came by then. None: the other side has closed.
    pub async fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let value = serde_json::from_slice(&line)?;
                return Ok(Some((value, std::mem::take(&mut self.descriptors))));
            }
            if self.buffer.len() > MAX_LINE {
                return Err(io::Error::other("the line is too long"));
            }
            let mut bytes = vec![0; 16 * 1024];
            let stream = &self.stream;
            let mut receive = || socket::receive(stream.as_fd(), &mut bytes);
            let (count, descriptors) = stream.async_io(Interest::READABLE, &mut receive).await?;
            if count == 0 {
                return Ok(None);
            }
            self.buffer.extend(bytes.iter().take(count));
            self.descriptors.extend(descriptors);
        }
    }

    /// Waits until the other side says something or closes. A look, since tokio holds a stream for
    /// readable until a read of it finds nothing.
    pub async fn readable(&self) -> io::Result<()> {
        let look = || socket::peek(self.stream.as_fd());
        self.stream.async_io(Interest::READABLE, look).await.map(drop)
    }
}
