//! plan, and changes that are made only if the fleet is as it was planned for.

use crate::server::{Reply, Server, event, machines, state, unit};
use serde_json::{Value, json};

const FILE: &str = "[Container]\nImage=web\n";
const MACHINE: &str = "113f16a7aaaabbbbccccddddeeeeffff";

fn plan(unplaced: Value) -> Reply {
    let step = json!({"kind": "add", "to": MACHINE});
    let unit = json!({
        "unit": "web.container", "file": "new", "desired_before": null,
        "desired_after": "launched", "steps": [step],
    });
    Reply::Json(200, json!({"index": 42, "units": [unit], "unplaced": unplaced, "warnings": []}))
}

fn server(plan: Reply) -> Server {
    let running = event(6, "web.container", json!({"kind": "state", "state": state(json!({}))}));
    let server = Server::new(vec![
        ("GET /v1/units", Reply::Json(200, json!([]))),
        ("GET /v1/units/web.container", Reply::Json(200, unit("web.container", state(json!({}))))),
        ("GET /v1/machines", machines()),
        ("GET /v1/events", Reply::Open(vec![running])),
        ("POST /v1/plan", plan),
        ("POST /v1/changes", Reply::Json(200, json!({"index": 5, "warnings": []}))),
    ]);
    server.write("web.container", FILE);
    server
}

fn body(desired: Value) -> Value {
    json!({
        "unit": "web.container", "file": {"text": FILE, "drop_ins": {}}, "replace": true,
        "desired": desired,
    })
}

#[test]
fn a_plan_sends_the_file_and_says_what_would_come_of_it() {
    let server = server(plan(json!([])));
    let ran = server.run(&["plan", "web"]);
    let expected = "\
new      web.container
start    web.container on 113f16a7
index 42: fleetctl start --if-index 42 web does just this
";
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, expected, ""));
    let asked = json!({"changes": [body(json!("launched"))], "if_index": null});
    assert_eq!(server.changes(), [("POST /v1/plan".to_owned(), asked)]);
}

#[test]
fn the_exit_code_tells_what_changes_from_what_does_not() {
    assert_eq!(server(plan(json!([]))).run(&["plan", "--exit-code", "web"]).code, 2);
    let none = json!({"index": 42, "units": [], "unplaced": [], "warnings": []});
    let nothing = server(Reply::Json(200, none));
    let ran = nothing.run(&["plan", "--exit-code", "web"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "nothing would change, at index 42\n"));
    let why = json!([{"unit": "web.container", "reasons": ["1 host: full"], "remedy": "add one"}]);
    let ran = server(plan(why)).run(&["plan", "--exit-code", "--json", "web"]);
    let out: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &out["unplaced"][0]["remedy"]), (1, &json!("add one")));
    assert_eq!(ran.err, "fleetctl: plan: 1 unit would have no place (nothing was changed)\n");
}

#[test]
fn a_guarded_start_is_one_request() {
    let server = server(plan(json!([])));
    let ran = server.run(&["start", "--if-index=42", "--replace", "web"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("web.container launched on"), "{}", ran.out);
    let asked = json!({"changes": [body(json!("launched"))], "if_index": 42});
    assert_eq!(server.changes(), [("POST /v1/changes".to_owned(), asked)]);
}

#[test]
fn a_submit_for_an_older_fleet_says_so_and_nothing_else() {
    let text = "change units: the fleet has changed since index 42, at index 44";
    let problem = json!({"kind": "conflict", "message": text, "hint": "fleetctl plan again"});
    let server = Server::new(vec![
        ("GET /v1/units", Reply::Json(200, json!([]))),
        ("POST /v1/changes", Reply::Json(409, problem)),
    ]);
    server.write("web.container", FILE);
    let ran = server.run(&["submit", "--if-index", "42", "web.container"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert_eq!(ran.err, format!("fleetctl: {text} (fleetctl plan again)\n"));
}
