//! With systemd as the first process. These tests run only in a machine of their own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod daemons;
mod machine;

use std::process::Command;

fn systemctl(arguments: &[&str]) -> String {
    let output = Command::new("systemctl").args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "systemctl {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}
