//! A client of a supervisor's socket.

use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use serde_json::{Value, json};

pub(crate) struct Client {
    pub(crate) stream: UnixStream,
    unread: Vec<u8>,
    passed: Vec<OwnedFd>,
}

impl Client {
    pub(crate) fn connect(path: &Path) -> Self {
        let stream =
            UnixStream::connect(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        // A test fails then, instead of hanging.
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { stream, unread: Vec::new(), passed: Vec::new() }
    }

    /// Sends a request with descriptors.
    pub(crate) fn send(&mut self, request: &Value, files: &[BorrowedFd<'_>]) {
        let line = format!("{request}\n");
        let numbers: Vec<RawFd> = files.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&numbers)];
        let control = if files.is_empty() { &rights[..0] } else { &rights };
        let sent = sendmsg::<()>(
            self.stream.as_raw_fd(),
            &[IoSlice::new(line.as_bytes())],
            control,
            MsgFlags::empty(),
            None,
        );
        let sent = sent.unwrap();
        self.stream.write_all(&line.as_bytes()[sent..]).unwrap();
    }

    /// The next line.
    pub(crate) fn receive(&mut self) -> Value {
        let line = self.next().unwrap_or_else(|| panic!("the connection was closed"));
        serde_json::from_slice(&line).unwrap()
    }

    /// Asks, and has the answer.
    pub(crate) fn ask(&mut self, request: Value) -> Value {
        self.send(&request, &[]);
        self.receive()
    }

    /// The same, and it is granted.
    pub(crate) fn ok(&mut self, request: Value) -> Value {
        granted(self.ask(request))
    }

    /// The descriptors that came with the lines so far.
    pub(crate) fn passed(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.passed)
    }

    /// The supervisor has closed the connection, with nothing more to say.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.next().is_none()
    }

    /// Sends no more, and still reads.
    pub(crate) fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') {
                return Some(self.unread.drain(..=end).collect());
            }
            let mut buffer = [0; 4096];
            let mut control = nix::cmsg_space!([RawFd; 8]);
            let mut parts = [IoSliceMut::new(&mut buffer)];
            let message = recvmsg::<()>(
                self.stream.as_raw_fd(),
                &mut parts,
                Some(&mut control),
                MsgFlags::MSG_CMSG_CLOEXEC,
            );
            let message = match message {
                Err(nix::errno::Errno::ECONNRESET) => return None,
                message => message.unwrap(),
            };
            for part in message.cmsgs().unwrap() {
                if let ControlMessageOwned::ScmRights(numbers) = part {
                    // SAFETY: the kernel has just made these descriptors for us.
                    self.passed.extend(numbers.iter().map(|&n| unsafe { OwnedFd::from_raw_fd(n) }));
                }
            }
            let length = message.bytes;
            if length == 0 {
                return None;
            }
            self.unread.extend_from_slice(&buffer[..length]);
        }
    }

    /// Starts a program in the container and gives its output as pipes.
    pub(crate) fn exec(&mut self, process: Value) -> Running {
        let (stdout, out) = std::io::pipe().unwrap();
        let (stderr, err) = std::io::pipe().unwrap();
        let null = std::fs::File::open("/dev/null").unwrap();
        use std::os::fd::AsFd;
        let request = json!({ "op": "exec", "process": process });
        self.send(&request, &[null.as_fd(), out.as_fd(), err.as_fd()]);
        Running { stdout, stderr }
    }
}

/// The output of a program of `exec`.
pub(crate) struct Running {
    pub(crate) stdout: std::io::PipeReader,
    pub(crate) stderr: std::io::PipeReader,
}

impl Running {
    /// All of stdout, once the program and its children have closed it.
    pub(crate) fn stdout(mut self) -> String {
        let mut text = String::new();
        self.stdout.read_to_string(&mut text).unwrap();
        text
    }
}

/// The process document of a script.
pub(crate) fn script(script: &str) -> Value {
    json!({ "args": ["sh", "-c", script], "env": ["PATH=/bin"], "cwd": "/" })
}

/// What was granted.
pub(crate) fn granted(answer: Value) -> Value {
    assert!(answer["error"].is_null(), "{answer}");
    answer["ok"].clone()
}

/// The sentence with which it was refused.
pub(crate) fn refused(answer: &Value) -> String {
    answer["error"].as_str().unwrap_or_else(|| panic!("not refused: {answer}")).to_owned()
}
