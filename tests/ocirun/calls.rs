//! What the program costs, in numbers that do not depend on the machine's load: the system calls of a
//! start, and its size, which is memory of every host.

use std::collections::BTreeMap;
use std::fs;

use flotilla_tests::{need, programs, require};
use serde_json::json;

use crate::bundle::Bundle;

/// The committed figure, of all processes of a `run` of /bin/true over the template.
const MOST: usize = 300;

/// The committed figure, in bytes, on x86_64.
const LARGEST: usize = 1_000_000;

#[test]
fn the_program_is_small() {
    let program = fs::read(programs::path("ocirun")).unwrap();
    // A note that glibc's start files have.
    let is_glibc = program.windows(14).any(|text| text == b".note.ABI-tag\0");
    if !cfg!(target_arch = "x86_64") || is_glibc {
        println!("SKIPPED: the figure is of a program for x86_64 with musl");
        return;
    }
    let size = program.len();
    println!("{size} bytes");
    assert!(size <= LARGEST, "{size} bytes, at most {LARGEST} are allowed");
}

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
