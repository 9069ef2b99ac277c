//! secret set, list, remove.

use crate::server::{Reply, Server, terminal};
use rustix::termios::{LocalModes, tcgetattr};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};

/// 2025-11-20 19:22:06 UTC
const CREATED: u64 = 1_763_666_526;

fn secret(name: &str, units: &[&str]) -> Value {
    json!({"name": name, "created": CREATED, "changed": CREATED + 60, "units": units})
}

fn server() -> Server {
    let many = ["web@1.container", "web@2.container", "web@3.container", "web@4.container"];
    let listed =
        json!([secret("db", &["db.container"]), secret("tls.key", &many), secret("x", &[])]);
    let in_use = json!({"kind": "conflict", "message": "remove secret db: db.container names it",
        "hint": "--force removes it in any case"});
    Server::new(vec![
        ("PUT /v1/secrets/db", Reply::Json(201, secret("db", &["db.container"]))),
        ("PUT /v1/secrets/x", Reply::Json(201, secret("x", &[]))),
        ("GET /v1/secrets", Reply::Json(200, listed)),
        ("DELETE /v1/secrets/x", Reply::Json(200, Value::Null)),
        ("DELETE /v1/secrets/db", Reply::Json(409, in_use)),
    ])
}

#[test]
fn a_value_comes_from_standard_input_or_a_file_byte_by_byte_and_is_never_printed() {
    let server = server();
    let ran = server.fed(&["secret", "set", "db"], b"hunter2\n");
    assert_eq!((ran.code, ran.out.as_str()), (0, "secret db is set\n"));
    assert_eq!(ran.err, "what runs has it after: fleetctl restart db.container\n");
    let file = server.dir().join("value");
    std::fs::write(&file, b"\xff\x00\n").unwrap();
    let ran = server.run(&["secret", "set", "x", file.to_str().unwrap()]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "secret x is set\n", ""));
    let ran = server.fed(&["secret", "set", "x", "-", "--json"], b"y");
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), secret("x", &[]));
    let bodies: Vec<Value> = server.changes().into_iter().map(|(_, body)| body).collect();
    let body = |value: &str| json!({"value": value});
    assert_eq!(bodies, [body("aHVudGVyMgo="), body("/wAK"), body("eQ==")]);
}

/// `secret set db` at a terminal, up to its question.
fn asked(server: &Server, terminal: &File) -> Child {
    let mut command = server.command(&["secret", "set", "db"]);
    command.stdin(Stdio::from(terminal.try_clone().unwrap()));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut question = [0; "value of db: ".len()];
    child.stderr.as_mut().unwrap().read_exact(&mut question).unwrap();
    assert_eq!(&question, b"value of db: ");
    child
}

fn echoes(terminal: &File) -> bool {
    tcgetattr(terminal).unwrap().local_modes.contains(LocalModes::ECHO)
}

#[test]
fn a_value_that_is_typed_is_a_line_and_is_not_shown() {
    let server = server();
    let (mut master, terminal) = terminal();
    assert!(echoes(&terminal));
    let child = asked(&server, &terminal);
    assert!(!echoes(&terminal));
    master.write_all(b"hunter2\n").unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(echoes(&terminal), "the terminal was not given back");
    assert_eq!(server.changes()[0].1, json!({"value": "aHVudGVyMg=="}));
    // All that came to the terminal: nothing was there before this.
    (&terminal).write_all(b"end").unwrap();
    let mut shown = [0; 3];
    master.read_exact(&mut shown).unwrap();
    assert_eq!(&shown, b"end");
}

#[test]
fn who_breaks_off_has_set_nothing_and_has_the_terminal_back() {
    let server = server();
    let (_master, terminal) = terminal();
    let child = asked(&server, &terminal);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    assert!(echoes(&terminal), "the terminal was not given back");
    assert!(server.changes().is_empty());
}

/// Ctrl-C ends who writes to the pipe, too: what has come of the value by then is not the value.
#[test]
fn half_a_value_is_not_set_when_somebody_breaks_off() {
    let server = server();
    let mut command = server.command(&["secret", "set", "db"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut writer = child.stdin.take().unwrap();
    // More than a pipe holds: when it is written, it is being read.
    writer.write_all(&[b'x'; 200 << 10]).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    drop(writer);
    assert_eq!(child.wait().unwrap().signal(), Some(2));
    assert!(server.changes().is_empty());
}

#[test]
fn what_can_be_no_secret_is_refused_before_anybody_is_asked() {
    let server = server();
    let big = vec![b'x'; fleetd_api::MAX_SECRET + 1];
    for (name, value, cause) in [
        ("a/b", b"x".as_slice(), "set secret \"a/b\": a name takes 1 to 128 of"),
        ("db", b"", "set secret db: its value is empty"),
        ("db", &big, "set secret db: 512 KiB are the most"),
    ] {
        let ran = server.fed(&["secret", "set", name], value);
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(ran.err.contains(cause), "{}", ran.err);
    }
    let ran = server.run(&["secret", "set", "db", "/nowhere/at/all"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("read /nowhere/at/all: "), "{}", ran.err);
    assert_eq!(server.changes(), []);
}

#[test]
fn secret_list_says_who_names_them() {
    let server = server();
    assert_eq!(
        server.run(&["secret", "list"]).out,
        "\
NAME     CHANGED                  UNITS
db       2025-11-20 19:23:06 UTC  db.container
tls.key  2025-11-20 19:23:06 UTC  web@1.container,web@2.container,web@3.container,+1
x        2025-11-20 19:23:06 UTC  -
"
    );
    let ran = server.run(&["secret", "ls", "--fields=name,created", "--full", "--no-legend"]);
    assert!(ran.out.starts_with("db       2025-11-20 19:22:06 UTC\n"), "{}", ran.out);
}

#[test]
fn a_secret_that_is_named_is_removed_by_force_only() {
    let server = server();
    let ran = server.run(&["secret", "rm", "x"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "secret x is removed\n"));
    let ran = server.run(&["secret", "remove", "db"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("db.container names it (--force"), "{}", ran.err);
    server.run(&["secret", "remove", "db", "--force"]);
    let asked: Vec<String> = server.bodies().into_iter().map(|(route, _)| route).collect();
    assert_eq!(
        asked,
        [
            "DELETE /v1/secrets/x?force=false",
            "DELETE /v1/secrets/db?force=false",
            "DELETE /v1/secrets/db?force=true"
        ]
    );
}
