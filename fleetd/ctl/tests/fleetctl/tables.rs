//! Lists, status, cat, logs.

use crate::server::{Reply, Server, machines, state, unit};
use serde_json::{Value, json};

fn fleet() -> Server {
    let web = unit("web@1.container", state(json!({})));
    let stopped = json!({"current": "loaded", "active": "failed", "sub": "failed", "machine": null,
        "pid": null, "address": null, "ports": [], "health": null, "message": "exit code 3",
        "last_exit": {"code": 3, "signal": null, "oom": false, "error": null}});
    let db = unit("db.container", state(stopped));
    let filed = json!({"current": "inactive", "load": "not-loaded", "active": "inactive",
        "sub": "dead", "machine": null, "since": null});
    let filed = unit("filed.container", state(filed));
    let log = |text: &str, stream: &str| json!({"time": "2025-11-20T19:22:06.123456789Z", "stream": stream, "line": text});
    let logs = vec![log("hello", "stdout"), log("\x1b[2Jlost", "supervisor")];
    Server::new(vec![
        ("GET /v1/units", Reply::Json(200, json!([web, db, filed]))),
        ("GET /v1/machines", machines()),
        ("GET /v1/units/web@1.container", Reply::Json(200, web)),
        ("GET /v1/units/db.container", Reply::Json(200, db)),
        ("GET /v1/units/web@1.container/logs", Reply::Lines(logs)),
        ("GET /v1/units/db.container/logs", Reply::Lines(Vec::new())),
    ])
}

#[test]
fn list_units_shows_what_is_somewhere() {
    let server = fleet();
    assert_eq!(
        server.run(&["list-units"]).out,
        "\
UNIT             MACHINE                ACTIVE  SUB
db.container     -                      failed  failed
web@1.container  113f16a7.../192.0.2.7  active  running
"
    );
    let fields = ["list-u", "--no-legend", "--full", "--fields", "unit,hash,load"];
    assert_eq!(server.run(&fields).code, 2, "list-u may mean two commands");
    let ran = server.run(&["list-units", "--no-legend", "--fields=unit,machine,hash,health"]);
    assert_eq!(
        ran.out,
        "db.container     -                      0123456  -\n\
         web@1.container  113f16a7.../192.0.2.7  0123456  healthy\n"
    );
    let ran = server.run(&["list-units", "--fields=unit,colour"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("fleetctl: read --fields: there is no field \"colour\""));
}

#[test]
fn list_unit_files_shows_all_that_was_submitted() {
    assert_eq!(
        fleet().run(&["list-unit-files"]).out,
        "\
UNIT             HASH     DSTATE    STATE     TARGET
db.container     0123456  loaded    loaded    -
filed.container  0123456  inactive  inactive  -
web@1.container  0123456  launched  launched  113f16a7.../192.0.2.7
"
    );
}

#[test]
fn list_machines_shows_hosts() {
    let server = fleet();
    assert_eq!(
        server.run(&["list-machines"]).out,
        "\
MACHINE      IP         STATUS  ROLE  METADATA
113f16a7...  192.0.2.7  alive   host  disk=ssd,rack=a
"
    );
    let ran = server.run(&["list-machines", "-l", "--no-legend", "--fields=machine"]);
    assert_eq!(ran.out, "113f16a7aaaabbbbccccddddeeeeffff\n");
}

#[test]
fn list_machines_says_how_hosts_are_and_what_they_do_in_the_fleet() {
    let machine = |id: &str, change: Value| {
        let mut machine = json!({"id": id.repeat(32), "ip": null, "metadata": {}, "version": "1"});
        machine.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        machine
    };
    let machines = json!([
        machine("a", json!({"status": "alive", "role": "leader", "cordoned": true})),
        machine("b", json!({"status": "suspected", "role": "voter", "draining": true})),
        machine("c", json!({"status": "dead", "cordoned": true, "draining": true})),
        machine("d", json!({"status": "unheard", "role": "host"})),
    ]);
    let server = Server::new(vec![("GET /v1/machines", Reply::Json(200, machines))]);
    assert_eq!(
        server.run(&["list-machines", "--fields=machine,status,role"]).out,
        "\
MACHINE      STATUS                  ROLE
aaaaaaaa...  alive,cordoned          leader
bbbbbbbb...  suspected,draining      voter
cccccccc...  dead,cordoned,draining  host
dddddddd...  unheard                 host
"
    );
}

#[test]
fn flags_are_environment_variables_too() {
    let mut command = fleet_command();
    let out = command.1.env("FLEETCTL_NO_LEGEND", "1").env("FLEETCTL_FIELDS", "unit").output();
    let out = String::from_utf8(out.unwrap().stdout).unwrap();
    assert_eq!(out, "db.container\nweb@1.container\n");
}

fn fleet_command() -> (Server, std::process::Command) {
    let server = fleet();
    let command = server.command(&["list-units"]);
    (server, command)
}

#[test]
fn json_is_what_the_api_gave() {
    for command in ["list-units", "list-unit-files", "status"] {
        let out: Value = serde_json::from_str(&fleet().run(&[command, "--json"]).out).unwrap();
        assert!(out.as_array().unwrap().iter().any(|unit| unit["name"] == "db.container"));
    }
}

#[test]
fn status_says_how_a_unit_is_and_exits_accordingly() {
    let server = fleet();
    let ran = server.run(&["status", "web@1"]);
    assert_eq!(ran.code, 0);
    for line in [
        "● web@1.container - The web server",
        "    Loaded: loaded (0123456; wanted: launched)",
        "    Active: active (running) since 2025-11-20 19:22:06 UTC; ",
        "   Machine: 113f16a7.../192.0.2.7",
        "   Address: 10.98.0.2",
        "     Ports: 8080:80/tcp",
        "    Health: healthy",
        "2025-11-20T19:22:06.123Z hello",
        "2025-11-20T19:22:06.123Z [supervisor] \u{fffd}[2Jlost",
    ] {
        assert!(ran.out.lines().any(|l| l.starts_with(line)), "{line:?} is not in\n{}", ran.out);
    }
    let ran = server.run(&["status", "db*"]);
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains(" Last exit: exit code 3\n"), "{}", ran.out);
    let ran = server.run(&["status", "nix"]);
    assert_eq!(ran.code, 4);
    assert_eq!(
        ran.err,
        "fleetctl: find nix.container: there is no such unit (fleetctl list-unit-files shows all)\n"
    );
}

#[test]
fn cat_prints_files_as_they_were_submitted() {
    let server = fleet();
    assert_eq!(server.run(&["cat", "db"]).out, "[Container]\nImage=web\n");
    let ran = server.run(&["cat", "db", "web@*"]);
    assert_eq!(
        ran.out,
        "# db.container\n[Container]\nImage=web\n\n# web@1.container\n[Container]\nImage=web\n"
    );
}

#[test]
fn logs_have_three_forms() {
    let server = fleet();
    let ran = server.run(&["logs", "web@1", "-n", "2"]);
    assert_eq!(ran.out.lines().next(), Some("2025-11-20T19:22:06.123Z hello"));
    let asked = server.bodies();
    assert!(asked.iter().any(|(route, _)| route.ends_with("/logs?follow=false&lines=2")));
    let ran = server.run(&["journal", "web@1", "--output=cat"]);
    assert_eq!(ran.out.lines().next(), Some("hello"));
    let ran = server.run(&["logs", "web@1", "--json"]);
    let line: Value = serde_json::from_str(ran.out.lines().next().unwrap()).unwrap();
    assert_eq!((&line["unit"], &line["line"]), (&json!("web@1.container"), &json!("hello")));
    let ran = server.run(&["logs", "*"]);
    assert!(ran.code == 1, "filed.container has no log");
}
