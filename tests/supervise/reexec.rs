//! Another program takes over.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use flotilla_tests::{need, programs, require};
use serde_json::json;

use crate::attach::Watcher;
use crate::client::{granted, refused, script};
use crate::supervised::Plan;

#[test]
fn output_sessions_and_waiters_survive_a_reexec() {
    require!(need::root());
    // More than a pipe holds, with a pause that only the test ends.
    let program = "read go; seq 1 50000; echo half >&2; read go; seq 50001 100000; printf tail";
    let plan = Plan::script(program);
    let mut supervised = plan.with(&["--stdin", "--log-max-files", "100"]).start();
    let mut client = supervised.connect();
    let mut waiter = supervised.connect();
    waiter.send(&json!({"op": "wait"}), &[]);
    client.ok(json!({"op": "stdin"}));
    let mut input = fs::File::from(client.passed().remove(0));
    let mut session = supervised.connect();
    let running = session.exec(script("read word < /tmp/fifo; echo heard $word; exit 9"));
    let fifo = supervised.scratch.path().join("bundle/rootfs/tmp/fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    granted(session.receive());
    let mut watcher = Watcher::new(&supervised);
    let before = client.ok(json!({"op": "state"}));
    let descriptors = supervised.descriptors();

    input.write_all(b"go\n").unwrap();
    // While output flows: by the program's own file, and by a copy of it.
    client.ok(json!({"op": "reexec"}));
    let copy = supervised.scratch.path().join("new-ocirun");
    fs::copy(programs::path("ocirun"), &copy).unwrap();
    let new = fs::File::open(&copy).unwrap();
    client.send(&json!({"op": "reexec"}), &[new.as_fd()]);
    granted(client.receive());
    // It runs from a detached mount of the file, which has no path.
    let exe = fs::metadata(format!("/proc/{}/exe", supervised.supervisor())).unwrap();
    assert_eq!(exe.ino(), fs::metadata(&copy).unwrap().ino());
    assert_eq!(client.ok(json!({"op": "state"})), before);
    assert_eq!(supervised.descriptors(), descriptors);

    let mut half = [0; 5];
    watcher.stderr.read_exact(&mut half).unwrap();
    assert_eq!(&half, b"half\n");
    input.write_all(b"go\n").unwrap();
    fs::write(&fifo, "word\n").unwrap();
    assert_eq!(running.stdout(), "heard word\n");
    assert_eq!(session.receive(), json!({"exit": {"code": 9, "signal": null}}));
    let exit = supervised.wait_record();
    assert_eq!(exit["code"], 0);
    assert_eq!(granted(waiter.receive()), exit);
    let expected: Vec<String> =
        (1..=100_000).map(|n: u32| n.to_string()).chain(["tail".to_owned()]).collect();
    assert_eq!(supervised.texts("stdout"), expected);
    assert_eq!(supervised.texts("supervisor").len(), 2);
}

#[test]
fn a_program_that_cannot_take_over_changes_nothing() {
    require!(need::root());
    let mut supervised = Plan::script("read go; echo end").with(&["--stdin"]).start();
    let mut client = supervised.connect();
    client.ok(json!({"op": "state"}));
    let descriptors = supervised.descriptors();
    let text = supervised.scratch.path().join("text");
    fs::write(&text, "no program").unwrap();
    for (program, sentence) in [
        (need::program("busybox").unwrap(), "cannot take over"),
        (need::program("true").unwrap(), "it said nothing"),
        (text, "run the new program"),
    ] {
        let file = fs::File::open(&program).unwrap();
        client.send(&json!({"op": "reexec"}), &[file.as_fd()]);
        let error = refused(&client.receive());
        assert!(error.contains(sentence), "{}: {error}", program.display());
    }
    assert_eq!(supervised.descriptors(), descriptors);
    client.ok(json!({"op": "stdin"}));
    fs::File::from(client.passed().remove(0)).write_all(b"go\n").unwrap();
    assert_eq!(supervised.wait_record()["code"], 0);
    assert_eq!(supervised.texts("stdout"), ["end"]);
}

#[test]
fn a_stop_under_way_goes_on_after_a_reexec() {
    require!(need::root());
    let mut supervised = Plan::script("exec sleep 1000").start();
    let mut stopper = supervised.connect();
    stopper.send(&json!({"op": "stop", "timeout_ms": 1500}), &[]);
    supervised.connect().ok(json!({"op": "reexec"}));
    assert_eq!(granted(stopper.receive())["signal"], 9);
    assert_eq!(supervised.wait_record()["signal"], 9);
}

#[test]
fn a_terminal_survives_a_reexec() {
    require!(need::root());
    let plan = Plan::script("read line; echo got $line; stty size").terminal().with(&["--stdin"]);
    let mut supervised = plan.start();
    let mut client = supervised.connect();
    client.ok(json!({"op": "reexec"}));
    client.ok(json!({"op": "resize", "rows": 7, "columns": 8}));
    client.ok(json!({"op": "stdin"}));
    fs::File::from(client.passed().remove(0)).write_all(b"word\n").unwrap();
    assert_eq!(supervised.wait_record()["code"], 0);
    assert_eq!(supervised.texts("stdout"), ["word", "got word", "7 8"]);
}
