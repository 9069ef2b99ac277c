//! Limits of the cgroup.

use std::fs;

use flotilla_tests::{need, require};
use serde_json::json;

use crate::bundle::Bundle;

#[test]
fn limits_are_in_the_cgroups_files() {
    let mut bundle = require!(Bundle::new());
    for controller in ["memory", "cpu", "pids"] {
        require!(need::controller(controller));
    }
    bundle.config["linux"]["resources"]["memory"] =
        json!({"limit": 64 << 20, "reservation": 1 << 20});
    bundle.config["linux"]["resources"]["cpu"] =
        json!({"shares": 1024, "quota": 50_000, "period": 100_000});
    bundle.config["linux"]["resources"]["pids"] = json!({"limit": 20});
    bundle.config["linux"]["resources"]["unified"] = json!({"memory.high": "33554432"});
    let inside = bundle.prints(
        "cd /sys/fs/cgroup; cat memory.max memory.low memory.high cpu.weight cpu.max pids.max",
    );
    assert_eq!(inside, "67108864\n1048576\n33554432\n100\n50000 100000\n20");
}

#[test]
fn a_memory_limit_ends_what_exceeds_it() {
    let mut bundle = require!(Bundle::new());
    require!(need::controller("memory"));
    bundle.config["linux"]["resources"]["memory"] = json!({"limit": 16 << 20, "swap": 16 << 20});
    bundle.set_script("tail /dev/zero & wait $!; echo ended by $?");
    let output = bundle.run();
    assert!(String::from_utf8_lossy(&output.stdout).contains("ended by 137"), "{output:?}");
}

#[test]
fn a_pids_limit_of_zero_is_a_limit() {
    let mut bundle = require!(Bundle::new());
    require!(need::controller("pids"));
    bundle.config["linux"]["resources"]["pids"] = json!({"limit": 0});
    // The first process is there; it can have no child.
    bundle.set_script("true & wait; echo made one");
    let output = bundle.run();
    assert!(!String::from_utf8_lossy(&output.stdout).contains("made one"), "{output:?}");
}

#[test]
fn a_limit_of_a_controller_that_the_host_lacks_names_both() {
    let mut bundle = require!(Bundle::new());
    let mount = need::cgroup2().unwrap();
    let offered = fs::read_to_string(mount.join("cgroup.controllers")).unwrap();
    if offered.split_whitespace().any(|name| name == "memory") {
        println!("SKIPPED: the host's cgroup2 has the memory controller");
        return;
    }
    bundle.set_script("true");
    bundle.config["linux"]["resources"]["memory"] = json!({"limit": 64 << 20});
    assert_eq!(
        bundle.fault(),
        format!(
            "set memory.max: the host's cgroup2 at {} has no memory controller",
            mount.display()
        )
    );
    bundle.assert_nothing_left();
}

#[test]
fn cgroups_of_the_containers_own_are_removed_with_it() {
    let mut bundle = require!(Bundle::new());
    for mount in bundle.config["mounts"].as_array_mut().unwrap() {
        if mount["type"] == "cgroup" {
            mount["options"] = json!(["nosuid", "noexec", "nodev"]);
        }
    }
    bundle.prints("mkdir /sys/fs/cgroup/a /sys/fs/cgroup/a/b");
    bundle.assert_nothing_left();
}
