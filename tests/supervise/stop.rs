//! Signals, and stopping.

use flotilla_tests::{need, require};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::attach::Watcher;
use crate::client::{granted, refused};
use crate::supervised::Plan;

#[test]
fn a_program_that_listens_is_stopped_by_a_signal() {
    require!(need::root());
    let script =
        "trap 'echo stopping; exit 4' TERM; echo ready; while :; do sleep 1000 & wait; done";
    let plan = Plan::script(&format!("read go; {script}")).with(&["--stdin"]);
    let mut supervised = plan.start();
    let mut watcher = Watcher::new(&supervised);
    let mut client = supervised.connect();
    client.ok(json!({"op": "stdin"}));
    std::io::Write::write_all(&mut std::fs::File::from(client.passed().remove(0)), b"go\n")
        .unwrap();
    watcher.read_stdout_until("ready\n");
    let mut waiter = supervised.connect();
    waiter.send(&json!({"op": "wait"}), &[]);
    let exit = client.ok(json!({"op": "stop", "signal": 15, "timeout_ms": null}));
    assert_eq!((&exit["code"], &exit["signal"]), (&json!(4), &json!(null)));
    assert_eq!(granted(waiter.receive()), exit);
    assert_eq!(supervised.wait_record(), exit);
    assert_eq!(supervised.texts("stdout"), ["ready", "stopping"]);
    assert_eq!(supervised.files(), ["exit.json", "log", "started.json"]);
    assert!(!supervised.cgroup("payload").exists());
}

#[test]
fn a_program_that_does_not_listen_is_killed_after_the_time() {
    require!(need::root());
    // The first process of a pid namespace gets no signal that it has no handler for.
    let mut supervised = Plan::script("exec sleep 1000").start();
    let exit = supervised.connect().ok(json!({"op": "stop", "signal": 15, "timeout_ms": 50}));
    assert_eq!(exit["signal"], 9);
    assert!(exit["code"].is_null());
    assert_eq!(supervised.wait_record(), exit);
}

#[test]
fn the_earliest_of_several_stops_holds() {
    require!(need::root());
    let mut supervised = Plan::script("exec sleep 1000").start();
    let mut patient = supervised.connect();
    patient.send(&json!({"op": "stop", "timeout_ms": null}), &[]);
    let mut slow = supervised.connect();
    slow.send(&json!({"op": "stop", "timeout_ms": 3_600_000}), &[]);
    supervised.connect().ok(json!({"op": "stop", "timeout_ms": 0}));
    assert_eq!(granted(patient.receive())["signal"], 9);
    assert_eq!(granted(slow.receive())["signal"], 9);
    assert_eq!(supervised.wait_record()["signal"], 9);
}

#[test]
fn a_terminated_supervisor_stops_its_container_and_records_it() {
    require!(need::root());
    let script = "trap 'exit 6' USR1; echo ready; while :; do sleep 1000 & wait; done";
    let plan = Plan::script(&format!("read go; {script}"));
    let plan = plan.with(&["--stdin", "--stop-signal", "USR1", "--stop-timeout-ms", "never"]);
    let mut supervised = plan.start();
    let mut watcher = Watcher::new(&supervised);
    let mut client = supervised.connect();
    client.ok(json!({"op": "stdin"}));
    std::io::Write::write_all(&mut std::fs::File::from(client.passed().remove(0)), b"go\n")
        .unwrap();
    watcher.read_stdout_until("ready\n");
    // A hang-up is no reason to stop.
    kill(Pid::from_raw(supervised.supervisor()), Signal::SIGHUP).unwrap();
    kill(Pid::from_raw(supervised.supervisor()), Signal::SIGTERM).unwrap();
    assert_eq!(supervised.wait_record()["code"], 6);

    let plan = Plan::script("exec sleep 1000").with(&["--stop-timeout-ms", "50"]);
    let mut supervised = plan.start();
    kill(Pid::from_raw(supervised.supervisor()), Signal::SIGTERM).unwrap();
    assert_eq!(supervised.wait_record()["signal"], 9);
}

#[test]
fn a_signal_to_all_reaches_every_process() {
    require!(need::root());
    // The signal ends the other two, and the first process outlives them to tell.
    let script = "trap : USR1
        sh -c 'echo ready; exec sleep 1000' & a=$!
        sh -c 'echo ready; exec sleep 1000' & b=$!
        while kill -0 $a 2> /dev/null; do wait $a; done; echo ended
        while kill -0 $b 2> /dev/null; do wait $b; done; echo ended";
    let mut supervised = Plan::script(&format!("read go; {script}")).with(&["--stdin"]).start();
    let mut watcher = Watcher::new(&supervised);
    let mut client = supervised.connect();
    client.ok(json!({"op": "stdin"}));
    let mut input = std::fs::File::from(client.passed().remove(0));
    std::io::Write::write_all(&mut input, b"go\n").unwrap();
    watcher.read_stdout_until("ready\nready\n");
    client.ok(json!({"op": "signal", "signal": 10, "all": true}));
    assert_eq!(supervised.wait_record()["code"], 0);
    let texts = supervised.texts("stdout");
    assert_eq!(texts, ["ready", "ready", "ended", "ended"]);
}

#[test]
fn a_killed_container_is_recorded_with_the_signal() {
    require!(need::root());
    let mut supervised = Plan::script("exec sleep 1000").start();
    let mut client = supervised.connect();
    assert!(refused(&client.ask(json!({"op": "signal", "signal": 99}))).contains("no such signal"));
    client.ok(json!({"op": "signal", "signal": 9}));
    let exit = supervised.wait_record();
    assert_eq!((&exit["signal"], &exit["oom"]), (&json!(9), &json!(false)));
    assert_eq!(exit["started"], supervised.record("started.json")["started"]);
    assert!(exit["finished"].as_u64() > exit["started"].as_u64());
}
