//! How a container ended.

use flotilla_tests::{need, require};
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
