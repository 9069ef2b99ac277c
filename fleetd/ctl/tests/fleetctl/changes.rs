//! submit, load, start, stop, unload, restart, destroy.

use crate::server::{Reply, Server, event, machines, state, unit};
use serde_json::{Value, json};

const FILE: &str = "[Container]\nImage=web\n";

fn accepted() -> Reply {
    Reply::Json(200, json!({"index": 5, "warnings": []}))
}

fn activating() -> Value {
    state(json!({"active": "activating", "sub": "start", "pid": null}))
}

fn moved(index: u64, change: Value) -> Value {
    event(index, "web.container", json!({"kind": "state", "state": state(change)}))
}

fn step(index: u64, step: &str, message: &str) -> Value {
    event(index, "web.container", json!({"kind": "step", "step": step, "message": message}))
}

fn done(index: u64, step: &str, micros: u64) -> Value {
    event(index, "web.container", json!({"kind": "done", "step": step, "micros": micros}))
}

/// A fleet whose only unit is on its way, and what happens to it.
fn starting(listed: Vec<Value>, events: Vec<Value>) -> Server {
    Server::new(starting_replies(listed, events))
}

fn starting_replies(listed: Vec<Value>, events: Vec<Value>) -> Vec<(&'static str, Reply)> {
    vec![
        ("GET /v1/units", Reply::Json(200, Value::Array(listed))),
        ("GET /v1/machines", machines()),
        ("GET /v1/units/web.container", Reply::Json(200, unit("web.container", activating()))),
        ("PUT /v1/units/web.container", accepted()),
        ("PUT /v1/units/web.container/desired", accepted()),
        ("POST /v1/units/web.container/restart", accepted()),
        ("DELETE /v1/units/web.container", accepted()),
        ("GET /v1/events", Reply::Open(events)),
        (
            "GET /v1/units/web.container/logs",
            Reply::Lines(vec![json!({
                "time": "2025-11-20T19:22:06.123456789Z", "stream": "stderr", "line": "no config",
            })]),
        ),
    ]
}

#[test]
fn a_start_submits_the_file_with_its_drop_ins_and_shows_each_step() {
    let server = starting(
        Vec::new(),
        vec![
            step(6, "image", "find web"),
            done(7, "image", 400),
            done(8, "create", 12_000),
            moved(9, json!({})),
        ],
    );
    server.write("units/web.container", FILE);
    server.write("units/web.container.d/10-a.conf", "[Unit]\n");
    let ran = server.run(&["start", "units/web.container"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.err, "web.container: image      0.4 ms\nweb.container: create      12 ms\n");
    let (line, split) = ran.out.split_once(" in ").unwrap();
    assert_eq!(line, "web.container launched on 113f16a7.../192.0.2.7");
    assert!(split.ends_with(": image 0.4 ms, create 12 ms\n"), "{split}");
    assert_eq!(
        server.changes(),
        [(
            "PUT /v1/units/web.container".to_owned(),
            json!({"text": FILE, "drop_ins": {"10-a.conf": "[Unit]\n"}, "replace": false,
                "desired": "launched"})
        )]
    );
}

#[test]
fn a_start_that_fails_shows_reason_and_last_lines() {
    let failed = json!({"active": "failed", "sub": "failed", "message": "exit code 1"});
    let server = starting(Vec::new(), vec![step(6, "create", "x"), moved(7, failed)]);
    server.write("web.container", FILE);
    let ran = server.run(&["start", "web"]);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.err,
        "fleetctl: start web.container: exit code 1 (fleetctl status web.container)\n  \
         2025-11-20T19:22:06.123Z no config\n"
    );
}

#[test]
fn json_of_a_start_is_one_document() {
    let server = starting(Vec::new(), vec![done(7, "image", 400), moved(9, json!({}))]);
    server.write("web.container", FILE);
    let ran = server.run(&["start", "--json", "web"]);
    let out: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(out[0]["unit"], "web.container");
    assert_eq!(out[0]["result"], "done");
    assert_eq!(out[0]["steps"], json!([{"step": "image", "micros": 400}]));
    assert_eq!(ran.err, "");
}

#[test]
fn events_from_before_the_request_do_not_count() {
    let failed = json!({"active": "failed", "sub": "failed"});
    let server = starting(Vec::new(), vec![moved(5, failed), moved(6, json!({}))]);
    server.write("web.container", FILE);
    assert_eq!(server.run(&["start", "web"]).code, 0);
}

#[test]
fn a_different_file_is_a_warning_that_names_replace() {
    let listed = || vec![unit("web.container", activating())];
    let server = starting(listed(), vec![moved(6, json!({}))]);
    server.write("web.container", "[Container]\nImage=other\n");
    let ran = server.run(&["start", "web"]);
    assert_eq!(ran.code, 0);
    assert_eq!(
        ran.err,
        "warning: web.container differs from the submitted web.container (--replace takes it)\n"
    );
    let desired =
        ("PUT /v1/units/web.container/desired".to_owned(), json!({"desired": "launched"}));
    assert_eq!(server.changes(), [desired]);

    // What runs from the old file is not what was started.
    let running = vec![unit("web.container", state(json!({})))];
    let mut replies = starting_replies(running.clone(), vec![moved(7, json!({"pid": 43}))]);
    replies.retain(|(route, _)| *route != "GET /v1/units/web.container");
    replies.push(("GET /v1/units/web.container", Reply::Json(200, running[0].clone())));
    let server = Server::new(replies);
    server.write("web.container", "[Container]\nImage=other\n");
    let ran = server.run(&["start", "--replace", "web"]);
    assert_eq!(ran.err, "");
    assert!(ran.out.starts_with("web.container restarted on"), "{}", ran.out);
    let (route, body) = &server.changes()[0];
    assert_eq!(route, "PUT /v1/units/web.container");
    assert_eq!((&body["replace"], &body["desired"]), (&json!(true), &json!("launched")));
}

#[test]
fn an_instance_comes_from_its_submitted_template() {
    let template = unit("web@.container", state(json!({"current": "inactive"})));
    let server = Server::new(vec![
        ("GET /v1/units", Reply::Json(200, json!([template]))),
        ("GET /v1/units/web@.container", Reply::Json(200, template.clone())),
        ("PUT /v1/units/web@1.container", accepted()),
    ]);
    let ran = server.run(&["start", "--no-block", "web@1"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "web@1.container start triggered\n"));
    assert_eq!(server.changes()[0].1["text"], FILE);
    let ran = server.run(&["start", "web@"]);
    assert_eq!(
        ran.err,
        "fleetctl: start web@.container: it is a template (name an instance: fleetctl start web@1)\n"
    );
}

#[test]
fn instances_that_run_from_a_templates_old_file_do_not_count_as_started() {
    let mut instance = unit("web@1.container", state(json!({})));
    instance["made_from"] = json!("web@.container");
    let mut template = unit("web@.container", state(json!({"current": "inactive"})));
    template["replicas"] = json!(1);
    let again = json!({"kind": "state", "state": state(json!({"pid": 43}))});
    let server = Server::new(vec![
        ("GET /v1/units", Reply::Json(200, json!([template, instance]))),
        ("GET /v1/units/web@.container", Reply::Json(200, template)),
        ("GET /v1/units/web@1.container", Reply::Json(200, instance)),
        ("GET /v1/machines", machines()),
        ("PUT /v1/units/web@.container", accepted()),
        ("GET /v1/events", Reply::Open(vec![event(6, "web@1.container", again)])),
    ]);
    server.write("web@.container", "[Container]\nImage=other\n[X-Fleet]\nReplicas=1\n");
    let ran = server.run(&["start", "--replace", "web@.container"]);
    assert!(ran.out.starts_with("web@1.container restarted on"), "{ran:?}");
}

#[test]
fn a_template_with_replicas_is_started_scaled_and_stopped_with_its_instances() {
    let of = |name: &str| {
        let mut unit = unit(name, state(json!({})));
        unit["made_from"] = json!("web@.container");
        unit
    };
    let mut template = unit("web@.container", state(json!({"current": "inactive"})));
    template["replicas"] = json!(2);
    template["desired"] = json!("launched");
    let listed = json!([template, of("web@1.container"), of("web@2.container")]);
    let server = Server::new(vec![
        ("GET /v1/units", Reply::Json(200, listed)),
        ("GET /v1/units/web@.container", Reply::Json(200, template)),
        ("PUT /v1/units/web@.container/desired", accepted()),
        ("PUT /v1/units/web@.container/replicas", accepted()),
        ("DELETE /v1/units/web@.container", accepted()),
    ]);
    let told = |arguments: &[&str]| server.run(arguments).out;
    let start = "web@1.container start triggered\nweb@2.container start triggered\n";
    assert_eq!(told(&["start", "--no-block", "web@"]), start);
    // Those that are there already are not waited for; those that go are.
    assert_eq!(told(&["scale", "--no-block", "web@", "3"]), "web@3.container scale triggered\n");
    assert_eq!(told(&["scale", "--no-block", "web@", "1"]), "web@2.container scale triggered\n");
    assert_eq!(told(&["stop", "--no-block", "web@*"]), start.replace("start", "stop"));
    assert_eq!(told(&["destroy", "--no-block", "web@"]).lines().count(), 3);
    let routes: Vec<String> = server.changes().into_iter().map(|(route, _)| route).collect();
    assert_eq!(
        routes,
        [
            "PUT /v1/units/web@.container/desired",
            "PUT /v1/units/web@.container/replicas",
            "PUT /v1/units/web@.container/replicas",
            "PUT /v1/units/web@.container/desired",
            "DELETE /v1/units/web@.container",
        ]
    );
}

#[test]
fn what_is_not_there_is_told_before_anything_changes() {
    let server = starting(Vec::new(), Vec::new());
    server.write("web.container", FILE);
    let ran = server.run(&["start", "web", "nix"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (
            1,
            "fleetctl: find nix.container: no such unit, and no such file here (fleetctl \
             list-unit-files shows what is submitted)\n"
        )
    );
    assert_eq!(
        server.run(&["start", "./nix"]).err,
        "fleetctl: read ./nix.container: no such file\n"
    );
    assert!(server.run(&["start", "a b"]).err.contains("no space"));
    assert_eq!(server.changes(), []);
}

#[test]
fn every_fault_of_a_refused_file_is_shown() {
    let problem = json!({"kind": "invalid", "message": "read web.container: 2 faults",
        "details": ["web.container:2: a", "web.container:3: b"]});
    let server = Server::new(vec![
        ("GET /v1/units", Reply::Json(200, json!([]))),
        ("PUT /v1/units/web.container", Reply::Json(400, problem)),
    ]);
    server.write("web.container", FILE);
    let ran = server.run(&["submit", "web.container"]);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.err,
        "fleetctl: read web.container: 2 faults\n  web.container:2: a\n  web.container:3: b\n"
    );
}

#[test]
fn warnings_of_a_file_are_shown_once_it_is_taken() {
    let warned = json!({"index": 5, "warnings": [{"file": "web.container", "line": 3,
        "message": "Tmpfs= is not honoured yet: nothing is mounted for it"}]});
    let server = Server::new(vec![
        ("GET /v1/units", Reply::Json(200, json!([]))),
        ("PUT /v1/units/web.container", Reply::Json(201, warned)),
    ]);
    server.write("web.container", FILE);
    let ran = server.run(&["submit", "web"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "web.container submitted\n"));
    assert_eq!(
        ran.err,
        "warning: web.container:3: Tmpfs= is not honoured yet: nothing is mounted for it\n"
    );
    assert_eq!(server.changes()[0].1["desired"], Value::Null);
}

#[test]
fn verbs_take_globs_and_tell_how_it_ended() {
    let listed = || vec![unit("web.container", state(json!({})))];
    let stopped = json!({"current": "loaded", "active": "inactive", "sub": "dead", "pid": null});
    let server = starting(listed(), vec![step(6, "stop", "TERM"), moved(7, stopped)]);
    let ran = server.run(&["stop", "w*"]);
    assert!(ran.out.starts_with("web.container stopped in "), "{}{}", ran.out, ran.err);
    assert_eq!(server.changes()[0].1, json!({"desired": "loaded"}));

    let gone = event(6, "web.container", json!({"kind": "destroyed"}));
    let server = starting(listed(), vec![gone]);
    assert!(server.run(&["destroy", "web"]).out.starts_with("web.container destroyed in "));
    assert_eq!(server.changes()[0].0, "DELETE /v1/units/web.container");

    let ran = server.run(&["stop", "x*"]);
    assert_eq!((ran.code, server.changes().len()), (1, 1));
    assert!(ran.err.starts_with("fleetctl: find x*: there is no such unit"));
}

#[test]
fn a_restart_waits_for_another_process() {
    let events = vec![moved(6, json!({})), moved(7, json!({"pid": 43}))];
    let server = starting(vec![unit("web.container", state(json!({})))], events);
    let ran = server.run(&["restart", "web"]);
    assert!(ran.out.starts_with("web.container restarted on 113f16a7..."), "{}", ran.out);
}

#[test]
fn giving_up_says_that_it_goes_on() {
    let server = starting(Vec::new(), vec![step(6, "image", "pull web from its registry")]);
    server.write("web.container", FILE);
    let ran = server.run(&["start", "--block-attempts=1", "web"]);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.err,
        "fleetctl: web.container is not done in time: its start goes on (image: pull web from its \
         registry); fleetctl stop web.container takes it back\n"
    );
}

#[test]
fn ctrl_c_leaves_the_unit_alone_and_says_so() {
    use std::io::Read;
    use std::process::Stdio;
    let server = starting(Vec::new(), vec![done(6, "image", 400)]);
    server.write("web.container", FILE);
    let mut command = server.command(&["start", "web"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut err = child.stderr.take().unwrap();
    // The first step shows that it waits.
    let mut first = [0; 10];
    err.read_exact(&mut first).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let mut rest = String::new();
    err.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(rest.contains("fleetctl: web.container is left alone: its start goes on"), "{rest}");
    assert_eq!(server.changes().len(), 1);
}
