//! Clients that are slow, wrong or many.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use flotilla_tests::{need, require};
use serde_json::json;

use crate::client::{Client, granted, refused};
use crate::supervised::Plan;
use crate::sys;

#[test]
fn what_is_no_request_is_refused_and_the_next_one_answered() {
    require!(need::root());
    let supervised = Plan::script("exec sleep 1000").start();
    let mut client = supervised.connect();
    for line in
        ["", "nonsense", "{}", "{\"op\":\"dance\"}", "[]", "{\"op\":\"signal\",\"signal\":\"x\"}"]
    {
        client.stream.write_all(format!("{line}\n").as_bytes()).unwrap();
        let error = refused(&client.receive());
        assert!(error.starts_with("read request: "), "{line}: {error}");
    }
    assert!(refused(&client.ask(json!({"op": "lease"}))).contains("no leases"));
    let null = std::fs::File::open("/dev/null").unwrap();
    client.send(&json!({"op": "state"}), &[null.as_fd()]);
    assert!(refused(&client.receive()).contains("it takes no descriptor"));
    assert_eq!(client.ok(json!({"op": "state"}))["status"], "running");
    let descriptors = supervised.descriptors();
    for _ in 0..20 {
        client.send(&json!({"op": "state"}), &[null.as_fd(); 8]);
        refused(&client.receive());
    }
    assert_eq!(supervised.descriptors(), descriptors);
}

#[test]
fn requests_on_one_connection_are_answered_in_order() {
    require!(need::root());
    let supervised = Plan::script("exec sleep 1000").start();
    let mut client = supervised.connect();
    let lines = "{\"op\":\"state\"}\n{\"op\":\"lease\"}\n".repeat(100);
    client.stream.write_all(lines.as_bytes()).unwrap();
    for _ in 0..100 {
        granted(client.receive());
        refused(&client.receive());
    }
    // One byte at a time, and a client that only reads from now on.
    for byte in b"{\"op\":\"state\"}\n" {
        client.stream.write_all(&[*byte]).unwrap();
    }
    client.finish();
    granted(client.receive());
    assert!(client.is_closed());
}

#[test]
fn a_client_that_only_waits_may_close_its_side() {
    require!(need::root());
    let supervised = Plan::script("exec sleep 1000").start();
    let mut client = supervised.connect();
    client.send(&json!({"op": "stop", "timeout_ms": 20}), &[]);
    client.finish();
    assert_eq!(granted(client.receive())["signal"], 9);
}

#[test]
fn a_line_without_end_is_cut_off() {
    require!(need::root());
    let supervised = Plan::script("exec sleep 1000").start();
    let mut client = supervised.connect();
    // The supervisor closes before all of it is sent.
    let written = client.stream.write_all(&vec![b'x'; 1 << 20]);
    assert!(written.is_err());
    assert!(refused(&client.receive()).contains("longer than 262144 bytes"));
    assert!(client.is_closed());
    assert_eq!(supervised.connect().ok(json!({"op": "state"}))["status"], "running");
}

#[test]
fn a_client_that_does_not_read_stops_nobody() {
    require!(need::root());
    let mut supervised = Plan::script("exec sleep 1000").start();
    let mut deaf = supervised.connect();
    deaf.stream.set_nonblocking(true).unwrap();
    // Until its own side is full: the supervisor has stopped reading from it.
    loop {
        match deaf.stream.write(b"{\"op\":\"state\"}\n") {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    let mut client = supervised.connect();
    assert_eq!(client.ok(json!({"op": "state"}))["status"], "running");
    client.ok(json!({"op": "stop", "timeout_ms": 0}));
    assert_eq!(supervised.wait_record()["signal"], 9);
}

#[test]
fn there_is_an_end_to_how_many_may_connect() {
    require!(need::root());
    let supervised = Plan::script("exec sleep 1000").start();
    let mut clients: Vec<_> = (0..128).map(|_| supervised.connect()).collect();
    clients[127].ok(json!({"op": "state"}));
    let mut late = supervised.connect();
    assert!(refused(&late.receive()).contains("128 are open already"));
    assert!(late.is_closed());
    drop(clients.pop());
    clients[0].ok(json!({"op": "state"}));
    supervised.connect().ok(json!({"op": "state"}));
}

#[test]
fn another_user_is_turned_away() {
    require!(need::root());
    let supervised = Plan::script("exec sleep 1000").start();
    // Even where the files let everybody in: by descriptor past the directories.
    let socket = supervised.run_dir.join("supervise.sock");
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    let held = fs::File::options().read(true).custom_flags(libc::O_PATH).open(socket).unwrap();
    let answer = std::thread::spawn(move || {
        sys::become_user(65534).unwrap();
        let socket = format!("/proc/self/fd/{}", held.as_raw_fd());
        Client::connect(Path::new(&socket)).receive()
    });
    assert!(refused(&answer.join().unwrap()).contains("user 65534 may not"));
    assert_eq!(supervised.connect().ok(json!({"op": "state"}))["status"], "running");
}
