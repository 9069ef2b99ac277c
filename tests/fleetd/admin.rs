//! What an admin types and sees: `fleetctl` with both daemons under it, and the demo.

use crate::host::{HELLO, Host, needs};
use flotilla_tests::{need, programs, require};
use std::process::{Command, Output, Stdio};

struct Admin<'a> {
    host: &'a Host,
}

impl Admin<'_> {
    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(programs::path("fleetctl"));
        command.args(line.split(' ')).current_dir(self.host.scratch.path());
        command.env("FLEETCTL_SOCKET", self.host.run_dir().join("fleetd.sock"));
        command.stdin(Stdio::null());
        command
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.host.scratch.path().join(name), text).unwrap();
    }

    /// Standard output of a command that must succeed.
    fn types(&self, line: &str) -> String {
        let output = self.command(line).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "fleetctl {line}: {words}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The one sentence on standard error of a command that must fail with this code.
    fn is_told(&self, line: &str, code: i32) -> String {
        let output = self.command(line).output().unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "fleetctl {line}: {words}");
        assert!(words.starts_with("fleetctl: "), "{words}");
        words
    }
}

#[test]
fn a_unit_is_started_seen_asked_and_stopped() {
    require!(needs());
    require!(need::program("busybox"));
    let host = Host::new();
    let admin = Admin { host: &host };
    admin.write("hello.container", HELLO);
    let started = admin.types("start hello.container");
    assert!(started.starts_with("hello.container launched on "), "{started}");
    for step in ["image ", "network ", "root ", "create "] {
        assert!(started.contains(step), "{step} is not in {started}");
    }
    let table = admin.types("list-units");
    let rows: Vec<Vec<&str>> = table.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["UNIT", "MACHINE", "ACTIVE", "SUB"]);
    assert_eq!((rows[1][0], &rows[1][2..]), ("hello.container", &["active", "running"][..]));
    assert!(admin.types("status hello").contains("Active: active (running)"));
    assert!(admin.types("cat hello").contains("PublishPort=8080:8080"));
    assert!(host.fetch(8080).is_ok());
    host.client().wait_log("hello.container", "GET / ");
    assert!(admin.types("logs hello").contains("GET / "));
    assert_eq!(admin.types("exec hello -- /bin/busybox echo inside"), "inside\n");
    let code = admin.command("exec hello -- /bin/busybox false").status().unwrap().code();
    assert_eq!(code, Some(1));
    assert!(admin.types("stop hello").starts_with("hello.container stopped in "));
    assert!(admin.types("destroy hello").starts_with("hello.container destroyed in "));
    assert!(host.client().units().is_empty());
    host.assert_clear();
}

#[test]
fn two_starts_of_one_unit_at_once_are_one_start() {
    require!(needs());
    let host = Host::new();
    let admin = Admin { host: &host };
    admin.write("hello.container", HELLO);
    let starts = [0, 1].map(|_| {
        let mut command = admin.command("start hello.container");
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    for start in starts {
        let Output { status, stderr, .. } = start.wait_with_output().unwrap();
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    }
    assert_eq!(Host::names(&host.run_dir().join("runs")).len(), 1);
}

#[test]
fn mistakes_are_told_in_one_sentence_and_change_nothing() {
    require!(needs());
    let host = Host::new();
    let admin = Admin { host: &host };
    admin.write("lost.container", &HELLO.replace("Image=hello", "Image=nobody"));
    let told = admin.is_told("start lost.container", 1);
    assert!(told.contains("find image nobody: not on this host"), "{told}");
    admin.types("destroy lost");
    admin.write("broken.container", "[Container\nImage=hello\n");
    let told = admin.is_told("start broken.container", 1);
    assert!(told.contains("broken.container:1: "), "{told}");
    admin.write("wrong.container", "[Container]\nImage=hello\nReadOnly=maybe\n");
    let told = admin.is_told("submit wrong.container", 1);
    assert!(told.contains("wrong.container:3: ReadOnly=maybe"), "{told}");
    admin.is_told("start a/b.container", 1);
    admin.is_told("start nothing.container", 1);
    assert!(host.client().units().is_empty());
    host.assert_clear();
}

#[test]
fn a_port_in_use_is_told_with_who_to_ask() {
    require!(needs());
    let host = Host::new();
    let admin = Admin { host: &host };
    let _holder = std::net::TcpListener::bind("127.0.0.1:8080").unwrap();
    admin.write("hello.container", HELLO);
    let told = admin.is_told("start hello.container", 1);
    assert!(told.contains("publish port 8080/tcp: another program uses it"), "{told}");
    admin.types("destroy hello");
    host.assert_clear();
}

#[test]
fn the_demo_runs_to_its_end_and_leaves_nothing() {
    require!(needs());
    require!(need::program("ip"));
    let _host = Host::without_daemons();
    // An address beside loopback's, as a machine has one.
    for line in [
        "link add uplink type veth peer name wire",
        "addr add 192.0.2.1/24 dev uplink",
        "link set uplink up",
        "link set wire up",
    ] {
        assert!(Command::new("ip").args(line.split(' ')).status().unwrap().success(), "{line}");
    }
    let words = flotilla_tests::demo().unwrap();
    for part in ["127.0.0.1: hello from ", "192.0.2.1: hello from ", ", answer 4,", "\ndone: "] {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
    assert!(words.contains("fleetctl start "), "{words}");
}
