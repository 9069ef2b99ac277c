//! A failure at any step says where, in one line, and leaves nothing.

use std::fs;

use flotilla_tests::require;
use serde_json::{Value, json};

use crate::bundle::{Bundle, mounts, stderr};

/// A document's part, what takes its place, and how the error begins.
type Fault = (&'static str, fn() -> Value, &'static str);

/// In the order of the steps: document, parent, child.
const FAULTS: &[Fault] = &[
    ("/ociVersion", || json!("7"), "ociVersion: "),
    ("/process/cwd", || json!("x"), "process.cwd: "),
    ("/process/args", || json!([]), "process.args: "),
    ("/linux/intelRdt", || json!({"closID": "x"}), "linux.intelRdt: not there yet"),
    ("/linux/cgroupsPath", || json!("/../x"), "linux.cgroupsPath: "),
    ("/linux/cgroupsPath", || json!("system.slice:a:b"), "linux.cgroupsPath: "),
    ("/root/path", || json!("nowhere"), "root.path: open "),
    ("/mounts/0/source", || json!(7), "parse "),
    (
        "/mounts/1",
        || json!({"destination": "/dev", "type": "bind", "source": "/nowhere", "options": ["bind"]}),
        "open /nowhere: no such file or directory",
    ),
    (
        "/linux/seccomp",
        || json!({"defaultAction": "SCMP_ACT_MAYBE"}),
        "linux.seccomp.defaultAction: ",
    ),
    ("/linux/namespaces/1/path", || json!("/nowhere"), "open the network namespace /nowhere: "),
    ("/linux/resources/unified", || json!({"nothing.max": "1"}), "set nothing.max"),
    ("/linux/resources/unified", || json!({"cgroup.nothing": "1"}), "set cgroup.nothing to 1: "),
    ("/process/oomScoreAdj", || json!(-1001), "process.oomScoreAdj: "),
    ("/mounts/0/options", || json!(["nonsense"]), "mount /proc: invalid argument"),
    ("/mounts/0/destination", || json!("/bin/sh"), "mount /bin/sh: "),
    ("/linux/sysctl", || json!({"net.nothing": "1"}), "set the sysctl net.nothing to 1: "),
    (
        "/linux/devices",
        || json!([{"type": "c", "path": "/bin/busybox", "major": 1, "minor": 3}]),
        "make /bin/busybox: something else is there",
    ),
    (
        "/hooks",
        || json!({"prestart": [{"path": "/bin/false"}]}),
        "run hooks.prestart[0] /bin/false: it failed with exit code 1",
    ),
    (
        "/hooks",
        || json!({"createRuntime": [{"path": "/nowhere"}]}),
        "run hooks.createRuntime[0] /nowhere: start it: no such file",
    ),
    (
        "/hooks",
        || json!({"createContainer": [{"path": "/bin/false"}]}),
        "run hooks.createContainer[0] /bin/false: ",
    ),
    (
        "/hooks",
        || json!({"startContainer": [{"path": "/nowhere"}]}),
        "run hooks.startContainer[0] /nowhere: ",
    ),
    (
        "/hooks",
        || json!({"poststart": [{"path": "/bin/false"}]}),
        "run hooks.poststart[0] /bin/false: ",
    ),
    ("/process/apparmorProfile", || json!("no-such-profile"), "set the AppArmor profile "),
    (
        "/process/rlimits",
        || json!([{"type": "RLIMIT_NICE", "soft": 40, "hard": 1u64 << 62}]),
        "set RLIMIT_NICE to ",
    ),
    ("/process/args", || json!(["nope"]), "exec \"nope\": executable file not found in $PATH"),
    ("/process/cwd", || json!("/bin/sh"), "enter /bin/sh: not a directory"),
    ("/process/args", || json!(["/nope"]), "exec /nope: no such file or directory"),
];

#[test]
fn a_failure_at_any_step_leaves_nothing() {
    let mut bundle = require!(Bundle::new());
    bundle.set_script("sleep 1000");
    let good = bundle.config.clone();
    let before = mounts();
    for (pointer, value, beginning) in FAULTS {
        bundle.config = good.clone();
        put(&mut bundle.config, pointer, value());
        if *pointer == "/process/rlimits" && has_sys_resource() {
            continue;
        }
        let fault = bundle.fault();
        assert!(fault.starts_with(beginning), "{pointer}: {fault}");
        bundle.assert_nothing_left();
        assert_eq!(mounts(), before, "{pointer}");
    }
    // And it still works.
    bundle.config = good;
    assert_eq!(bundle.prints("echo fine"), "fine");
}

#[test]
fn a_failure_of_create_leaves_nothing_either() {
    let mut bundle = require!(Bundle::new());
    bundle.set_script("sleep 1000");
    let good = bundle.config.clone();
    for (pointer, value, beginning) in FAULTS {
        // What comes after `create` is told by `start`.
        if beginning.contains("poststart")
            || beginning.contains("startContainer")
            || beginning.starts_with("exec /nope")
            || beginning.starts_with("enter /bin/sh")
            || (*pointer == "/process/rlimits" && has_sys_resource())
        {
            continue;
        }
        bundle.config = good.clone();
        put(&mut bundle.config, pointer, value());
        bundle.write_config();
        let said = stderr(&bundle.ocirun(&["create", &bundle.id]));
        assert!(said.starts_with(&format!("ocirun: {beginning}")), "{pointer}: {said}");
        bundle.assert_nothing_left();
    }
}

fn put(config: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match config.pointer_mut(parent).unwrap() {
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        object => object[key] = value,
    }
}

fn has_sys_resource() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:\t")).unwrap();
    u64::from_str_radix(set, 16).unwrap() >> 24 & 1 == 1
}

#[test]
fn a_bundle_without_a_document_and_a_root_that_is_a_file_are_named() {
    let bundle = require!(Bundle::new());
    bundle.write_config();
    fs::remove_file(bundle.path().join("config.json")).unwrap();
    let output = bundle.ocirun(&["run", &bundle.id]);
    let path = bundle.path().join("config.json");
    assert_eq!(
        stderr(&output),
        format!("ocirun: read {}: no such file or directory", path.display())
    );

    fs::remove_dir_all(bundle.root()).unwrap();
    fs::write(bundle.root(), "a file").unwrap();
    assert_eq!(bundle.fault(), "root.path: is not a directory");
}

#[test]
fn a_document_that_is_no_json_names_the_place() {
    let bundle = require!(Bundle::new());
    let said = |text: &str| {
        fs::write(bundle.path().join("config.json"), text).unwrap();
        stderr(&bundle.ocirun(&["run", &bundle.id]))
    };
    assert!(said("{\"ociVersion\":").contains("config.json: "));
    let error = said("{\"ociVersion\":\"1.0.0\",\"process\":{\"cwd\":\"/\",\"env\":[1]}}");
    assert!(error.contains("process.env[0]: invalid type"), "{error}");
}

#[test]
fn a_cgroup_with_somebody_elses_processes_is_left_alone() {
    let mut bundle = require!(Bundle::new());
    let cgroup = bundle.cgroup();
    fs::create_dir(&cgroup).unwrap();
    let mut sleeper = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    fs::write(cgroup.join("cgroup.procs"), sleeper.id().to_string()).unwrap();
    bundle.set_script("true");
    let fault = bundle.fault();
    let alive = sleeper.try_wait().unwrap().is_none();
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    fs::remove_dir(&cgroup).unwrap();
    assert!(fault.contains("it exists and has processes"), "{fault}");
    assert!(alive);
}

#[test]
fn cgroups_that_were_made_on_the_way_go_with_the_container() {
    let mut bundle = require!(Bundle::new());
    let outer = format!("{}-outer", bundle.id);
    bundle.config["linux"]["cgroupsPath"] = json!(format!("/{outer}/middle/inner"));
    let mount = flotilla_tests::need::cgroup2().unwrap();
    assert_eq!(bundle.prints("echo fine"), "fine");
    assert!(!mount.join(&outer).exists());
    bundle.config["process"]["args"] = json!(["/nope"]);
    bundle.fault();
    assert!(!mount.join(&outer).exists());
}
