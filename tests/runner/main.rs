//! The runner of the system tests, run on small programs that stand for test programs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use flotilla_tests::{Scratch, need, require};
use serde_json::{Value, json};

/// What the runner records of a test program with this script in it.
fn record_of(script: &str, deadline: u32) -> Value {
    let scratch = Scratch::new();
    let dir = scratch.path();
    let executable = dir.join("program");
    std::fs::write(&executable, format!("#!/bin/bash\n{script}\n")).unwrap();
    Command::new("chmod").arg("755").arg(&executable).status().unwrap();
    let plan = json!({"programs": [{
        "name": "p", "executable": executable, "folder": dir, "kind": "System", "tests": ["t"],
    }]});
    std::fs::write(dir.join("plan"), plan.to_string()).unwrap();
    let own = dir.join("scratch");
    std::fs::create_dir(&own).unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_system"))
        .args(["place", "--isolated", "yes", "--clean", "yes"])
        .args(["--deadline", &deadline.to_string(), "--grace", "1"])
        .arg("--plan")
        .arg(dir.join("plan"))
        .arg("--records")
        .arg(dir.join("records"))
        .arg("--logs")
        .arg(dir.join("logs"))
        .env("FLOTILLA_SCRATCH", own)
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    ended(&dir.join("records"))
}

fn ended(records: &Path) -> Value {
    let text = std::fs::read_to_string(records).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let events = lines.collect::<Vec<_>>();
    let names = events.iter().map(|event| event["event"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(names, ["ready", "started", "ended", "done"]);
    events[2].clone()
}

#[test]
fn a_test_that_passes_is_passed() {
    assert_eq!(record_of("exit 0", 10)["outcome"], "passed");
}

#[test]
fn a_test_that_fails_brings_what_it_printed() {
    let record = record_of("echo out; echo error >&2; exit 101", 10);
    assert_eq!(record["outcome"]["failed"], "exit status: 101");
    assert_eq!(record["output"], "out\nerror\n");
}

#[test]
fn a_skip_brings_its_reason() {
    assert_eq!(record_of("echo SKIPPED: needs x", 10)["outcome"]["skipped"], "needs x");
}

#[test]
fn a_test_that_hangs_is_killed_with_its_children() {
    let record = record_of("sleep 1000 & sleep 1000", 1);
    assert_eq!(record["outcome"]["failed"], "did not end within 1 s");
    assert_eq!(record["output"], "");
}

#[test]
fn a_process_left_behind_is_named_and_killed() {
    let record = record_of("read < <(setsid bash -c 'echo; exec sleep 1234567 >/dev/null')", 10);
    let reason = record["outcome"]["failed"].as_str().unwrap();
    assert!(reason.starts_with("left behind: process "), "{reason}");
    assert!(reason.ends_with(" sleep 1234567"), "{reason}");
    let pid = reason.split(' ').nth(3).unwrap();
    assert!(!Path::new("/proc").join(pid).exists(), "{pid} still runs");
}

#[test]
fn a_mount_left_behind_is_named_and_stays_in_the_run() {
    require!(need::root());
    let record = record_of("mount -t tmpfs none /mnt", 10);
    let reason = record["outcome"]["failed"].as_str().unwrap();
    assert!(reason.starts_with("left behind: mount /mnt (tmpfs"), "{reason}");
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.lines().any(|line| line.split(' ').nth(4) == Some("/mnt")));
}

#[test]
fn a_file_left_in_the_scratch_directory_is_named() {
    let record = record_of("touch $FLOTILLA_SCRATCH/forgotten", 10);
    let reason = record["outcome"]["failed"].as_str().unwrap();
    assert!(reason.ends_with("/scratch/forgotten"), "{reason}");
}

#[test]
fn a_cgroup_left_behind_is_named() {
    require!(need::root());
    let root = require!(need::cgroup2());
    let cgroup = root.join(format!("runner-test-{}", std::process::id()));
    let record = record_of(&format!("mkdir {}", cgroup.display()), 10);
    std::fs::remove_dir(&cgroup).unwrap();
    let reason = record["outcome"]["failed"].as_str().unwrap();
    assert_eq!(reason, format!("left behind: cgroup {}", cgroup.display()));
}

#[test]
fn a_cgroup_that_another_run_makes_meanwhile_is_not_taken_for_one_left_behind() {
    require!(need::root());
    let root = require!(need::cgroup2());
    let cgroup = root.join(format!("runner-test-other-{}", std::process::id()));
    let leaf = cgroup.join("h1/leaf");
    // Not below the runner that is tested.
    let mut other = Command::new("sleep").arg("1000").spawn().unwrap();
    let (pid, path) = (other.id(), leaf.display());
    let record = record_of(&format!("mkdir -p {path}; echo {pid} > {path}/cgroup.procs"), 10);
    other.kill().unwrap();
    other.wait().unwrap();
    for folder in [leaf.as_path(), leaf.parent().unwrap(), &cgroup] {
        std::fs::remove_dir(folder).unwrap();
    }
    assert_eq!(record["outcome"], "passed", "{record}");
}

#[test]
fn what_is_left_for_a_moment_only_is_no_fault() {
    let record = record_of("(sleep 0.3) & disown; exit 0", 10);
    assert_eq!(record["outcome"], "passed");
}
