//! Known attacks by way of a /proc that is not what the runtime takes it for, so that what it writes
//! goes elsewhere. The identifiers are those of the advisories.

use std::fs;
use std::path::PathBuf;

use flotilla_tests::{need, require};
use serde_json::json;

use crate::bundle::{Bundle, mounts, stderr};

/// Where a runtime may write a label or a setting.
const WRITTEN: &[&str] = &[
    "self/attr/exec",
    "self/attr/apparmor/exec",
    "thread-self/attr/exec",
    "thread-self/attr/apparmor/exec",
    "sys/net/ipv4/ip_forward",
];

/// Has a file of the host bound over each of these, below a tmpfs at /proc.
fn fake_proc(bundle: &mut Bundle) -> Vec<PathBuf> {
    bundle.config["root"]["readonly"] = json!(false);
    for mount in bundle.config["mounts"].as_array_mut().unwrap() {
        if mount["destination"] == "/proc" {
            *mount = json!({"destination": "/proc", "type": "tmpfs", "source": "fake"});
        }
    }
    let mut canaries = Vec::new();
    for (number, name) in WRITTEN.iter().enumerate() {
        canaries.push(cover(bundle, &format!("/proc/{name}"), number));
    }
    canaries
}

fn cover(bundle: &mut Bundle, destination: &str, number: usize) -> PathBuf {
    let canary = bundle.path().join(format!("canary-{number}"));
    fs::write(&canary, "canary").unwrap();
    bundle.push(
        "/mounts",
        json!({"destination": destination, "type": "bind", "source": canary, "options": ["bind"]}),
    );
    canary
}

fn assert_untouched(canaries: &[PathBuf]) {
    for canary in canaries {
        assert_eq!(fs::read_to_string(canary).unwrap(), "canary", "{}", canary.display());
    }
}

#[test]
fn cve_2019_16884_a_fake_proc_swallows_no_label() {
    let mut bundle = require!(Bundle::new());
    let canaries = fake_proc(&mut bundle);
    bundle.config["process"]["apparmorProfile"] = json!("no-such-profile");
    bundle.set_script("true");
    let fault = bundle.fault();
    assert!(fault.starts_with("set the AppArmor profile no-such-profile: "), "{fault}");
    assert_untouched(&canaries);
    // And none of a program that joins.
    bundle.config["process"]["apparmorProfile"] = json!(null);
    bundle.start_sleeping();
    let said = bundle.exec(&["--apparmor", "no-such-profile", &bundle.id, "true"]);
    assert!(stderr(&said).contains("set the AppArmor profile no-such-profile: "), "{said:?}");
    assert_untouched(&canaries);
}

#[test]
fn cve_2025_52881_a_label_is_not_written_to_what_covers_its_file() {
    let mut bundle = require!(Bundle::new());
    bundle.config["root"]["readonly"] = json!(false);
    let canaries = [cover(&mut bundle, "/proc/self/attr/exec", 0)];
    bundle.config["process"]["apparmorProfile"] = json!("no-such-profile");
    bundle.set_script("true");
    assert!(bundle.fault().starts_with("set the AppArmor profile no-such-profile: "));
    assert_untouched(&canaries);
}

#[test]
fn cve_2025_52881_a_sysctl_is_not_written_to_what_covers_its_file() {
    let mut bundle = require!(Bundle::new());
    let canaries = [cover(&mut bundle, "/proc/sys/net/ipv4/ip_forward", 0)];
    bundle.config["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "1"});
    bundle.set_script("true");
    let before = mounts();
    let fault = bundle.fault();
    assert!(fault.starts_with("set the sysctl net.ipv4.ip_forward to 1: "), "{fault}");
    assert_untouched(&canaries);
    assert_eq!(mounts(), before);
}

#[test]
fn cve_2025_52881_a_sysctl_is_effective_whatever_lies_at_proc() {
    let mut bundle = require!(Bundle::new());
    let canaries = fake_proc(&mut bundle);
    let file = "/proc/sys/net/ipv4/ip_forward";
    let host = fs::read_to_string(file).unwrap();
    let other = if host.trim() == "0" { "1" } else { "0" };
    bundle.config["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": other});
    let pid = bundle.start_sleeping();
    assert_untouched(&canaries);
    assert_eq!(fs::read_to_string(file).unwrap(), host);
    let text = inside_network_of(pid, file);
    assert_eq!(text.trim(), other);
}

/// Reads a file of /proc/sys/net as a process in the network namespace of another sees it.
fn inside_network_of(pid: i64, file: &str) -> String {
    let namespace = fs::File::open(format!("/proc/{pid}/ns/net")).unwrap();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            nix::sched::setns(&namespace, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            fs::read_to_string(file).unwrap()
        });
        thread.join().unwrap()
    })
}

#[test]
fn cve_2025_52881_a_sysctl_does_not_reach_the_hosts_sysrq() {
    require!(need::virtual_machine());
    let mut bundle = require!(Bundle::new());
    bundle.push(
        "/mounts",
        json!({"destination": "/proc/sys/net/ipv4/ip_forward", "type": "bind", "source": "/proc/sysrq-trigger", "options": ["bind"]}),
    );
    // It would crash this machine.
    bundle.config["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "c"});
    bundle.set_script("true");
    assert!(bundle.fault().starts_with("set the sysctl net.ipv4.ip_forward to c: "));
}

#[test]
fn a_sysctl_of_a_namespace_that_is_the_hosts_is_refused() {
    let mut bundle = require!(Bundle::new());
    let file = "/proc/sys/net/ipv4/ip_forward";
    let before = fs::read_to_string(file).unwrap();
    let other = if before.trim() == "0" { "1" } else { "0" };
    bundle.config["linux"]["namespaces"][1]["path"] = json!("/proc/self/ns/net");
    // A sysfs needs a network namespace that this user namespace owns: it does.
    bundle.config["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": other});
    bundle.set_script("true");
    let fault = bundle.fault();
    assert!(fault.contains("the network namespace is the runtime's own"), "{fault}");
    assert_eq!(fs::read_to_string(file).unwrap(), before);
    // A name as well.
    bundle.config["linux"]["sysctl"] = json!(null);
    let uts = bundle.config["linux"]["namespaces"]
        .as_array()
        .unwrap()
        .iter()
        .position(|namespace| namespace["type"] == "uts")
        .unwrap();
    bundle.config["linux"]["namespaces"][uts]["path"] = json!("/proc/self/ns/uts");
    let fault = bundle.fault();
    assert!(fault.contains("the uts namespace is the runtime's own"), "{fault}");
}

/// What tells of the host or of others on it (advisories on powercap, 2020 and 2025, among others).
const HIDDEN: &str = "/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys \
     /proc/latency_stats /proc/timer_list /proc/timer_stats /proc/sched_debug /proc/scsi \
     /sys/devices/virtual/powercap /sys/firmware";

#[test]
fn the_template_hides_what_tells_of_the_host() {
    let mut bundle = require!(Bundle::new());
    let inside = bundle.prints(&format!(
        "for p in {HIDDEN}; do if test -d $p; then ls -A $p; else cat $p 2>/dev/null; fi; done; \
         test -e /proc/interrupts && echo end"
    ));
    assert_eq!(inside, "end");
    // Nothing of the host can be opened for writing, with much allowed either.
    bundle.config["process"]["capabilities"] = json!({
        "bounding": ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"],
        "effective": ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"],
        "permitted": ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"],
    });
    let inside = bundle.prints(
        "for p in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /sys/kernel/uevent_helper; do \
         test -e $p && ( : > $p ) 2>/dev/null && echo $p; done; echo end",
    );
    assert_eq!(inside, "end");
}
