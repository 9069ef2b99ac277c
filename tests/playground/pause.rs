//! A host that hangs.

use flotilla_tests::playground::{Ground, eventually, needs};
use flotilla_tests::require;
use std::process::Stdio;

/// Nanoseconds that a process was on a processor (`/proc/PID/schedstat`).
fn worked(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_paused_host_does_nothing_until_it_is_resumed() {
    require!(needs());
    let ground = Ground::up(2);
    // It takes a processor whenever it may.
    let mut busy = ground.command(&["exec", "h1", "--", "sh", "-c", "while :; do :; done"]);
    let mut busy = busy.stdout(Stdio::null()).spawn().unwrap();
    let in_host =
        || ground.processes("h1").iter().any(|(pid, name)| *pid == busy.id() && name == "sh");
    eventually("the busy program is on the host", in_host);
    ground.play(&["pause", "h1"]);
    assert_eq!((ground.state("h1").as_str(), ground.state("h2").as_str()), ("paused", "running"));
    let all = ground.processes("h1");
    let work = || all.iter().map(|(pid, _)| worked(*pid)).collect::<Vec<_>>();
    let before = work();
    // Whoever hangs is refused what would hang as well; the others go on.
    assert_eq!(
        ground.refused(&["exec", "h1", "--", "true"]).split(" (").next().unwrap(),
        "fleetctl: exec on h1: it is paused"
    );
    ground.ctl("h2", &["version"]);
    assert_eq!(work(), before);
    ground.play(&["resume", "h1"]);
    let then = worked(busy.id());
    eventually("the busy program goes on", || worked(busy.id()) > then);
    ground.ctl("h1", &["version"]);
    assert_eq!(ground.state("h1"), "running");
    // A paused host can lose its power as any other.
    ground.play(&["pause", "h1"]);
    ground.play(&["kill", "h1"]);
    assert_eq!(ground.state("h1"), "killed");
    assert!(!busy.wait().unwrap().success());
}
