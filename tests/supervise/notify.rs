//! Readiness (sd_notify(3)).

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use flotilla_tests::{need, programs, require};
use serde_json::json;

use crate::client::{granted, refused};
use crate::supervised::{Plan, Supervised};

/// Its program says that it is ready when it is told to go on.
fn plan() -> (Plan, UnixDatagram) {
    let plan = Plan::script("read go; NOTIFY_SOCKET=/tmp/notify exec hello-server");
    fs::copy(programs::path("hello-server"), plan.root().join("bin/hello-server")).unwrap();
    let socket = UnixDatagram::bind(plan.root().join("tmp/notify")).unwrap();
    (plan.with(&["--stdin"]), socket)
}

fn send_from_outside(supervised: &Supervised, message: &[u8]) {
    let path = supervised.scratch.path().join("bundle/rootfs/tmp/notify");
    UnixDatagram::unbound().unwrap().send_to(message, path).unwrap();
}

#[test]
fn a_program_is_ready_once_it_says_so_whoever_listens() {
    require!(need::root());
    let (plan, socket) = plan();
    let mut supervised = plan.hand("--notify-fd", "", socket.into()).start();
    let mut client = supervised.connect();
    let mut waiter = supervised.connect();
    waiter.send(&json!({"op": "ready"}), &[]);
    send_from_outside(&supervised, b"READY=1");
    let word = format!("process {} is not in the container", std::process::id());
    // Asked after the message: answered after it.
    assert_eq!(client.ok(json!({"op": "state"}))["ready"], false);
    assert!(supervised.texts("supervisor").iter().any(|line| line.contains(&word)));

    client.ok(json!({"op": "reexec"}));
    client.ok(json!({"op": "stdin", "last": true}));
    nix::unistd::write(client.passed().remove(0), b"go\n").unwrap();
    granted(waiter.receive());
    assert_eq!(client.ok(json!({"op": "state"}))["ready"], true);
    client.ok(json!({"op": "reexec"}));
    client.ok(json!({"op": "ready"}));
    client.ok(json!({"op": "signal", "signal": 9}));
    supervised.wait_record();
}

#[test]
fn a_program_that_goes_on_talking_does_not_wait() {
    require!(need::root());
    let (program, ours) = UnixDatagram::pair().unwrap();
    // Far longer than it takes; a socket that nobody reads takes some ten messages.
    program.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut supervised = Plan::script("sleep 1000").hand("--notify-fd", "", ours.into()).start();
    for number in 0..1000 {
        program.send(format!("STATUS=at {number}").as_bytes()).unwrap();
    }
    let mut client = supervised.connect();
    assert_eq!(client.ok(json!({"op": "state"}))["ready"], false);
    client.ok(json!({"op": "signal", "signal": 9}));
    supervised.wait_record();
}

#[test]
fn who_waits_for_a_program_that_ends_is_told() {
    require!(need::root());
    let (plan, socket) = plan();
    let mut supervised = plan.hand("--notify-fd", "", socket.into()).start();
    let mut waiter = supervised.connect();
    waiter.send(&json!({"op": "ready"}), &[]);
    supervised.connect().ok(json!({"op": "signal", "signal": 9}));
    assert_eq!(refused(&waiter.receive()), "wait for readiness: the container has ended");
    supervised.wait_record();
}

#[test]
fn a_program_without_a_socket_is_ready_when_it_runs() {
    require!(need::root());
    let mut supervised = Plan::script("sleep 1000").start();
    let mut client = supervised.connect();
    assert_eq!(client.ok(json!({"op": "state"}))["ready"], true);
    client.ok(json!({"op": "ready"}));
    client.ok(json!({"op": "signal", "signal": 9}));
    supervised.wait_record();
}
