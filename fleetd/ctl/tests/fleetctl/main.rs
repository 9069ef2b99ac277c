//! fleetctl as its user meets it: output, messages, exit codes; against canned answers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod changes;
mod events;
mod exec;
mod fleet;
mod images;
mod machines;
mod plan;
mod rebalance;
mod secrets;
mod server;
mod tables;
mod tokens;
mod verify;

use serde_json::json;
use server::{Reply, Server};

#[test]
fn a_daemon_that_is_not_there_is_told_with_a_hint() {
    let server = Server::new(Vec::new());
    let ran = server.run(&["--socket", "/nowhere.sock", "list-units"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (
            1,
            "fleetctl: connect /nowhere.sock: no such file or directory (is fleetd running? \
             --socket names another one's socket)\n"
        )
    );
    let ran = server.run(&["--endpoint", "http://x", "list-units"]);
    assert_eq!(
        ran.err,
        "fleetctl: connect http://x: it is neither a path nor unix:///PATH (--fleet FILE asks over the \
         network)\n"
    );
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let server = Server::new(Vec::new());
    assert_eq!(server.run(&["start"]).code, 2);
    assert_eq!(server.run(&["frobnicate"]).code, 2);
    assert_eq!(server.run(&["help"]).code, 0);
}

#[test]
fn an_answer_that_is_not_understood_is_told() {
    let server = Server::new(vec![("GET /v1/machines", Reply::Json(200, json!({"a": 1})))]);
    let ran = server.run(&["list-machines"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("an answer that is not understood"), "{}", ran.err);
    assert!(ran.err.contains("different versions"), "{}", ran.err);
}

#[test]
fn the_version_is_of_both_programs() {
    let version = Reply::Json(200, json!({"version": "9.9.9", "api": 1}));
    let server = Server::new(vec![("GET /v1/version", version)]);
    let ran = server.run(&["version"]);
    assert_eq!(ran.out, format!("fleetctl {}\nfleetd 9.9.9 (API 1)\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completion_scripts_name_the_commands() {
    let server = Server::new(Vec::new());
    let script = server.run(&["completion", "bash"]).out;
    for command in [
        "plan",
        "rebalance",
        "verify",
        "list-unit-files",
        "remove-machine",
        "fleetctl__subcmd__token__subcmd__create",
    ] {
        assert!(script.contains(command), "{command}");
    }
}
