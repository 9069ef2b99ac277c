//! Network namespaces to act in.

use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::Command;

/// A network namespace, alive as long as this is or something in it is.
pub(crate) struct Namespace(OwnedFd);

impl Namespace {
    /// A new one, with `lo` up.
    pub(crate) fn new() -> Self {
        let made = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            let fd = File::open("/proc/thread-self/ns/net").unwrap();
            flotilla_tests::sys::bring_loopback_up().unwrap();
            fd
        });
        Self(made.join().unwrap().into())
    }

    /// Does something in there. Sockets made by it stay in there.
    pub(crate) fn run<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let acting = scope.spawn(|| {
                setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
                act()
            });
            acting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs a program in there and gives its output.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.run(|| Command::new(program).args(arguments).output().unwrap());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs `ip` with the words of one line.
    pub(crate) fn ip(&self, line: &str) -> String {
        self.command("ip", &line.split(' ').collect::<Vec<_>>())
    }

    pub(crate) fn json(&self, program: &str, line: &str) -> serde_json::Value {
        let text = self.command(program, &line.split(' ').collect::<Vec<_>>());
        if text.trim().is_empty() {
            serde_json::json!([])
        } else {
            serde_json::from_str(&text).unwrap()
        }
    }
}

impl From<OwnedFd> for Namespace {
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}
