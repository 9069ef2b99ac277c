//! Hooks run at their points, in their order, in their namespaces.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use flotilla_tests::require;
use serde_json::{Value, json};

use crate::bundle::{Bundle, stdout};

/// A hook that writes its name, the state it was given and its mount namespace, one line.
fn note(bundle: &Bundle, name: &str) -> Value {
    let script = bundle.path().join("note");
    if !script.exists() {
        let text = "#!/bin/sh\necho \"$1 $(cat | tr -d '\\n') $(readlink /proc/self/ns/mnt) $(hostname)\" >> \"$2\"\n";
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let notes = bundle.path().join("notes");
    json!({"path": script, "args": ["note", name, notes], "env": ["PATH=/usr/bin:/bin"], "timeout": 10})
}

#[test]
fn hooks_run_in_order_with_the_state_on_their_input() {
    let mut bundle = require!(Bundle::new());
    let mut hooks = json!({});
    for name in ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] {
        hooks[name] = json!([note(&bundle, name)]);
    }
    bundle.config["hooks"] = hooks;
    bundle.set_script("exec sleep 1000");
    bundle.write_config();
    let notes = || fs::read_to_string(bundle.path().join("notes")).unwrap();
    let names = || -> Vec<String> {
        notes().lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    bundle.quietly(&["create", &bundle.id]).unwrap();
    assert_eq!(names(), ["prestart", "createRuntime", "createContainer"]);
    stdout(&bundle.ocirun(&["start", &bundle.id]));
    assert_eq!(names().last().map(String::as_str), Some("poststart"));
    let pid = bundle.state()["pid"].clone();
    bundle.delete();
    assert_eq!(names().last().map(String::as_str), Some("poststop"));

    let text = notes();
    let host = fs::read_link("/proc/self/ns/mnt").unwrap();
    let statuses = ["creating", "creating", "creating", "running", "stopped"];
    for (line, status) in text.lines().zip(statuses) {
        let (name, rest) = line.split_once(' ').unwrap();
        let end = rest.rfind('}').unwrap() + 1;
        let state: Value = serde_json::from_str(&rest[..end]).unwrap();
        assert_eq!(state["id"], bundle.id, "{line}");
        assert_eq!(state["status"], status, "{line}");
        if status == "running" {
            assert_eq!(state["pid"], pid);
        }
        let in_host = rest[end..].contains(host.to_str().unwrap());
        assert_eq!(in_host, name != "createContainer", "{line}");
    }
}

#[test]
fn poststart_comes_after_the_program_has_been_executed() {
    let mut bundle = require!(Bundle::new());
    let seen = bundle.path().join("seen");
    let script = bundle.path().join("look");
    let text = format!(
        "#!/bin/sh\npid=$(tr ',' '\\n' | grep '\"pid\"' | tr -dc 0-9)\ntr '\\0' ' ' < /proc/$pid/cmdline > {}\n",
        seen.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    bundle.config["hooks"] =
        json!({"poststart": [{"path": script, "env": ["PATH=/usr/bin:/bin"]}]});
    bundle.start_sleeping();
    assert_eq!(fs::read_to_string(seen).unwrap(), "/bin/sleep 1000 ");
}

#[test]
fn start_container_hooks_are_the_containers_own_programs() {
    let mut bundle = require!(Bundle::new());
    let touch = json!({"path": "/bin/touch", "args": ["touch", "/dev/shm/hooked"]});
    bundle.config["hooks"] = json!({"startContainer": [touch]});
    assert_eq!(bundle.prints("ls /dev/shm"), "hooked");
}

#[test]
fn a_hook_that_takes_too_long_is_ended() {
    let mut bundle = require!(Bundle::new());
    bundle.config["hooks"] = json!({"createRuntime": [
        {"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1}
    ]});
    bundle.set_script("true");
    assert!(bundle.fault().ends_with("it took longer than 1 s"));
}

#[test]
fn a_long_state_reaches_a_hook_and_waits_for_none() {
    let mut bundle = require!(Bundle::new());
    // More than a pipe holds.
    bundle.config["annotations"] = json!({"long": "x".repeat(200_000)});
    bundle.config["hooks"]["prestart"] = json!([note(&bundle, "prestart")]);
    bundle.prints("true");
    let notes = fs::read_to_string(bundle.path().join("notes")).unwrap();
    assert!(notes.contains(&"x".repeat(200_000)), "{} bytes came", notes.len());
    // One that reads nothing and does not end is ended in time.
    bundle.config["hooks"]["prestart"] =
        json!([{"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1}]);
    let fault = bundle.fault();
    assert_eq!(fault, "run hooks.prestart[0] /bin/sleep: it took longer than 1 s");
}
