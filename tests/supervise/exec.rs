//! More programs in the container.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsFd;

use flotilla_tests::{need, require};
use serde_json::json;

use crate::client::{granted, refused, script};
use crate::supervised::Plan;

#[test]
fn a_program_joins_the_container_and_its_end_is_told() {
    require!(need::root());
    let supervised = Plan::script("exec sleep 1000").start();
    let mut client = supervised.connect();
    let mut running = client.exec(script(
        "echo pids $(ls /proc | grep -c '^[0-9]'); cat /proc/self/cgroup; echo fault >&2; exit 5",
    ));
    let ok = granted(client.receive());
    assert_eq!(ok["exec"], 1);
    assert!(ok["pid"].as_i64().unwrap() > 0);
    let mut fault = [0; 6];
    running.stderr.read_exact(&mut fault).unwrap();
    assert_eq!(&fault, b"fault\n");
    let text = running.stdout();
    let lines: Vec<&str> = text.lines().collect();
    // Sleep, this shell, and the children that count.
    assert!(lines[0].starts_with("pids ") && lines[0].len() == 6, "{text}");
    assert!(lines.contains(&"0::/"), "{text}");
    assert_eq!(client.receive(), json!({"exit": {"code": 5, "signal": null}}));
    // The connection may ask the next thing.
    let _running = client.exec(script("kill -9 $$"));
    assert_eq!(granted(client.receive())["exec"], 2);
    assert_eq!(client.receive(), json!({"exit": {"code": null, "signal": 9}}));
}

#[test]
fn what_cannot_be_executed_is_refused() {
    require!(need::root());
    let supervised = Plan::script("exec sleep 1000").start();
    let mut client = supervised.connect();
    client.ok(json!({"op": "state"}));
    let before = supervised.descriptors();
    for (args, sentence) in [
        (json!(["nothing"]), "executable file not found"),
        (json!(["/bin/nothing"]), "no such file or directory"),
        (json!([]), "process.args"),
    ] {
        let process = json!({"args": args, "env": ["PATH=/bin"], "cwd": "/"});
        let _running = client.exec(process);
        let error = refused(&client.receive());
        assert!(error.contains(sentence), "{error}");
    }
    client.send(&json!({"op": "exec", "process": script("true")}), &[]);
    assert!(refused(&client.receive()).contains("it takes 3 descriptors, 0 came"));
    assert_eq!(supervised.descriptors(), before);
}

#[test]
fn a_program_with_a_terminal_has_its_master_passed() {
    require!(need::root());
    let supervised = Plan::script("exec sleep 1000").start();
    let mut client = supervised.connect();
    let mut process = script("stty size; read line; stty size; echo $line");
    process["terminal"] = true.into();
    process["consoleSize"] = json!({"height": 10, "width": 20});
    client.send(&json!({"op": "exec", "process": process}), &[]);
    assert_eq!(granted(client.receive())["exec"], 1);
    let mut master = fs::File::from(client.passed().remove(0));
    let mut seen = String::new();
    let mut buffer = [0; 1024];
    let mut until = |master: &mut fs::File, text: &str| {
        while !seen.contains(text) {
            let length = master.read(&mut buffer).unwrap();
            seen.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        }
    };
    until(&mut master, "10 20\r\n");
    supervised.connect().ok(json!({"op": "resize", "exec": 1, "rows": 30, "columns": 40}));
    master.write_all(b"typed\n").unwrap();
    until(&mut master, "30 40\r\ntyped\r\n");
    assert_eq!(client.receive()["exit"]["code"], 0);
    let gone =
        supervised.connect().ask(json!({"op": "resize", "exec": 1, "rows": 1, "columns": 1}));
    assert!(refused(&gone).contains("exec 1: no such process"));
}

#[test]
fn a_terminal_hangs_up_when_its_client_goes() {
    require!(need::root());
    let supervised = Plan::script("exec sleep 1000").start();
    let mut client = supervised.connect();
    // Of a hang-up a reader sees the end and the signal, in whichever order they reach it.
    let mut process = script("trap '' HUP; echo ready; read line; echo hung up > /tmp/told");
    process["terminal"] = true.into();
    let fifo = supervised.scratch.path().join("bundle/rootfs/tmp/told");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    client.send(&json!({"op": "exec", "process": process}), &[]);
    granted(client.receive());
    let mut master = fs::File::from(client.passed().remove(0));
    let mut ready = [0; 7];
    master.read_exact(&mut ready).unwrap();
    drop((client, master));
    assert_eq!(fs::read_to_string(&fifo).unwrap(), "hung up\n");
}

#[test]
fn two_hundred_programs_leave_nothing_in_the_supervisor() {
    require!(need::root());
    let supervised = Plan::script("exec sleep 1000").start();
    let mut client = supervised.connect();
    client.ok(json!({"op": "state"}));
    let before = supervised.descriptors();
    for number in 1..=200 {
        let running = client.exec(json!({"args": ["true"], "env": ["PATH=/bin"], "cwd": "/"}));
        assert_eq!(granted(client.receive())["exec"], number);
        assert_eq!(client.receive()["exit"]["code"], 0);
        drop(running);
    }
    client.ok(json!({"op": "state"}));
    assert_eq!(supervised.descriptors(), before);
    // A zombie would be a child still.
    let pid = supervised.supervisor();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    assert_eq!(children.trim(), supervised.pid().to_string());
}

#[test]
fn a_program_outlives_its_client_and_is_reaped() {
    require!(need::root());
    let plan = Plan::script("read go < /tmp/fifo; echo $go");
    // The container waits at the one, the program that joins it at the other.
    let other = plan.root().join("tmp/other");
    for path in [&plan.root().join("tmp/fifo"), &other] {
        nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    }
    let mut supervised = plan.start();
    let mut client = supervised.connect();
    let running = client.exec(script("read word < /tmp/other; echo $word > /tmp/fifo"));
    granted(client.receive());
    drop((client, running));
    fs::write(&other, "alive\n").unwrap();
    assert_eq!(supervised.wait_record()["code"], 0);
    assert_eq!(supervised.texts("stdout"), ["alive"]);
}

#[test]
fn programs_end_with_the_container() {
    require!(need::root());
    let mut supervised = Plan::script("read go; exit 0").with(&["--stdin"]).start();
    let mut client = supervised.connect();
    let (_reader, writer) = std::io::pipe().unwrap();
    let null = fs::File::open("/dev/null").unwrap();
    let files = [null.as_fd(), writer.as_fd(), writer.as_fd()];
    client.send(&json!({"op": "exec", "process": script("exec sleep 1000")}), &files);
    granted(client.receive());
    let mut other = supervised.connect();
    other.ok(json!({"op": "stdin"}));
    fs::File::from(other.passed().remove(0)).write_all(b"go\n").unwrap();
    assert_eq!(client.receive(), json!({"exit": {"code": null, "signal": 9}}));
    assert_eq!(supervised.wait_record()["code"], 0);
}

#[test]
fn a_program_that_cannot_begin_holds_up_nobody() {
    require!(need::root());
    let mut supervised = Plan::script("exec sleep 1000").start();
    let mut client = supervised.connect();
    // Whoever is born in a frozen cgroup does nothing until it thaws.
    let freezer = supervised.cgroup("payload").join("cgroup.freeze");
    fs::write(&freezer, "1").unwrap();
    let running = client.exec(script("echo begun"));
    let mut other = supervised.connect();
    assert_eq!(other.ok(json!({"op": "state"}))["status"], "running");
    let reexec = other.ask(json!({"op": "reexec"}));
    assert!(refused(&reexec).contains("a program of exec is being started"));
    fs::write(&freezer, "0").unwrap();
    assert_eq!(granted(client.receive())["exec"], 1);
    assert_eq!(running.stdout(), "begun\n");
    assert_eq!(client.receive()["exit"]["code"], 0);
    // One that never begins ends with the container.
    fs::write(&freezer, "1").unwrap();
    let _running = client.exec(script("echo begun"));
    other.ok(json!({"op": "stop", "timeout_ms": 0}));
    assert_eq!(supervised.wait_record()["signal"], 9);
}

#[test]
fn a_program_goes_where_the_first_process_is_when_the_cgroup_may_have_none() {
    require!(need::root());
    require!(need::controller("hugetlb"));
    let mut plan = Plan::script(
        "{ mkdir /sys/fs/cgroup/inner && echo 0 > /sys/fs/cgroup/inner/cgroup.procs \
         && echo +hugetlb > /sys/fs/cgroup/cgroup.subtree_control; } > /tmp/ready 2>&1; exec sleep 1000",
    );
    let ready = plan.root().join("tmp/ready");
    nix::unistd::mkfifo(&ready, nix::sys::stat::Mode::S_IRWXU).unwrap();
    plan.config["linux"]["resources"] = json!({"unified": {"hugetlb.2MB.max": "max"}});
    plan.config["mounts"]
        .as_array_mut()
        .unwrap()
        .push(json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}));
    let mut supervised = plan.start();
    assert_eq!(fs::read_to_string(&ready).unwrap(), "");
    let mut client = supervised.connect();
    for number in 1..=2 {
        let running = client.exec(script("grep ^0:: /proc/self/cgroup"));
        assert_eq!(granted(client.receive())["exec"], number);
        assert_eq!(running.stdout(), "0::/inner\n");
        assert_eq!(client.receive()["exit"]["code"], 0);
    }
    client.ok(json!({"op": "stop", "timeout_ms": 0}));
    assert_eq!(supervised.wait_record()["signal"], 9);
    assert!(!supervised.cgroup("payload").exists());
}
