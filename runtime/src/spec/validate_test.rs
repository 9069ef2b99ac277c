use serde_json::{Value, json};

use super::*;
use crate::spec::template;

/// The template with one value replaced.
fn with(pointer: &str, value: Value) -> Result<()> {
    let mut document = serde_json::to_value(template::spec(false).unwrap()).unwrap();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        parent => parent[key] = value,
    }
    spec(&serde_json::from_value(document).unwrap())
}

#[test]
fn the_template_is_valid() {
    spec(&template::spec(false).unwrap()).unwrap();
}

#[test]
fn every_fault_is_one_sentence_with_the_fields_name() {
    let table = [
        ("/ociVersion", json!("2.0"), "ociVersion"),
        ("/root", json!(null), "root"),
        ("/root/path", json!(""), "root.path"),
        ("/process", json!(null), "process"),
        ("/process/args", json!([]), "process.args"),
        ("/process/args", json!(["a\u{0}b"]), "process.args[0]"),
        ("/process/cwd", json!("a"), "process.cwd"),
        ("/process/oomScoreAdj", json!(1001), "process.oomScoreAdj"),
        (
            "/process/capabilities",
            json!({"effective": ["CAP_X"]}),
            "process.capabilities.effective[0]",
        ),
        ("/process/rlimits", json!([{"type":"X","soft":1,"hard":1}]), "process.rlimits[0]"),
        ("/process/selinuxLabel", json!("x"), "process.selinuxLabel"),
        ("/process/scheduler", json!({"policy":"SCHED_BATCH"}), "process.scheduler"),
        ("/mounts/0/destination", json!("../proc"), "mounts[0].destination"),
        ("/mounts/0/destination", json!("/a/../b"), "mounts[0].destination"),
        ("/mounts/0/type", json!(null), "mounts[0].type"),
        ("/mounts/0/options", json!(["bind", "x"]), "mounts[0].options"),
        (
            "/mounts/0/uidMappings",
            json!([{"containerID":0,"hostID":0,"size":1}]),
            "mounts[0].uidMappings",
        ),
        ("/hooks", json!({"poststop":[{"path":"x"}]}), "hooks.poststop[0].path"),
        ("/hooks", json!({"prestart":[{"path":"/x","timeout":0}]}), "hooks.prestart[0].timeout"),
        ("/linux/namespaces", json!([{"type":"pid"}]), "linux.namespaces"),
        ("/linux/namespaces", json!([{"type":"mount"},{"type":"mount"}]), "linux.namespaces[1]"),
        ("/linux/namespaces", json!([{"type":"mount"}]), "hostname"),
        ("/linux/uidMappings", json!([{"containerID":0,"hostID":0,"size":1}]), "linux.uidMappings"),
        ("/linux/timeOffsets", json!({"boottime":{"secs":1}}), "linux.timeOffsets"),
        ("/linux/sysctl", json!({"vm.swappiness":"1"}), "linux.sysctl"),
        ("/linux/maskedPaths", json!(["proc"]), "linux.maskedPaths[0]"),
        ("/linux/devices", json!([{"type":"q","path":"/dev/q"}]), "linux.devices[0].type"),
        ("/linux/netDevices", json!({"eth0":{}}), "linux.netDevices"),
        ("/linux/intelRdt", json!({"closID":"x"}), "linux.intelRdt"),
        ("/linux/mountLabel", json!("x"), "linux.mountLabel"),
        ("/linux/personality", json!({"domain":"BSD"}), "linux.personality.domain"),
        ("/linux/rootfsPropagation", json!("x"), "linux.rootfsPropagation"),
        (
            "/linux/resources",
            json!({"memory":{"swappiness":1}}),
            "linux.resources.memory.swappiness",
        ),
    ];
    for (pointer, value, field) in table {
        let error = with(pointer, value.clone()).expect_err(&format!("{pointer} {value}"));
        assert!(error.to_string().starts_with(field), "{pointer} {value}: {error}");
        assert!(!error.to_string().contains('\n'));
    }
}

#[test]
fn a_user_namespace_needs_maps_that_hold_its_root() {
    let mut document = serde_json::to_value(template::spec(false).unwrap()).unwrap();
    document["linux"]["namespaces"] = json!([{"type":"mount"},{"type":"user"},{"type":"uts"}]);
    let judge = |document: &Value| spec(&serde_json::from_value(document.clone()).unwrap());
    assert!(judge(&document).is_err());
    document["linux"]["uidMappings"] = json!([{"containerID":1,"hostID":1,"size":1}]);
    document["linux"]["gidMappings"] = json!([{"containerID":0,"hostID":1000,"size":1}]);
    assert!(judge(&document).unwrap_err().to_string().contains("id 0"));
    document["linux"]["uidMappings"] = json!([{"containerID":0,"hostID":1000,"size":5}]);
    judge(&document).unwrap();
}

#[test]
fn empty_values_of_fields_that_are_not_there_yet_pass() {
    for (pointer, value) in [
        ("/process/selinuxLabel", json!("")),
        ("/process/apparmorProfile", json!("")),
        ("/linux/intelRdt", json!(null)),
        ("/linux/mountLabel", json!("")),
        ("/linux/netDevices", json!({})),
    ] {
        with(pointer, value).unwrap();
    }
}
