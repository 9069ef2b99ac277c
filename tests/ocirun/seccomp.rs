//! The container's seccomp profile is in force.

use flotilla_tests::require;
use serde_json::json;

use crate::bundle::{Bundle, stdout};

fn profile() -> serde_json::Value {
    json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_AARCH64"],
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}],
    })
}

#[test]
fn a_profile_refuses_what_it_says_in_the_container_and_in_an_exec() {
    let mut bundle = require!(Bundle::new());
    if !cfg!(target_arch = "x86_64") {
        println!("SKIPPED: the profile names x86");
        return;
    }
    bundle.config["linux"]["seccomp"] = profile();
    bundle.config["linux"]["seccomp"]["architectures"] =
        json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]);
    let script = "mkdir /dev/shm/x 2>&1; grep ^Seccomp: /proc/self/status | tail -c 2";
    for no_new_privileges in [true, false] {
        bundle.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        let inside = bundle.prints(script);
        assert!(inside.contains("Not supported") || inside.contains("not supported"), "{inside}");
        assert!(inside.ends_with('2'), "{inside}");
    }
    bundle.start_sleeping();
    let inside = stdout(&bundle.exec(&[&bundle.id, "sh", "-c", script]));
    assert!(inside.contains("ot supported") && inside.ends_with('2'), "{inside}");
}

#[test]
fn without_a_profile_there_is_no_filter() {
    let mut bundle = require!(Bundle::new());
    assert_eq!(bundle.prints("grep ^Seccomp: /proc/self/status"), "Seccomp:\t0");
}
