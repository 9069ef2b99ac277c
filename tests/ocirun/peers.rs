//! Bundles of other runtimes run unchanged.

use std::fs;
use std::process::{Command, Stdio};

use flotilla_tests::{need, require};
use serde_json::{Value, json};

use crate::bundle::Bundle;

#[test]
fn a_bundle_made_by_runc_runs() {
    let runc = require!(need::program("runc"));
    let mut bundle = require!(Bundle::new());
    fs::remove_file(bundle.path().join("config.json")).unwrap();
    let made = Command::new(runc).arg("spec").current_dir(bundle.path()).status().unwrap();
    assert!(made.success());
    // As it is: a shell on a terminal.
    let mut run = bundle
        .command(&["run", &bundle.id])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    use std::io::Write;
    run.stdin.take().unwrap().write_all(b"echo pid $$ on $(hostname)\nexit 5\n").unwrap();
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("pid 1 on runc\r\n"), "{output:?}");

    let text = fs::read(bundle.path().join("config.json")).unwrap();
    bundle.config = serde_json::from_slice::<Value>(&text).unwrap();
    bundle.config["process"]["terminal"] = json!(false);
    assert_eq!(bundle.prints("echo plain"), "plain");
}

#[test]
fn a_bundle_made_by_crun_runs() {
    let crun = require!(need::program("crun"));
    let mut bundle = require!(Bundle::new());
    fs::remove_file(bundle.path().join("config.json")).unwrap();
    let made = Command::new(crun).arg("spec").current_dir(bundle.path()).status().unwrap();
    assert!(made.success());
    let text = fs::read(bundle.path().join("config.json")).unwrap();
    bundle.config = serde_json::from_slice::<Value>(&text).unwrap();
    bundle.config["process"]["terminal"] = json!(false);
    assert_eq!(bundle.prints("echo plain"), "plain");
}
