//! Namespaces.

use std::fs;

use flotilla_tests::require;
use serde_json::json;

use crate::bundle::{Bundle, mounts, stdout};

#[test]
fn a_container_is_alone_in_its_namespaces() {
    let mut bundle = require!(Bundle::new());
    let inside =
        bundle.prints("for n in /proc/self/ns/*; do readlink $n; done; echo pid $$ /proc/[0-9]*");
    for kind in ["pid", "net", "ipc", "uts", "mnt", "cgroup"] {
        let host = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        let host = host.to_str().unwrap();
        assert!(inside.contains(&format!("{kind}:[")), "{inside}");
        assert!(!inside.contains(host), "{kind} is the host's: {inside}");
    }
    // The shell is all that there is.
    assert_eq!(inside.lines().last(), Some("pid 1 /proc/1"), "{inside}");
}

#[test]
fn a_namespace_that_is_left_out_is_the_hosts() {
    let mut bundle = require!(Bundle::new());
    bundle.config["linux"]["namespaces"] = json!([{"type": "mount"}, {"type": "pid"}]);
    bundle.config["hostname"] = json!(null);
    // A sysfs needs a network namespace of the own user namespace; the host's is that.
    let inside = bundle.prints("for n in uts cgroup; do readlink /proc/self/ns/$n; done");
    for kind in ["uts", "cgroup"] {
        let host = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert!(inside.contains(host.to_str().unwrap()), "{inside}");
    }
}

#[test]
fn names_are_the_configured_ones() {
    let mut bundle = require!(Bundle::new());
    bundle.config["hostname"] = json!("here");
    bundle.config["domainname"] = json!("there");
    let inside = bundle.prints("hostname; cat /proc/sys/kernel/domainname");
    assert_eq!(inside, "here\nthere");
}

#[test]
fn a_container_joins_the_namespaces_of_another() {
    let mut first = require!(Bundle::new());
    let mut second = require!(Bundle::new());
    let pid = first.start_sleeping();
    let namespaces = second.config["linux"]["namespaces"].as_array_mut().unwrap();
    for namespace in namespaces {
        let file = match namespace["type"].as_str().unwrap() {
            "network" => "net",
            "mount" | "cgroup" => continue,
            kind => kind,
        };
        namespace["path"] = json!(format!("/proc/{pid}/ns/{file}"));
    }
    second.config["hostname"] = json!(null);
    let script = "for n in pid net uts ipc; do readlink /proc/self/ns/$n; done";
    let inside = second.prints(script);
    for (line, kind) in inside.lines().zip(["pid", "net", "uts", "ipc"]) {
        let theirs = fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
        assert_eq!(line, theirs.to_str().unwrap());
    }
    // In that pid namespace the sleeping program is 1.
    assert!(second.prints("ps").contains("1000"));
}

#[test]
fn a_path_to_another_kind_of_namespace_is_refused() {
    let mut bundle = require!(Bundle::new());
    bundle.config["linux"]["namespaces"][1]["path"] = json!("/proc/self/ns/uts");
    assert!(bundle.fault().contains("of another type"));
    bundle.config["linux"]["namespaces"][1]["path"] = json!("/proc/self/status");
    assert!(bundle.fault().contains("no namespace"));
}

#[test]
fn a_user_namespace_maps_ids() {
    let mut bundle = require!(Bundle::new());
    bundle.push("/linux/namespaces", json!({"type": "user"}));
    bundle.config["linux"]["uidMappings"] =
        json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
    bundle.config["linux"]["gidMappings"] =
        json!([{"containerID": 0, "hostID": 200_000, "size": 65536}]);
    for name in ["proc", "sys", "dev"] {
        fs::create_dir(bundle.root().join(name)).unwrap();
    }
    let inside = bundle.prints(
        "id -u; cat /proc/self/uid_map /proc/self/gid_map | tr -s ' '; echo x > /dev/null && stat -c %t:%T /dev/null",
    );
    assert_eq!(inside, "0\n 0 100000 65536\n 0 200000 65536\n1:3");
    let pid = bundle.start_sleeping();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains("Uid:\t100000\t100000"), "{status}");
    let joined = bundle.exec(&[&bundle.id, "id"]);
    assert_eq!(stdout(&joined), "uid=0 gid=0");
}

#[test]
fn a_time_namespace_has_its_offset() {
    let mut bundle = require!(Bundle::new());
    let uptime = |text: &str| text.split('.').next().unwrap().parse::<u64>().unwrap();
    bundle.push("/linux/namespaces", json!({"type": "time"}));
    bundle.config["linux"]["timeOffsets"] = json!({"boottime": {"secs": 1_000_000}});
    let inside = uptime(&bundle.prints("cat /proc/uptime"));
    let host = uptime(&fs::read_to_string("/proc/uptime").unwrap());
    assert!(inside >= 1_000_000 && inside <= host + 1_000_000, "{inside} {host}");
}

#[test]
fn the_host_has_the_same_mounts_afterwards() {
    let mut bundle = require!(Bundle::new());
    let before = mounts();
    bundle.start_sleeping();
    assert_eq!(mounts(), before, "while it runs");
    bundle.delete();
    assert_eq!(mounts(), before, "afterwards");
}

#[test]
fn sysctls_are_set_in_the_containers_namespace_only() {
    let mut bundle = require!(Bundle::new());
    let file = "/proc/sys/kernel/shm_rmid_forced";
    let before = fs::read_to_string(file).unwrap();
    let other = if before.trim() == "0" { "1" } else { "0" };
    bundle.config["linux"]["sysctl"] =
        json!({"kernel.shm_rmid_forced": other, "net.ipv4.ip_forward": "1"});
    let inside = bundle.prints(&format!("cat {file} /proc/sys/net/ipv4/ip_forward"));
    assert_eq!(inside, format!("{other}\n1"));
    assert_eq!(fs::read_to_string(file).unwrap(), before);
}
