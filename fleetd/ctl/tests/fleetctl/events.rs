//! events: lines, units, and where it goes on.

use crate::server::{Reply, Server, event, state};
use serde_json::{Value, json};

fn happened(index: u64, unit: &str, kind: Value) -> Value {
    let mut event = event(index, unit, kind);
    event["origin"] = json!("a-1");
    event
}

fn lines() -> Vec<Value> {
    vec![
        json!({"index": 4, "origin": "a-1", "time": 0, "unit": null, "kind": "lagged"}),
        happened(5, "web.container", json!({"kind": "submitted"})),
        happened(6, "db.container", json!({"kind": "state", "state": state(json!({}))})),
    ]
}

fn asked(server: &Server) -> Vec<String> {
    server.bodies().into_iter().map(|(route, _)| route).collect()
}

#[test]
fn what_is_kept_is_told_and_then_it_ends() {
    let server = Server::new(vec![("GET /v1/events", Reply::Lines(lines()))]);
    let ran = server.run(&["events"]);
    let expected = "\
1970-01-01 00:00:00.000 UTC web.container: submitted
1970-01-01 00:00:00.000 UTC db.container: active (running) on 113f16a7
";
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, expected, ""));
    assert_eq!(asked(&server), ["GET /v1/events?follow=false&since=0"]);
    let ran = server.run(&["events", "--json", "web"]);
    let out: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&out["index"], &out["origin"]), (&json!(5), &json!("a-1")));
}

#[test]
fn it_goes_on_after_an_event_and_says_what_is_missing() {
    let server = Server::new(vec![("GET /v1/events", Reply::Lines(lines()))]);
    let ran = server.run(&["events", "--since", "3@b-1"]);
    assert!(ran.out.contains("events before 4@a-1 are missing here"), "{}", ran.out);
    assert_eq!(asked(&server), ["GET /v1/events?follow=false&since=3&origin=b-1"]);
    assert_eq!(server.run(&["events", "--since", "x"]).code, 2);
}

#[test]
fn a_stream_that_breaks_is_asked_for_again_where_it_broke() {
    let last = vec![happened(7, "web.container", json!({"kind": "destroyed"}))];
    let server = Server::new(vec![(
        "GET /v1/events",
        Reply::turns([Reply::Lines(lines()), Reply::Close, Reply::Open(last)]),
    )]);
    let mut command = server.command(&["events", "--follow", "--since", "4@a-1"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut lines = std::io::BufRead::lines(out).map(Result::unwrap);
    assert!(lines.any(|line| line.ends_with("web.container: destroyed")));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let again = "GET /v1/events?follow=true&since=6&origin=a-1";
    assert_eq!(asked(&server), ["GET /v1/events?follow=true&since=4&origin=a-1", again, again]);
}
