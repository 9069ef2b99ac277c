//! What a start costs, in system calls: a number that does not depend on the machine's load.

use std::collections::BTreeMap;
use std::fs;

use flotilla_tests::{need, programs, require};
use serde_json::json;

use crate::bundle::Bundle;

/// The committed figure, of all processes of a `run` of /bin/true over the template.
const MOST: usize = 300;

#[test]
fn a_run_takes_few_system_calls() {
    let strace = require!(need::program("strace"));
    let mut bundle = require!(Bundle::new());
    bundle.config["process"]["args"] = json!(["/bin/true"]);
    bundle.write_config();
    let trace = bundle.path().join("trace");
    let status = std::process::Command::new(strace)
        .args(["-f", "-o"])
        .arg(&trace)
        .arg(programs::path("ocirun"))
        .arg("--root")
        .arg(bundle.state_root())
        .args(["run", &bundle.id])
        .current_dir(bundle.path())
        .status()
        .unwrap();
    assert!(status.success());
    let text = fs::read_to_string(&trace).unwrap();
    // A call that another process interrupts has a second line.
    let lines = text.lines().filter(|line| {
        !line.contains(" resumed>") && !line.contains("+++") && !line.contains("---")
    });
    let mut calls: BTreeMap<&str, usize> = BTreeMap::new();
    for line in lines {
        let call = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        *calls.entry(call.split('(').next().unwrap_or(call)).or_default() += 1;
    }
    let count: usize = calls.values().sum();
    println!("{count} system calls: {calls:?}");
    assert!(count <= MOST, "{count} system calls, at most {MOST} are allowed");
}
