//! cordon, drain, undrain, remove-machine.

use crate::server::{MACHINE, Ran, Reply, Server, state, unit};
use serde_json::{Value, json};
use std::io::Read;
use std::process::Stdio;

const OTHER: &str = "77aa01d2aaaabbbbccccddddeeeeffff";
const PATCH: &str = "PATCH /v1/machines/113f16a7aaaabbbbccccddddeeeeffff";
const DELETE: &str = "DELETE /v1/machines/113f16a7aaaabbbbccccddddeeeeffff";

fn machine(id: &str, change: Value) -> Value {
    let mut machine = json!({"id": id, "ip": null, "metadata": {}, "version": "1"});
    machine.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    machine
}

fn hosts(change: Value) -> Reply {
    Reply::Json(200, json!([machine(MACHINE, change), machine(OTHER, json!({}))]))
}

/// As many units on the host, and one on another.
fn units(count: usize) -> Reply {
    let on = |name: &str, id: &str| unit(name, state(json!({"machine": id})));
    let mut units = vec![on("elsewhere.container", OTHER)];
    units.extend((1..=count).map(|number| on(&format!("web@{number}.container"), MACHINE)));
    Reply::Json(200, Value::Array(units))
}

/// A host that drains once it is told to, and the units as they are look after look.
fn draining(looks: Vec<Reply>) -> Server {
    let drains = || json!({"draining": true});
    Server::new(vec![
        ("GET /v1/machines", Reply::turns([hosts(json!({})), hosts(drains())])),
        (PATCH, Reply::Json(200, machine(MACHINE, drains()))),
        ("GET /v1/units", Reply::turns(looks)),
    ])
}

/// The request that begins a drain, or takes it back.
fn asked(draining: bool) -> (String, Value) {
    (PATCH.to_owned(), json!({"cordoned": null, "draining": draining, "metadata": {}}))
}

fn looks(server: &Server) -> usize {
    server.bodies().iter().filter(|(route, _)| route == "GET /v1/units").count()
}

#[test]
fn a_drain_waits_until_the_host_has_no_unit_and_says_how_many_are_left() {
    let server = draining(vec![units(4), Reply::Close, units(1), units(0)]);
    let ran = server.run(&["drain", "113f"]);
    assert_eq!((ran.code, ran.out), (0, format!("{MACHINE} is drained: it has no units\n")));
    assert_eq!(ran.err, "113f16a7: drain: 1 unit is left: web@1.container (running) ...\n");
    assert_eq!(server.changes(), [asked(true)]);
    assert_eq!(looks(&server), 4);
}

#[test]
fn a_drain_waits_for_what_is_there_and_has_its_state_elsewhere() {
    let drains = |units: &[&str]| hosts(json!({"draining": true, "units": units}));
    let server = Server::new(vec![
        (
            "GET /v1/machines",
            Reply::turns([hosts(json!({})), drains(&["elsewhere.container"]), drains(&[])]),
        ),
        (PATCH, Reply::Json(200, machine(MACHINE, json!({"draining": true})))),
        ("GET /v1/units", units(0)),
    ]);
    let ran = server.run(&["drain", "--block-attempts=1", "113f"]);
    assert_eq!(ran.code, 1);
    let left = "(1 unit is left: elsewhere.container (something of it is there))";
    assert!(ran.err.contains(left), "{}", ran.err);
    assert_eq!(server.run(&["drain", "113f"]).code, 0);
}

#[test]
fn a_drain_that_takes_too_long_goes_on_and_says_what_is_left() {
    let server = draining(vec![units(5)]);
    let ran = server.run(&["drain", "--block-attempts=3", MACHINE]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert_eq!(
        ran.err,
        "fleetctl: 113f16a7 is not done in time: its drain goes on (5 units are left: \
         web@1.container (running), web@2.container (running), web@3.container (running), 2 more); \
         fleetctl undrain 113f16a7 takes it back\n"
    );
    assert_eq!(server.changes().len(), 1);
}

#[test]
fn ctrl_c_ends_the_waiting_and_not_the_drain() {
    let server = draining(vec![units(2)]);
    let mut child = server.command(&["drain", "113f"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut err = child.stderr.take().unwrap();
    // Its first word shows that it waits.
    err.read_exact(&mut [0; 8]).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let mut rest = String::new();
    err.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let line = "fleetctl: 113f16a7 is left alone: its drain goes on (2 units are left: ";
    assert!(rest.contains(line), "{rest}");
    assert_eq!(server.changes(), [asked(true)]);
}

#[test]
fn a_drain_ends_when_somebody_takes_it_back() {
    let drains = json!({"draining": true});
    let machines = [json!({}), json!({}), drains.clone(), json!({})].map(hosts);
    let server = Server::new(vec![
        ("GET /v1/machines", Reply::turns(machines)),
        (PATCH, Reply::Json(200, machine(MACHINE, drains))),
        ("GET /v1/units", units(1)),
    ]);
    let ran = server.run(&["drain", "113f"]);
    let expected = "fleetctl: drain 113f16a7: somebody else took the drain back\n";
    assert!(ran.code == 1 && ran.err.ends_with(expected), "{}", ran.err);
}

#[test]
fn a_drain_that_nobody_waits_for_only_asks() {
    let server = draining(vec![units(2)]);
    let ran = server.run(&["drain", "--no-block", "113f", MACHINE]);
    assert_eq!((ran.code, ran.out), (0, format!("{MACHINE} drain triggered\n")));
    assert_eq!((server.changes().len(), looks(&server)), (1, 0));
    let ran = draining(vec![units(0)]).run(&["drain", "113f", "--json"]);
    let out: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(out[0]["draining"], true);
    let ran = draining(vec![units(0)]).run(&["drain", "113f", "99"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("fleetctl: find machine 99: no id begins so"), "{}", ran.err);
}

#[test]
fn marks_of_a_host_are_taken_away_one_by_one() {
    let told = |command: &str, change: Value| {
        let server = Server::new(vec![
            ("GET /v1/machines", hosts(json!({}))),
            (PATCH, Reply::Json(200, machine(MACHINE, change))),
        ]);
        let ran = server.run(&[command, "113f"]);
        let line = ran.out.strip_prefix(&format!("{MACHINE} ")).unwrap_or(&ran.err).to_owned();
        (line, server.changes())
    };
    let (line, changes) = told("undrain", json!({}));
    assert_eq!((line.as_str(), changes), ("gets new units\n", vec![asked(false)]));
    let stays = "gets no new units; those that it has stay\n";
    assert_eq!(told("undrain", json!({"cordoned": true})).0, stays);
    let drains = "drains: no new units, and those that it has go\n";
    assert_eq!(told("uncordon", json!({"draining": true})).0, drains);
}

fn removed(status: &str, count: usize, arguments: &[&str]) -> (Ran, Vec<String>) {
    let server = Server::new(vec![
        ("GET /v1/machines", hosts(json!({"status": status}))),
        ("GET /v1/units", units(count)),
        (DELETE, Reply::Json(200, Value::Null)),
    ]);
    let mut all = vec!["remove-machine", "113f"];
    all.extend(arguments);
    let ran = server.run(&all);
    (ran, server.changes().into_iter().map(|(route, _)| route).collect())
}

#[test]
fn a_host_that_lives_and_has_units_is_not_removed() {
    let (ran, changes) = removed("alive", 2, &[]);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.err,
        "fleetctl: remove machine 113f16a7: it is alive and has 2 units (fleetctl drain 113f16a7 \
         moves them; --force removes it all the same)\n"
    );
    assert!(changes.is_empty());
    let (ran, changes) = removed("suspected", 1, &[]);
    assert!(ran.err.contains("it may be alive and has 1 unit ("), "{}", ran.err);
    assert!(ran.code == 1 && changes.is_empty());
    // Nor is one that could be, if it is named beside it.
    let (ran, changes) = removed("alive", 1, &["77aa"]);
    assert!(ran.code == 1 && changes.is_empty());
}

#[test]
fn a_host_that_is_dead_empty_or_forced_is_removed() {
    for (status, count, arguments) in
        [("alive", 0, &[][..]), ("dead", 2, &[]), ("unheard", 2, &[]), ("alive", 2, &["--force"])]
    {
        let (ran, changes) = removed(status, count, arguments);
        let line = format!("{MACHINE} has left the fleet for good\n");
        assert_eq!((ran.code, ran.out, ran.err.as_str()), (0, line, ""));
        assert_eq!(changes, [DELETE]);
    }
    let (ran, _) = removed("dead", 0, &["--json"]);
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), json!([MACHINE]));
}
