//! One more program in a running container.

use std::fs;

use flotilla_tests::{need, require};
use serde_json::json;

use crate::bundle::{Bundle, stderr, stdout};

#[test]
fn an_exec_is_in_all_of_the_containers_namespaces_and_its_cgroup() {
    let mut bundle = require!(Bundle::new());
    let pid = bundle.start_sleeping();
    let script =
        "for n in /proc/self/ns/*; do readlink $n; done; grep ^0:: /proc/self/cgroup; ls /";
    let inside = stdout(&bundle.exec(&[&bundle.id, "sh", "-c", script]));
    for kind in ["pid", "net", "ipc", "uts", "mnt", "cgroup"] {
        let theirs = fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
        assert!(inside.contains(theirs.to_str().unwrap()), "{kind}: {inside}");
    }
    assert!(inside.contains("0::/\n"), "{inside}");
    assert!(inside.contains("\nbin"), "{inside}");
}

#[test]
fn an_exec_is_confined_as_the_container_is() {
    let mut bundle = require!(Bundle::new());
    bundle.start_sleeping();
    let script = "grep -E '^(CapEff|CapInh|NoNewPrivs):' /proc/self/status; ulimit -n; ls /proc/self/fd | wc -l";
    let inside = stdout(&bundle.exec(&[&bundle.id, "sh", "-c", script]));
    assert_eq!(
        inside.replace('\t', " "),
        "CapInh: 0000000000000000\nCapEff: 0000000020000420\nNoNewPrivs: 1\n1024\n4"
    );
}

#[test]
fn flags_change_user_directory_environment_and_capabilities() {
    let mut bundle = require!(Bundle::new());
    bundle.start_sleeping();
    let inside = stdout(&bundle.exec(&[
        "--user", "5:6", "--cwd", "/bin", "--env", "A=b", "-e", "C=d", "-g", "9", "--cap", "CAP_CHOWN",
        &bundle.id, "sh", "-c", "id -u; id -g; id -G; pwd; echo $A$C; grep CapBnd /proc/self/status | tail -c 5; grep CapInh /proc/self/status | tail -c 5",
    ]));
    assert_eq!(inside, "5\n6\n6 9\n/bin\nbd\n0421\n0000");
}

#[test]
fn a_process_document_is_taken_as_it_is() {
    let mut bundle = require!(Bundle::new());
    bundle.start_sleeping();
    let document = bundle.path().join("process.json");
    let process = json!({"cwd": "/", "args": ["sh", "-c", "id -u; echo $X; exit 9"], "env": ["PATH=/bin", "X=y"], "user": {"uid": 3, "gid": 3}});
    fs::write(&document, process.to_string()).unwrap();
    let output = bundle.exec(&["--process", document.to_str().unwrap(), &bundle.id]);
    assert_eq!(output.status.code(), Some(9));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "3\ny\n");
}

#[test]
fn a_detached_exec_writes_its_pid() {
    let mut bundle = require!(Bundle::new());
    bundle.start_sleeping();
    let pid_file = bundle.path().join("pid");
    let id = bundle.id.clone();
    bundle
        .quietly(&["exec", "-d", "--pid-file", pid_file.to_str().unwrap(), &id, "sleep", "1234"])
        .unwrap();
    let pid = fs::read_to_string(pid_file).unwrap();
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert_eq!(line, "sleep\u{0}1234\u{0}");
}

#[test]
fn an_exec_that_fails_says_why_and_the_container_runs_on() {
    let mut bundle = require!(Bundle::new());
    bundle.start_sleeping();
    let id = bundle.id.clone();
    let said = |arguments: &[&str]| stderr(&bundle.exec(arguments));
    assert!(said(&[&id, "nope"]).contains("executable file not found in $PATH"));
    assert!(said(&["--cwd", "/nowhere", &id, "true"]).contains("enter /nowhere: no such file"));
    assert!(said(&["--user", "root", &id, "true"]).contains("must be a number"));
    assert!(said(&["--cap", "CAP_X", &id, "true"]).contains("unknown capability"));
    assert!(said(&["nobody", "true"]).contains("does not exist"));
    assert!(said(&[&id]).contains("process.args"));
    assert_eq!(bundle.state()["status"], "running");
}

#[test]
fn an_exec_into_a_stopped_container_is_refused() {
    let mut bundle = require!(Bundle::new());
    bundle.set_script("true");
    bundle.write_config();
    bundle.quietly(&["run", "--keep", &bundle.id]).unwrap();
    let output = bundle.exec(&[&bundle.id, "true"]);
    assert!(stderr(&output).contains("container not running"), "{output:?}");
}

/// What systemd does, and podman: out of the container's cgroup, which then hands its controllers on.
const MOVES_IN: &str = "{ mkdir /sys/fs/cgroup/inner && echo 0 > /sys/fs/cgroup/inner/cgroup.procs \
     && echo +hugetlb > /sys/fs/cgroup/cgroup.subtree_control; } > /ready 2>&1; exec sleep 1000";

#[test]
fn an_exec_goes_where_the_first_process_is_when_the_cgroup_may_have_none() {
    let mut bundle = require!(Bundle::new());
    require!(need::controller("hugetlb"));
    for mount in bundle.config["mounts"].as_array_mut().unwrap() {
        if mount["type"] == "cgroup" {
            mount["options"] = json!(["nosuid", "noexec", "nodev"]);
        }
    }
    bundle.config["linux"]["resources"]["unified"] = json!({"hugetlb.2MB.max": "max"});
    let ready = bundle.root().join("ready");
    nix::unistd::mkfifo(&ready, nix::sys::stat::Mode::S_IRWXU).unwrap();
    bundle.set_script(MOVES_IN);
    bundle.write_config();
    bundle.quietly(&["run", "--detach", &bundle.id]).unwrap();
    assert_eq!(fs::read_to_string(&ready).unwrap(), "");
    let inside = stdout(&bundle.exec(&[&bundle.id, "grep", "^0::", "/proc/self/cgroup"]));
    assert_eq!(inside, "0::/inner");
    // The caller is where it was, and so is a program of its own.
    let here = fs::read_to_string("/proc/self/cgroup").unwrap();
    assert!(!here.contains(&bundle.id), "{here}");
}
