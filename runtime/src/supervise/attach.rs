//! Copies of the output for those who watch. A slow one loses output, never the program.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use super::log::Stream;
use crate::error::{Doing, Error, Result};
use crate::sys::{file, rights};

/// Where one connection wants the output.
pub(super) struct Watcher {
    stdout: Sink,
    stderr: Sink,
    /// Bytes that did not fit, not told yet.
    lost: u64,
}

/// A descriptor of a client's that a write never blocks on.
enum Sink {
    /// Opened anew: whether the client's own descriptor blocks stays as the client has it.
    Pipe {
        client: OwnedFd,
        ours: File,
    },
    Socket(OwnedFd),
}

/// The client has closed its side.
pub(super) struct Closed;

impl Watcher {
    pub(super) fn new(stdout: OwnedFd, stderr: OwnedFd) -> Result<Self> {
        Ok(Self { stdout: Sink::new(stdout)?, stderr: Sink::new(stderr)?, lost: 0 })
    }

    /// Copies what fits. The answer is how much was lost before, once something fits again.
    pub(super) fn copy(&mut self, stream: Stream, bytes: &[u8]) -> Result<Option<u64>, Closed> {
        let sink = if stream == Stream::Stderr { &mut self.stderr } else { &mut self.stdout };
        let written = sink.write(bytes)?;
        let told = (written > 0 && self.lost > 0).then(|| std::mem::take(&mut self.lost));
        self.lost += (bytes.len() - written) as u64;
        Ok(told)
    }

    /// The client's descriptors, stdout first.
    pub(super) fn descriptors(&self) -> [&OwnedFd; 2] {
        [self.stdout.client(), self.stderr.client()]
    }
}

impl Sink {
    fn new(client: OwnedFd) -> Result<Self> {
        let kind = file::fstat(client.as_fd()).doing("attach")?.st_mode & libc::S_IFMT;
        match kind {
            libc::S_IFSOCK => Ok(Self::Socket(client)),
            libc::S_IFIFO => {
                let ours = OpenOptions::new()
                    .write(true)
                    .custom_flags(libc::O_NONBLOCK)
                    .open(format!("/proc/self/fd/{}", client.as_raw_fd()))
                    .doing("attach to the pipe")?;
                Ok(Self::Pipe { client, ours })
            }
            _ => Err(Error::new("attach: the descriptors must be pipes or sockets")
                .hint("a file or terminal could block the supervisor")),
        }
    }

    fn client(&self) -> &OwnedFd {
        match self {
            Self::Pipe { client, .. } | Self::Socket(client) => client,
        }
    }

    /// How much of it fits.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Closed> {
        let mut written = 0;
        while written < bytes.len() {
            let rest = &bytes[written..];
            let result = match self {
                Self::Pipe { ours, .. } => ours.write(rest),
                Self::Socket(socket) => rights::send(socket.as_fd(), rest, &[]),
            };
            match result {
                Ok(count) => written += count,
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => break,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Closed),
            }
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_slow_reader_loses_output_and_is_told_how_much() {
        let (mut reader, writer) = io::pipe().unwrap();
        let (_unused, other) = io::pipe().unwrap();
        let mut watcher =
            Watcher::new(writer.into(), other.into()).unwrap_or_else(|e| panic!("{e}"));
        let chunk = [b'x'; 100_000];
        assert!(matches!(watcher.copy(Stream::Stdout, &chunk), Ok(None)));
        let mut taken = vec![0; 4096 * 4];
        reader.read_exact(&mut taken).unwrap();
        let told = watcher.copy(Stream::Stdout, b"more").unwrap_or_else(|_| panic!("closed"));
        let fitted = 100_000 - told.unwrap();
        assert!((4096..100_000).contains(&fitted), "{fitted}");
        drop(reader);
        assert!(watcher.copy(Stream::Stdout, b"x").is_err());
    }

    #[test]
    fn what_could_block_is_refused() {
        let file = File::open("/dev/null").unwrap();
        let error = Watcher::new(file.try_clone().unwrap().into(), file.into()).err().unwrap();
        assert!(error.to_string().contains("pipes or sockets"), "{error}");
    }
}
