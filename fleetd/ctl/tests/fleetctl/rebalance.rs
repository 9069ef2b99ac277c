//! rebalance: what is moved, in which order, and when it ends.

use crate::server::{MACHINE, Reply, Server, state, unit};
use serde_json::{Value, json};

const OTHER: &str = "77aa01d2aaaabbbbccccddddeeeeffff";

fn gain(unit: &str) -> Value {
    json!({"unit": unit, "from": MACHINE, "to": OTHER, "points": 480})
}

fn found(units: &[&str]) -> Reply {
    let load = json!({"units": 1, "cpu": 500, "memory": 0});
    let machine = json!({"machine": MACHINE, "room": load, "before": load, "after": load});
    let moves: Vec<Value> = units.iter().map(|name| gain(name)).collect();
    Reply::Json(200, json!({"moves": moves, "machines": [machine]}))
}

/// A unit look after look, each with what is other than running on the first host.
fn looks(name: &str, changes: &[Value]) -> Reply {
    let look = |change: &Value| Reply::Json(200, unit(name, state(change.clone())));
    Reply::turns(changes.iter().map(look))
}

fn server(b: &[Value]) -> Server {
    let ends = json!({"active": "deactivating", "sub": "stop-sigterm"});
    let begins = json!({"machine": OTHER, "active": "activating", "sub": "start"});
    // At first it runs where it was.
    let a = [json!({}), ends, begins, json!({"machine": OTHER})];
    Server::new(vec![
        ("GET /v1/rebalance", found(&["a.container", "b.container", "c.container"])),
        ("POST /v1/rebalance", Reply::Json(200, json!({"index": 5, "warnings": []}))),
        ("GET /v1/units/a.container", looks("a.container", &a)),
        ("GET /v1/units/b.container", looks("b.container", b)),
        ("GET /v1/units/c.container", looks("c.container", &[json!({"machine": OTHER})])),
    ])
}

/// Requests about moves and looks, in order.
fn asked(server: &Server) -> Vec<String> {
    let all = server.bodies().into_iter();
    all.map(|(route, body)| {
        let unit = serde_json::from_slice::<Value>(&body).unwrap_or_default()["unit"].clone();
        unit.as_str().map_or(route, |unit| format!("move {unit}"))
    })
    .collect()
}

#[test]
fn each_move_waits_until_the_one_before_it_runs() {
    let server = server(&[json!({"machine": OTHER})]);
    let ran = server.run(&["rebalance", "--yes", "--max-moves", "3"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("a.container runs on 77aa01d2 after"), "{}", ran.out);
    let expected = [
        "GET /v1/rebalance?moves=3",
        "move a.container",
        "GET /v1/units/a.container",
        "GET /v1/units/a.container",
        "GET /v1/units/a.container",
        "GET /v1/units/a.container",
        "move b.container",
        "GET /v1/units/b.container",
        "move c.container",
        "GET /v1/units/c.container",
    ];
    assert_eq!(asked(&server), expected);
}

#[test]
fn a_move_that_fails_is_the_last_one() {
    let fails = json!({"machine": OTHER, "active": "failed", "message": "exit code 1"});
    let server = server(&[fails]);
    let ran = server.run(&["rebalance", "--yes", "--json"]);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.err,
        "fleetctl: move b.container: exit code 1 (nothing else is moved; fleetctl status b.container)\n"
    );
    let out: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&out[0]["result"], &out[1]["result"]), (&json!("done"), &json!("failed")));
    assert!(!asked(&server).contains(&"move c.container".to_owned()));
}

#[test]
fn without_a_yes_nothing_is_moved() {
    let server = server(&[]);
    let ran = server.run(&["rebalance"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.starts_with("move a.container from 113f16a7 to 77aa01d2"), "{}", ran.out);
    assert!(ran.err.contains("nothing was changed (fleetctl rebalance --yes"), "{}", ran.err);
    let ran = server.run(&["rebalance", "--plan", "--json"]);
    let out: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &out["moves"][1]["unit"]), (0, &json!("b.container")));
    assert!(server.changes().is_empty());
}
