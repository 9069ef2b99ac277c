//! From the command line to a running container, or to nothing.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;

use flotilla_tests::{ignored_signals, need, require};
use nix::poll::PollFlags;
use nix::sched::{CloneFlags, unshare};
use serde_json::json;

use crate::client::refused;
use crate::supervised::{Plan, Supervised, wait_for};
use crate::sys;

#[test]
fn a_start_reports_the_process_and_the_time_of_each_step() {
    require!(need::root());
    let supervised = Plan::script("exec sleep 1000").start();
    let steps = supervised.ready["steps"].as_array().unwrap();
    assert!(steps.len() > 2);
    assert!(steps.iter().all(|step| step["step"].is_string() && step["micros"].is_u64()));
    let started = supervised.record("started.json");
    assert_eq!(started["version"], 1);
    assert_eq!(started["id"], supervised.name.as_str());
    assert_eq!(started["pid"], supervised.ready["pid"]);
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert_eq!(started["boot_id"], boot.trim());
    let stat = fs::read_to_string(format!("/proc/{}/stat", supervised.pid())).unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let start_time = after_name.split_whitespace().nth(19).unwrap();
    assert_eq!(started["pid_start"].to_string(), start_time);
    let state = supervised.connect().ok(json!({"op": "state"}));
    assert_eq!(state["status"], "running");
    assert_eq!(state["pid"], supervised.ready["pid"]);
    assert_eq!(state["supervisor_pid"], supervised.supervisor());
    assert_eq!(state["started"], started["started"]);
}

/// What a failed start may leave.
fn assert_nothing_but_the_record(mut supervised: Supervised, sentence: &str) {
    let error = refused(&supervised.ready);
    assert!(error.contains(sentence), "{error}");
    assert!(!supervised.wait().success());
    assert_eq!(supervised.files(), ["exit.json"]);
    let exit = supervised.record("exit.json");
    assert_eq!(exit["error"], error);
    assert!(exit["pid"].is_null() && exit["code"].is_null() && exit["signal"].is_null(), "{exit}");
    assert!(!supervised.cgroup("payload").exists());
}

#[test]
fn a_failed_start_leaves_nothing_but_its_record() {
    require!(need::root());
    let mut plan = Plan::script("true");
    plan.config["process"]["args"] = json!(["/bin/nothing"]);
    assert_nothing_but_the_record(plan.launch(), "no such file or directory");
    let mut plan = Plan::script("true");
    plan.config["mounts"][0]["type"] = "nonsense".into();
    assert_nothing_but_the_record(plan.launch(), "mount /proc");
    let plan = Plan::script("true").with(&["--log-dir", "/proc/nowhere"]);
    assert_nothing_but_the_record(plan.launch(), "open /proc/nowhere/log");
}

#[test]
fn a_bundle_without_a_configuration_is_refused() {
    require!(need::root());
    let plan = Plan::script("true");
    let mut plan = plan.with(&["--bundle", "/proc/self"]);
    plan.config = json!({});
    assert_nothing_but_the_record(plan.launch(), "open /proc/self/config.json: no such file");
}

#[test]
fn a_run_directory_serves_one_run_and_nobody_else() {
    require!(need::root());
    let plan = Plan::script("true");
    fs::write(plan.run_dir().join("exit.json"), "{}").unwrap();
    let mut supervised = plan.launch();
    assert!(refused(&supervised.ready).contains("used by an earlier run"));
    assert!(!supervised.wait().success());
    assert_eq!(fs::read_to_string(supervised.run_dir.join("exit.json")).unwrap(), "{}");

    let plan = Plan::script("true");
    fs::set_permissions(plan.run_dir(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut supervised = plan.launch();
    assert!(refused(&supervised.ready).contains("others may enter it"));
    assert!(!supervised.wait().success());
    assert_eq!(supervised.files(), Vec::<String>::new());
}

#[test]
fn the_supervisor_is_alone_in_its_session_and_cgroup() {
    require!(need::root());
    let supervised = Plan::script("exec sleep 1000").start();
    let pid = supervised.supervisor();
    let procs = |part| fs::read_to_string(supervised.cgroup(part).join("cgroup.procs")).unwrap();
    assert_eq!(procs("supervisor").trim(), pid.to_string());
    assert_eq!(procs("payload").trim(), supervised.pid().to_string());
    assert_eq!(nix::unistd::getsid(Some(nix::unistd::Pid::from_raw(pid))).unwrap().as_raw(), pid);
    let socket = fs::metadata(supervised.run_dir.join("supervise.sock")).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_program_inherits_nothing_of_the_supervisor() {
    require!(need::root());
    let (leaked, _writer) = std::io::pipe().unwrap();
    sys::inherit(leaked.as_fd());
    let script = "ls /proc/self/fd; cat /proc/self/oom_score_adj; grep -E 'Sig(Blk|Ign)' /proc/self/status; kill -HUP $$; sleep 1000";
    let mut plan = Plan::script(script);
    plan.config["process"]["args"] = json!(["sh", "-c", format!("trap 'exit 3' HUP; {script}")]);
    let mut supervised = plan.start();
    let exit = supervised.wait_record();
    // A blocked hang-up would never have arrived.
    assert_eq!(exit["code"], 3);
    let own_score = fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    let mut texts = supervised.texts("stdout");
    let ignored = texts.pop().unwrap();
    assert_eq!(ignored_signals(&ignored), 0, "{ignored}");
    let expected = ["0", "1", "2", "3", own_score.trim(), "SigBlk:\t0000000000000000"];
    assert_eq!(texts, expected);
}

#[test]
fn the_root_comes_as_a_descriptor() {
    require!(need::root());
    let plan = Plan::script("cat /here");
    fs::write(plan.root().join("here"), "by descriptor\n").unwrap();
    let root = sys::open_tree(&plan.root()).unwrap();
    let mut plan = plan.hand("--rootfs-fd", "", root);
    plan.config["root"]["path"] = "/proc/nowhere".into();
    let mut supervised = plan.start();
    assert_eq!(supervised.wait_record()["code"], 0);
    assert_eq!(supervised.texts("stdout"), ["by descriptor"]);
}

#[test]
fn a_mount_comes_as_a_descriptor() {
    require!(need::root());
    let plan = Plan::script("cat /tmp/data/file");
    let source = plan.scratch.path().join("volume");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "of the volume\n").unwrap();
    let mut plan = plan.hand("--mount-fd", "/tmp/data=", sys::open_tree(&source).unwrap());
    let mount = json!({"destination": "/tmp/data", "type": "bind", "source": "/proc/nowhere", "options": ["bind", "ro"]});
    plan.config["mounts"].as_array_mut().unwrap().push(mount);
    let mut supervised = plan.start();
    assert_eq!(supervised.wait_record()["code"], 0);
    assert_eq!(supervised.texts("stdout"), ["of the volume"]);
}

#[test]
fn the_network_namespace_comes_as_a_descriptor() {
    require!(need::root());
    let theirs = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        fs::File::open("/proc/thread-self/ns/net").unwrap()
    });
    let netns = theirs.join().unwrap();
    let name = fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&netns)));
    let plan = Plan::script("readlink /proc/self/ns/net").hand("--netns-fd", "", netns.into());
    let mut supervised = plan.start();
    assert_eq!(supervised.wait_record()["code"], 0);
    assert_eq!(supervised.texts("stdout"), [name.unwrap().to_str().unwrap()]);
}

#[test]
fn wrong_descriptors_are_refused() {
    require!(need::root());
    for (options, sentence) in [
        (&["--rootfs-fd", "999"][..], "use descriptor 999: bad file descriptor"),
        (&["--rootfs-fd", "1"], "use descriptor 1: each must be 3 or more"),
        (&["--netns-fd", "777", "--rootfs-fd", "777"], "use descriptor 777: each must be"),
    ] {
        let plan = Plan::script("true").with(options);
        let output = std::process::Command::new(flotilla_tests::programs::path("ocirun"))
            .args(["supervise", "--bundle", "/", "--run-dir", "/"])
            .args(options)
            .arg(&plan.name)
            .output()
            .unwrap();
        assert!(!output.status.success());
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(sentence), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_killed_supervisor_takes_its_container_with_it() {
    require!(need::root());
    let mut supervised = Plan::script("sleep 1000 & exec sleep 1000").start();
    let container = sys::pidfd_open(supervised.pid()).unwrap();
    supervised.child.kill().unwrap();
    supervised.wait();
    wait_for(container.as_fd(), PollFlags::POLLIN);
    crate::supervised::wait_until_empty(&supervised.cgroup("payload"));
    let files = supervised.files();
    assert!(!files.contains(&"exit.json".to_owned()), "{files:?}");
    // What tells fleetd that nobody recorded the end.
    let socket = supervised.run_dir.join("supervise.sock");
    assert!(std::os::unix::net::UnixStream::connect(socket).is_err());
}

#[test]
fn a_supervisor_is_small() {
    require!(need::root());
    let supervised = Plan::script("exec sleep 1000").start();
    supervised.connect().ok(json!({"op": "state"}));
    let file = format!("/proc/{}/smaps_rollup", supervised.supervisor());
    let text = fs::read_to_string(file).unwrap();
    let kibibytes = |name: &str| -> u64 {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    // The pages of the program itself are shared by all supervisors.
    assert!(kibibytes("Anonymous:") < 300, "{text}");
}
