//! With systemd as the first process. These tests run only in a machine of their own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod daemons;
mod machine;

use std::process::Command;

fn systemctl(arguments: &[&str]) -> String {
    let output = Command::new("systemctl").args(arguments).output().unwrap();
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        let journal = Command::new("journalctl").args(["-b", "-n", "20", "--no-pager"]).output();
        let journal = journal.map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
        panic!("systemctl {arguments:?}: {error}\n{}", journal.unwrap_or_default());
    }
    String::from_utf8(output.stdout).unwrap()
}
