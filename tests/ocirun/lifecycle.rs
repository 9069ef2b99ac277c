//! create, start, state, kill, delete, list, run.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use flotilla_tests::require;
use serde_json::{Value, json};

use crate::bundle::{Bundle, stderr, stdout};

#[test]
fn a_created_container_waits_for_its_start() {
    let mut bundle = require!(Bundle::new());
    let host = bundle.path().join("out");
    fs::create_dir(&host).unwrap();
    bundle.push(
        "/mounts",
        json!({"destination": "/dev/out", "type": "bind", "source": host, "options": ["bind"]}),
    );
    bundle.set_script("echo done > /dev/out/file; exec sleep 1000");
    bundle.write_config();
    let pid_file = bundle.path().join("pid");
    bundle.quietly(&["create", "--pid-file", pid_file.to_str().unwrap(), &bundle.id]).unwrap();

    let state = bundle.state();
    assert_eq!(state["status"], "created");
    assert_eq!(state["pid"].to_string(), fs::read_to_string(&pid_file).unwrap());
    assert!(!host.join("file").exists(), "the program ran before start");
    assert_eq!(state["bundle"], bundle.path().to_str().unwrap());

    stdout(&bundle.ocirun(&["start", &bundle.id]));
    assert_eq!(bundle.state()["status"], "running");
    let again = bundle.ocirun(&["start", &bundle.id]);
    assert!(stderr(&again).contains("running"), "{again:?}");

    let refused = bundle.ocirun(&["delete", &bundle.id]);
    assert!(stderr(&refused).contains("not stopped"), "{refused:?}");
    bundle.delete();
    let gone = bundle.ocirun(&["state", &bundle.id]);
    assert!(stderr(&gone).contains("does not exist"), "{gone:?}");
}

#[test]
fn create_tells_that_the_program_is_not_there() {
    let mut bundle = require!(Bundle::new());
    bundle.config["process"]["args"] = json!(["/nope"]);
    bundle.write_config();
    let created = bundle.ocirun(&["create", &bundle.id]);
    assert_eq!(stderr(&created), "ocirun: exec /nope: no such file or directory");
    assert!(!bundle.ocirun(&["state", &bundle.id]).status.success());
}

#[test]
fn start_tells_why_the_program_could_not_be_executed() {
    let mut bundle = require!(Bundle::new());
    fs::write(bundle.root().join("nope"), "no program").unwrap();
    bundle.config["process"]["args"] = json!(["/nope"]);
    bundle.write_config();
    bundle.quietly(&["create", &bundle.id]).unwrap();
    let started = bundle.ocirun(&["start", &bundle.id]);
    assert_eq!(stderr(&started), "ocirun: exec /nope: permission denied");
    assert_eq!(bundle.state()["status"], "stopped");
    stdout(&bundle.ocirun(&["delete", &bundle.id]));
}

#[test]
fn a_created_container_can_be_deleted() {
    let mut bundle = require!(Bundle::new());
    bundle.set_script("true");
    bundle.write_config();
    bundle.quietly(&["create", &bundle.id]).unwrap();
    stdout(&bundle.ocirun(&["delete", &bundle.id]));
    bundle.assert_nothing_left();
}

#[test]
fn run_answers_with_the_programs_exit_code() {
    let mut bundle = require!(Bundle::new());
    bundle.set_script("exit 7");
    assert_eq!(bundle.run().status.code(), Some(7));
    bundle.set_script("kill -TERM $$");
    // The first process of a pid namespace ignores what it has no handler for: a child it is.
    bundle.set_script("sh -c 'kill -9 $$'; exit $?");
    assert_eq!(bundle.run().status.code(), Some(128 + 9));
    bundle.assert_nothing_left();
}

#[test]
fn a_killed_container_is_stopped_and_kill_then_says_so() {
    let mut bundle = require!(Bundle::new());
    bundle.start_sleeping();
    stdout(&bundle.ocirun(&["kill", &bundle.id, "KILL"]));
    // The process ends by itself now; delete without --force waits for nothing.
    await_status(&bundle, "stopped");
    let killed = bundle.ocirun(&["kill", &bundle.id, "15"]);
    assert!(stderr(&killed).contains("container not running"), "{killed:?}");
    assert_eq!(bundle.state()["pid"], 0);
    stdout(&bundle.ocirun(&["delete", &bundle.id]));
}

#[test]
fn kill_all_reaches_every_process() {
    let mut bundle = require!(Bundle::new());
    bundle.start_sleeping();
    let id = bundle.id.clone();
    bundle.quietly(&["exec", "--detach", &id, "sleep", "2000"]).unwrap();
    let procs = || fs::read_to_string(bundle.cgroup().join("cgroup.procs")).unwrap();
    assert_eq!(procs().lines().count(), 2);
    stdout(&bundle.ocirun(&["kill", "--all", &id, "SIGKILL"]));
    await_status(&bundle, "stopped");
    assert_eq!(procs(), "");
}

#[test]
fn delete_ends_what_the_container_left_in_its_cgroup() {
    let mut bundle = require!(Bundle::new());
    // Without a pid namespace of its own a child outlives the first process.
    bundle.config["linux"]["namespaces"].as_array_mut().unwrap().retain(|n| n["type"] != "pid");
    bundle.set_script("sleep 3000 & exit 0");
    bundle.write_config();
    bundle.quietly(&["run", "--detach", &bundle.id]).unwrap();
    await_status(&bundle, "stopped");
    assert!(!fs::read_to_string(bundle.cgroup().join("cgroup.procs")).unwrap().is_empty());
    stdout(&bundle.ocirun(&["delete", &bundle.id]));
    bundle.assert_nothing_left();
}

#[test]
fn a_pid_that_is_another_process_by_now_is_not_the_container() {
    let mut bundle = require!(Bundle::new());
    bundle.start_sleeping();
    let file = bundle.state_root().join(&bundle.id).join("state.json");
    let original: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    for (field, value) in [("pid_start", json!(1)), ("boot_id", json!("of an earlier boot"))] {
        let mut stale = original.clone();
        stale[field] = value;
        fs::write(&file, stale.to_string()).unwrap();
        assert_eq!(bundle.state()["status"], "stopped", "{field}");
        let killed = bundle.ocirun(&["kill", &bundle.id, "KILL"]);
        assert!(stderr(&killed).contains("not running"), "{field}");
    }
    fs::write(&file, original.to_string()).unwrap();
    assert_eq!(bundle.state()["status"], "running");
}

#[test]
fn an_id_can_be_taken_once() {
    let mut bundle = require!(Bundle::new());
    bundle.start_sleeping();
    let pid = bundle.state()["pid"].clone();
    let again = bundle.ocirun(&["run", &bundle.id]);
    assert!(stderr(&again).contains("container with that id exists"), "{again:?}");
    assert_eq!(bundle.state()["pid"], pid, "the first one still runs");
}

#[test]
fn list_shows_containers_and_the_state_is_private() {
    let mut bundle = require!(Bundle::new());
    assert_eq!(stdout(&bundle.ocirun(&["list", "--format", "json"])), "[]");
    bundle.config["annotations"] = json!({"a": "b"});
    bundle.start_sleeping();
    let listed: Value =
        serde_json::from_str(&stdout(&bundle.ocirun(&["list", "--format=json"]))).unwrap();
    assert_eq!(listed[0]["id"], bundle.id);
    assert_eq!(listed[0]["status"], "running");
    assert_eq!(listed[0]["annotations"], json!({"a": "b"}));
    assert_eq!(stdout(&bundle.ocirun(&["list", "-q"])), bundle.id);
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(bundle.state_root().join(&bundle.id)), 0o700);
    assert_eq!(mode(bundle.state_root()), 0o700);
}

#[test]
fn delete_force_of_nothing_is_fine_and_without_force_it_is_not() {
    let bundle = require!(Bundle::new());
    stdout(&bundle.ocirun(&["delete", "--force", "nobody"]));
    assert!(stderr(&bundle.ocirun(&["delete", "nobody"])).contains("does not exist"));
}

/// Waits for the container's process: by its pidfd, which `delete` and the kernel share with us.
fn await_status(bundle: &Bundle, wanted: &str) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while bundle.state()["status"] != wanted {
        assert!(std::time::Instant::now() < deadline, "{wanted} never came");
        std::thread::yield_now();
    }
}
