//! How a container ended.

use std::fs::File;
use std::io::Write;

use flotilla_tests::{need, require};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde_json::json;

use crate::supervised::Plan;

#[test]
fn an_end_is_recorded_and_nothing_else_is_left() {
    require!(need::root());
    let mut supervised = Plan::script("echo bye; exit 7").start();
    let exit = supervised.wait_record();
    let started = supervised.record("started.json");
    assert_eq!(exit["version"], 1);
    for field in ["boot_id", "id", "pid", "started"] {
        assert_eq!(exit[field], started[field], "{field}");
    }
    assert_eq!((&exit["code"], &exit["signal"]), (&json!(7), &json!(null)));
    assert_eq!((&exit["oom"], &exit["error"]), (&json!(false), &json!(null)));
    assert_eq!(supervised.files(), ["exit.json", "log", "started.json"]);
    assert!(!supervised.cgroup("payload").exists());
    assert_eq!(supervised.texts("stdout"), ["bye"]);
}

#[test]
fn processes_that_the_program_left_behind_end_with_it() {
    require!(need::root());
    // Without a pid namespace nothing but the supervisor ends them.
    let mut plan = Plan::script("sleep 1000 & sleep 1000 & exit 0");
    let namespaces = plan.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|namespace| namespace["type"] != "pid");
    let mut supervised = plan.start();
    assert_eq!(supervised.wait_record()["code"], 0);
    assert!(!supervised.cgroup("payload").exists());
}

#[test]
fn a_kill_for_memory_is_recorded() {
    require!(need::root());
    require!(need::controller("memory"));
    let mut plan = Plan::script("head -c 200000000 /dev/zero | tail > /dev/null; exit 1");
    plan.config["linux"]["resources"] =
        json!({"memory": {"limit": 33_554_432, "swap": 33_554_432}});
    let mut supervised = plan.start();
    let exit = supervised.wait_record();
    assert_eq!(exit["oom"], true, "{exit}");
}

#[test]
fn a_full_disk_does_not_swallow_the_record() {
    require!(need::root());
    // The mount is this thread's and its children's own.
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
    let plan = Plan::script("read go; exit 7").with(&["--stdin"]);
    let options = Some("size=128k,mode=0700");
    mount(Some("tmpfs"), &plan.run_dir(), Some("tmpfs"), MsFlags::empty(), options).unwrap();
    let mut supervised = plan.start();
    let mut client = supervised.connect();
    client.ok(json!({"op": "stdin"}));
    let mut filler = File::create(supervised.run_dir.join("filler")).unwrap();
    while filler.write_all(&[0; 4096]).is_ok() {}
    File::from(client.passed().remove(0)).write_all(b"go\n").unwrap();
    assert_eq!(supervised.wait_record()["code"], 7);
    drop(filler);
    nix::mount::umount(&supervised.run_dir).unwrap();
}

#[test]
fn hooks_run_after_the_start_and_after_the_end() {
    require!(need::root());
    let mut plan = Plan::script("exit 0");
    let told = plan.scratch.path().join("told");
    let hook = |word: &str| {
        let script =
            format!("echo {word} $(grep -o '\"status\":\"[a-z]*\"') >> {}", told.display());
        json!([{ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin"] }])
    };
    plan.config["hooks"] = json!({ "poststart": hook("poststart"), "poststop": hook("poststop") });
    let mut supervised = plan.start();
    assert_eq!(supervised.wait_record()["code"], 0);
    let text = std::fs::read_to_string(&told).unwrap();
    let expected = "poststart \"status\":\"running\"\npoststop \"status\":\"stopped\"\n";
    assert_eq!(text, expected);
}
