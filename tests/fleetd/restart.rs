//! Ends that are not asked for, and what comes after.

use crate::host::{Host, needs, on_host};
use fleetd_api::Active;
use flotilla_tests::{ignored_signals, need, require};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn end(pid: Option<i32>, signal: Signal) {
    kill(Pid::from_raw(pid.unwrap()), signal).unwrap();
}

#[test]
fn a_program_that_is_killed_is_started_again_by_its_policy() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    client.launch("hello.container", &on_host("[Service]\nRestart=on-failure\n")).unwrap();
    let first = client.wait_active("hello.container").state.pid;
    end(first, Signal::SIGKILL);
    let again = client.wait("hello.container", "restarted", |unit| {
        unit.state.active == Active::Active && unit.state.pid != first
    });
    assert_eq!(again.state.restarts, 1);
    assert_eq!(again.state.last_exit.unwrap().signal.as_deref(), Some("KILL"));
}

#[test]
fn a_program_that_ends_well_stays_ended_under_on_failure() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    client.launch("hello.container", &on_host("[Service]\nRestart=on-failure\n")).unwrap();
    let pid = client.wait_active("hello.container").state.pid;
    end(pid, Signal::SIGTERM);
    let ended = |unit: &fleetd_api::Unit| unit.state.active == Active::Inactive;
    let unit = client.wait("hello.container", "ended", ended);
    assert_eq!((unit.state.sub.as_str(), unit.state.restarts), ("dead", 0));
    host.assert_clear();
}

#[test]
fn what_whoever_started_fleetd_ignores_is_nothing_to_a_program() {
    require!(needs());
    require!(need::program("busybox"));
    let mut host = Host::new();
    host.kill_fleetd();
    host.start_fleetd_with_ignored("HUP,INT,QUIT,PIPE,CHLD,XFSZ");
    let client = host.client();
    let text = "[Container]\nImage=hello\nNetwork=none\n\
                Exec=/bin/busybox sh -c \"grep SigIgn /proc/self/status; exit 3\"\n";
    client.launch("tells.container", text).unwrap();
    let unit = client.wait_failed("tells.container");
    assert_eq!(unit.state.last_exit.unwrap().code, Some(3));
    let lines = client.log("tells.container");
    assert_eq!(ignored_signals(&lines[0]), 0, "{lines:?}");
    host.assert_clear();
}

#[test]
fn a_program_that_always_fails_comes_to_its_start_limit() {
    require!(needs());
    require!(need::program("busybox"));
    let host = Host::new();
    let client = host.client();
    let text = "[Unit]\nStartLimitBurst=3\nStartLimitIntervalSec=1h\n\
                [Container]\nImage=hello\nExec=/bin/busybox false\nNetwork=none\n\
                [Service]\nRestart=always\nRestartSec=10ms\n";
    client.launch("fails.container", text).unwrap();
    let unit = client.wait_failed("fails.container");
    assert_eq!(unit.state.restarts, 2);
    let message = unit.state.message.unwrap();
    assert!(
        message.contains("exited with code 1") && message.contains("StartLimitBurst="),
        "{message}"
    );
    host.assert_clear();
}

#[test]
fn a_supervisor_that_is_killed_takes_its_container_along_and_the_policy_decides() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    client.launch("hello.container", &on_host("[Service]\nRestart=on-failure\n")).unwrap();
    let first = client.wait_active("hello.container").state.pid;
    let run = Host::names(&host.run_dir().join("runs")).pop_first().unwrap();
    let supervisor = host.cgroup().join(run).join("supervisor/cgroup.procs");
    let supervisor = std::fs::read_to_string(supervisor).unwrap().trim().parse().ok();
    end(supervisor, Signal::SIGKILL);
    client.wait("hello.container", "restarted", |unit| {
        unit.state.active == Active::Active && unit.state.pid != first
    });
    assert_eq!(Host::names(&host.run_dir().join("runs")).len(), 1);
    assert!(host.fetch(8080).is_ok());
}

#[test]
fn a_program_that_ignores_the_stop_signal_is_killed_after_its_time() {
    require!(needs());
    require!(need::program("busybox"));
    let host = Host::new();
    let client = host.client();
    let text = "[Container]\nImage=hello\nNetwork=none\n\
                Exec=/bin/busybox sh -c \"trap '' TERM; echo ready; while true; do sleep 1; done\"\n\
                [Service]\nTimeoutStopSec=500ms\n";
    client.launch("deaf.container", text).unwrap();
    client.wait_log("deaf.container", "ready");
    client.stop("deaf.container").unwrap();
    let ended = |unit: &fleetd_api::Unit| unit.state.active == Active::Inactive;
    let unit = client.wait("deaf.container", "stopped", ended);
    assert_eq!(unit.state.last_exit.unwrap().signal.as_deref(), Some("KILL"));
    host.assert_clear();
}
