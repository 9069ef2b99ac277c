//! What the program says about itself (sd_notify(3)): that it is ready.
//!
//! It is heard here and not by fleetd, which may be away: a socket that nobody reads fills up after a
//! few messages, and a program that says more would wait in sendmsg(2).

use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use super::connection::Role;
use super::request;
use super::serve::Answer;
use super::stop::processes;
use super::{Supervisor, Watch};
use crate::error::{Doing, Error, Result};
use crate::sys::credentials;

/// sd_notify(3) sends far less; the rest of a longer message is lost.
const LONGEST_MESSAGE: usize = 4096;
/// Taken at once, so that a program that never stops talking does not keep the others out.
const MOST_MESSAGES: usize = 64;

/// The socket of `--notify-fd`.
pub(super) struct Notify {
    pub(super) socket: OwnedFd,
    /// READY=1 has come.
    pub(super) ready: bool,
}

impl Notify {
    /// Before anybody can write to the socket.
    pub(super) fn new(socket: OwnedFd) -> Result<Self> {
        credentials::ask(socket.as_fd()).doing("listen for readiness")?;
        Ok(Self { socket, ready: false })
    }
}

impl Supervisor {
    /// A program that has nothing to say about it is ready once it runs.
    pub(super) fn is_ready(&self) -> bool {
        self.container.notify.as_ref().is_none_or(|notify| notify.ready)
    }

    pub(super) fn listen_to_program(&self) -> Result<()> {
        match &self.container.notify {
            Some(notify) => self.listen_to(notify.socket.as_fd(), Watch::Notify),
            None => Ok(()),
        }
    }

    /// Takes what has come. Once the program is ready the rest is read all the same.
    pub(super) fn on_notify(&mut self) {
        let was_ready = self.is_ready();
        let mut strangers = BTreeSet::new();
        let Some(notify) = &mut self.container.notify else { return };
        let mut buffer = [0; LONGEST_MESSAGE];
        for _ in 0..MOST_MESSAGES {
            let Ok((length, sender)) = credentials::receive(notify.socket.as_fd(), &mut buffer)
            else {
                break;
            };
            if notify.ready || !says_ready(&buffer[..length]) {
                continue;
            }
            match sender {
                Some(pid) if is_stranger(pid, self.container.cgroup.path()) => {
                    strangers.insert(pid);
                }
                _ => notify.ready = true,
            }
        }
        for pid in strangers {
            self.say(&format!("listen for readiness: process {pid} is not in the container"));
        }
        if !was_ready && self.is_ready() {
            self.tell_ready(&request::done());
        }
    }

    /// Answers those who wait for it.
    pub(super) fn tell_ready(&mut self, line: &[u8]) {
        let awaits = |role: &Role| matches!(role, Role::AwaitsReady);
        let waiting = self.connections.iter().filter(|(_, one)| awaits(&one.role));
        let waiting: Vec<u32> = waiting.map(|(number, _)| *number).collect();
        for number in waiting {
            self.tell(number, line, Role::Asking);
        }
    }

    pub(super) fn ready_by_request(&self) -> Answer {
        if self.is_ready() { Answer::done() } else { Answer::later(Role::AwaitsReady) }
    }
}

/// The answer to those who wait for a program that has ended.
pub(super) fn never() -> Error {
    Error::new("wait for readiness: the container has ended")
}

/// One assignment a line (sd_notify(3)).
fn says_ready(message: &[u8]) -> bool {
    message.split(|&byte| byte == b'\n').any(|line| line == b"READY=1")
}

/// Whether the process lives outside of the cgroup. One that has ended meanwhile (systemd-notify(1) does
/// nothing else) was inside, as far as anybody can tell: the way to the socket is root's and the
/// container's alone.
fn is_stranger(pid: i32, cgroup: &Path) -> bool {
    let mut members = BTreeSet::new();
    let unknown = processes(cgroup, &mut members).is_err();
    !unknown && !members.contains(&pid) && Path::new("/proc").join(pid.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_is_a_line_of_its_own() {
        for said in ["READY=1", "READY=1\n", "STATUS=up\nREADY=1\nMAINPID=7"] {
            assert!(says_ready(said.as_bytes()), "{said:?}");
        }
        for said in ["", "READY=0", "READY=10", "STATUS=READY=1", "XREADY=1", "READY=1\r"] {
            assert!(!says_ready(said.as_bytes()), "{said:?}");
        }
    }

    #[test]
    fn a_living_process_of_another_cgroup_is_a_stranger() {
        let cgroup = std::env::temp_dir().join(format!("flotilla-notify-{}", std::process::id()));
        std::fs::create_dir(&cgroup).unwrap();
        std::fs::write(cgroup.join("cgroup.procs"), "2147483000\n").unwrap();
        assert!(is_stranger(1, &cgroup));
        assert!(!is_stranger(2_147_483_000, &cgroup));
        assert!(!is_stranger(2_147_483_001, &cgroup), "it has ended");
        std::fs::remove_dir_all(&cgroup).unwrap();
    }
}
