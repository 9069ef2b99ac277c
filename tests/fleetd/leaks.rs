//! What must not grow with the number of starts and programs: descriptors and memory of whoever
//! lives longer than a container (CVE-2022-31030, CVE-2022-23471).

use crate::host::{HELLO, Host, needs, on_host};
use crate::kernel::{self, Kernel};
use fleetd_api::{Active, DesiredState};
use flotilla_tests::{need, require};

/// What one process holds.
#[derive(Debug)]
struct Held {
    descriptors: usize,
    threads: usize,
    /// Resident, in KiB, without pages of files (proc_pid_status(5), `RssAnon`): a program's own text
    /// comes in with its first use and goes whenever the kernel wants.
    memory: usize,
}

impl Held {
    fn by(pid: i32) -> Self {
        let count = |what: &str| std::fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let memory = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        let memory = memory.split_whitespace().next().unwrap().parse().unwrap();
        Self { descriptors: count("fd"), threads: count("task"), memory }
    }

    /// Some room is for caches and for what is under way.
    fn assert_no_more_than(&self, before: &Self, extent: Extent, who: &str) {
        let grown = self.memory.saturating_sub(before.memory);
        let same = self.descriptors <= before.descriptors + 8
            && self.threads <= before.threads + 4
            && grown <= 2048 + extent.rounds * extent.kept;
        assert!(same, "{who} held {before:?}, and after {extent:?} {self:?}");
    }
}

/// How often something is done, and what fleetd may keep of it.
#[derive(Clone, Copy, Debug)]
struct Extent {
    /// Rounds before the first look, and then.
    warm: usize,
    rounds: usize,
    /// KiB a round.
    kept: usize,
}

impl Extent {
    /// The histories that have an end (events, Raft's log) still fill, some 15 KiB with each start.
    fn short(rounds: usize) -> Self {
        Self { warm: 10, rounds, kept: 32 }
    }

    /// They are full: nothing is kept, and a leak of a page a round is seen.
    fn long(rounds: usize) -> Self {
        Self { warm: 1000, rounds, kept: 1 }
    }
}

fn starts_and_stops(extent: Extent) {
    let host = Host::new();
    let client = host.client();
    let round = || {
        client.launch("hello.container", HELLO).unwrap();
        client.wait_active("hello.container");
        client.stop("hello.container").unwrap();
        client.wait("hello.container", "stopped", |u| u.state.active == Active::Inactive);
    };
    // Pools, caches and threads are filled.
    (0..extent.warm).for_each(|_| round());
    host.assert_clear();
    let daemons = [("fleetd", host.fleetd_pid()), ("netd", host.netd_pid())];
    let before = daemons.map(|(_, pid)| Held::by(pid));
    let mounts = kernel::mounts();
    (0..extent.rounds).for_each(|_| round());
    host.assert_clear();
    host.eventually("the kernel has nothing of them", |_| Kernel::now() == Kernel::of(0));
    assert_eq!(kernel::mounts(), mounts);
    for ((who, pid), before) in daemons.into_iter().zip(&before) {
        Held::by(pid).assert_no_more_than(before, extent, who);
    }
}

#[test]
fn starts_and_stops_leak_nothing() {
    require!(needs());
    require!(kernel::needs());
    starts_and_stops(Extent::short(if need::virtual_machine().is_ok() { 10 } else { 100 }));
}

#[test]
#[ignore = "long"]
fn thousands_of_starts_and_stops_leak_nothing() {
    require!(needs());
    require!(kernel::needs());
    starts_and_stops(Extent::long(4000));
}

fn programs_in_a_container(extent: Extent) {
    let host = Host::new();
    let client = host.client();
    client.launch("hello.container", &on_host("")).unwrap();
    client.wait_active("hello.container");
    let supervisor = host.only_supervisor();
    let round = || {
        let (code, out, _) = client.exec("hello.container", &["/bin/busybox", "echo", "x"]);
        assert_eq!((code, out.as_str()), (0, "x\n"));
    };
    (0..extent.warm).for_each(|_| round());
    let who = [("fleetd", host.fleetd_pid()), ("supervise", supervisor)];
    let before = who.map(|(_, pid)| Held::by(pid));
    (0..extent.rounds).for_each(|_| round());
    for ((who, pid), before) in who.into_iter().zip(&before) {
        Held::by(pid).assert_no_more_than(before, extent, who);
    }
    client.desire("hello.container", DesiredState::Loaded).unwrap();
    host.assert_clear();
}

#[test]
fn programs_of_exec_leak_nothing() {
    require!(needs());
    require!(need::program("busybox"));
    programs_in_a_container(Extent::short(if need::virtual_machine().is_ok() { 20 } else { 200 }));
}

#[test]
#[ignore = "long"]
fn ten_thousand_programs_of_exec_leak_nothing() {
    require!(needs());
    require!(need::program("busybox"));
    programs_in_a_container(Extent::long(10_000));
}
