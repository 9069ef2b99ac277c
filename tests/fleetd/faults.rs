//! The daemons die at any moment; containers do not notice, and nothing is lost or left behind.

use crate::host::{HELLO, Host, needs, on_host};
use crate::kernel::{self, Kernel};
use fleetd_api::{Active, DesiredState};
use flotilla_tests::{Random, need, require};
use std::time::Duration;

#[test]
fn a_killed_fleetd_loses_no_unit() {
    require!(needs());
    let mut host = Host::new();
    host.client().launch("hello.container", HELLO).unwrap();
    let before = host.client().wait_active("hello.container").state;
    host.kill_fleetd();
    assert!(host.fetch(8080).is_ok());
    host.start_fleetd();
    let after = host.client().unit("hello.container").state;
    assert_eq!(
        (after.active, after.pid, after.address),
        (Active::Active, before.pid, before.address)
    );
    host.client().stop("hello.container").unwrap();
    host.client().wait("hello.container", "stopped", |u| u.state.active == Active::Inactive);
    host.assert_clear();
}

#[test]
fn a_container_outlives_both_daemons_and_answers_again_through_its_port() {
    require!(needs());
    let mut host = Host::new();
    host.client().launch("hello.container", HELLO).unwrap();
    let pid = host.client().wait_active("hello.container").state.pid;
    host.kill_fleetd();
    host.kill_netd();
    host.start_netd();
    host.start_fleetd();
    assert_eq!(host.client().unit("hello.container").state.pid, pid);
    host.eventually("it answers", |host| host.fetch(8080).is_ok());
}

#[test]
fn a_program_that_ends_while_fleetd_is_dead_is_restarted_by_the_next_one() {
    require!(needs());
    let mut host = Host::new();
    let text = on_host("[Service]\nRestart=always\n");
    host.client().launch("hello.container", &text).unwrap();
    let first = host.client().wait_active("hello.container").state.pid;
    host.kill_fleetd();
    let pid = nix::unistd::Pid::from_raw(first.unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    host.start_fleetd();
    let again = host.client().wait("hello.container", "restarted", |unit| {
        unit.state.active == Active::Active && unit.state.pid != first
    });
    assert_eq!(again.state.restarts, 1);
    let exit = again.state.last_exit.unwrap();
    assert_eq!(exit.signal.as_deref(), Some("KILL"), "{exit:?}");
}

#[test]
fn an_ended_fleetd_stops_nothing() {
    require!(needs());
    let mut host = Host::new();
    host.client().launch("hello.container", &on_host("")).unwrap();
    host.client().wait_active("hello.container");
    let pid = nix::unistd::Pid::from_raw(host.fleetd_pid());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    host.eventually("fleetd has ended", |host| {
        host.client().ask("GET", "/v1/version", b"").is_err()
    });
    assert!(host.fetch(8080).is_ok());
    host.kill_fleetd();
    host.start_fleetd();
    assert_eq!(host.client().unit("hello.container").state.active, Active::Active);
}

#[test]
fn a_unit_waits_for_netd_and_says_so() {
    require!(needs());
    let mut host = Host::without_daemons();
    host.start_fleetd();
    let client = host.client();
    client.launch("hello.container", HELLO).unwrap();
    let unit = client.wait("hello.container", "waiting", |unit| unit.state.message.is_some());
    let message = unit.state.message.unwrap();
    assert!(message.starts_with("wait for netd: connect "), "{message}");
    assert!(message.contains("netd.sock: no such file"), "{message}");
    assert_eq!(unit.state.active, Active::Activating);
    // One that needs no network of netd's does not wait.
    client.launch("other.container", &on_host("Environment=PORT=8081\n")).unwrap();
    client.wait_active("other.container");
    host.start_netd();
    host.client().wait_active("hello.container");
    host.eventually("it answers", |host| host.fetch(8080).is_ok());
}

#[test]
fn a_unit_that_waits_for_netd_can_be_stopped() {
    require!(needs());
    let mut host = Host::without_daemons();
    host.start_fleetd();
    let client = host.client();
    client.launch("hello.container", HELLO).unwrap();
    client.wait("hello.container", "waiting", |unit| unit.state.message.is_some());
    client.stop("hello.container").unwrap();
    client.wait("hello.container", "stopped", |u| u.state.active == Active::Inactive);
    host.assert_clear();
}

#[test]
fn down_stops_everything_and_leaves_nothing() {
    require!(needs());
    let mut host = Host::new();
    let client = host.client();
    client.launch("hello.container", HELLO).unwrap();
    client.launch("other.container", &on_host("Environment=PORT=8081\n")).unwrap();
    client.wait_active("hello.container");
    client.wait_active("other.container");
    let refused = host.command(&["down"]).output().unwrap();
    assert!(!refused.status.success(), "it went down under a running fleetd");
    host.kill_fleetd();
    let down = host.command(&["down"]).output().unwrap();
    assert!(down.status.success(), "{}", String::from_utf8_lossy(&down.stderr));
    assert!(host.fetch(8080).is_err() && host.fetch(8081).is_err());
    assert_eq!(host.traces(), Vec::<String>::new());
    assert!(!host.cgroup().exists());
}

#[test]
fn a_program_that_is_ready_while_fleetd_is_dead_is_heard_by_the_next_one() {
    require!(needs());
    require!(need::program("busybox"));
    let mut host = Host::new();
    let text = "[Container]\nImage=hello\nNetwork=host\nExec=/bin/busybox sh -c \"\
                mkfifo /dev/shm/go && echo waits && read go < /dev/shm/go; exec /bin/hello-server\"\n\
                [Service]\nType=notify\nTimeoutStartSec=infinity\n";
    host.client().launch("hello.container", text).unwrap();
    host.client().wait_log("hello.container", "waits");
    // The program's first word may be in the log before fleetd has heard that it runs.
    let unit = host.client().wait("hello.container", "its pid", |unit| unit.state.pid.is_some());
    let pid = unit.state.pid.unwrap();
    host.kill_fleetd();
    std::fs::write(format!("/proc/{pid}/root/dev/shm/go"), "go\n").unwrap();
    // It answers after it has said that it is ready.
    host.eventually("the server answers", |host| host.fetch(8080).is_ok());
    host.start_fleetd();
    host.client().wait_active("hello.container");
}

const LONELY: &str = "[Service]\nType=notify\n\
    [Container]\nImage=hello\nExec=/bin/hello-server\nNetwork=none\n";

fn runs(host: &Host) -> usize {
    Host::names(&host.run_dir().join("runs")).len()
}

#[test]
fn a_database_from_a_backup_holds_from_then_on() {
    require!(needs());
    let mut host = Host::new();
    host.client().launch("hello.container", &on_host("")).unwrap();
    let pid = host.client().wait_active("hello.container").state.pid;
    host.kill_fleetd();
    let path = host.state_dir().join("fleetd.redb");
    let backup = std::fs::read(&path).unwrap();
    host.start_fleetd();
    host.client().launch("later.container", LONELY).unwrap();
    host.client().wait_active("later.container");
    host.kill_fleetd();
    std::fs::write(&path, backup).unwrap();
    host.start_fleetd();
    host.eventually("what the backup does not know has ended", |host| runs(host) == 1);
    assert_eq!(host.client().unit("hello.container").state.pid, pid);
    // The host had obeyed more than the backup knows; it obeys what is decided now.
    host.client().restart("hello.container").unwrap();
    host.client().wait("hello.container", "restarted", |unit| {
        unit.state.active == Active::Active && unit.state.pid != pid
    });
    host.client().destroy("hello.container").unwrap();
    host.eventually("it has gone", |host| host.client().units().is_empty());
    host.assert_clear();
}

#[test]
fn without_its_database_fleetd_stops_nothing() {
    require!(needs());
    let mut host = Host::new();
    host.client().launch("hello.container", &on_host("")).unwrap();
    let pid = host.client().wait_active("hello.container").state.pid;
    host.kill_fleetd();
    std::fs::remove_file(host.state_dir().join("fleetd.redb")).unwrap();
    host.start_fleetd();
    assert!(host.client().units().is_empty());
    assert!(host.fetch(8080).is_ok(), "it was stopped");
    // It belongs to its unit again.
    host.client().launch("hello.container", &on_host("")).unwrap();
    assert_eq!(host.client().wait_active("hello.container").state.pid, pid);
    host.client().destroy("hello.container").unwrap();
    host.eventually("it has gone", |host| host.client().units().is_empty());
    host.assert_clear();
}

/// As many rounds as `FLOTILLA_FAULTS` says.
fn rounds(usual: u32) -> u32 {
    std::env::var("FLOTILLA_FAULTS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

fn seed() -> u64 {
    let given = std::env::var("FLOTILLA_SEED").ok().and_then(|n| n.parse().ok());
    given.unwrap_or(u64::from(std::process::id())) | 1
}

#[test]
fn daemons_killed_at_random_moments_lose_nothing_and_leave_nothing() {
    require!(needs());
    require!(kernel::needs());
    // Where a kernel is emulated, a round takes a second.
    random_kills(rounds(if need::virtual_machine().is_ok() { 20 } else { 100 }));
}

#[test]
#[ignore = "long"]
fn daemons_killed_at_random_moments_thousands_of_times() {
    require!(needs());
    require!(kernel::needs());
    random_kills(rounds(3000));
}

/// A start or a stop is under way, fleetd, netd or both are killed, and come back: the unit gets
/// where it was asked to be, one that was not touched runs on, and nothing is left over.
fn random_kills(rounds: u32) {
    let mut host = Host::new();
    let seed = seed();
    println!("seed {seed} (FLOTILLA_SEED={seed} repeats it)");
    let mut random = Random(seed);
    let (files, mounts) = (kernel::files(&host), kernel::mounts());
    let client = host.client();
    client.launch("steady.container", &HELLO.replace("8080:8080", "8081:8080")).unwrap();
    let steady = client.wait_active("steady.container").state.pid;
    client.launch("hello.container", HELLO).unwrap();
    client.wait_active("hello.container");
    let mut launched = true;
    for round in 0..rounds {
        launched = !launched;
        let desired = if launched { DesiredState::Launched } else { DesiredState::Loaded };
        host.client().desire("hello.container", desired).unwrap();
        // A start takes from 5 ms to some 100, by the machine: some faults fall into it anywhere.
        let longest = [5_000, 20_000, 80_000][random.below(3) as usize];
        pause(Duration::from_micros(random.below(longest)));
        let (fleetd, netd) = [(true, false), (false, true), (true, true)][random.below(3) as usize];
        if fleetd {
            host.kill_fleetd();
        }
        if netd {
            host.kill_netd();
            host.start_netd();
        }
        if fleetd {
            host.start_fleetd();
        }
        let client = host.client();
        let wanted = if launched { Active::Active } else { Active::Inactive };
        let unit = client.wait("hello.container", "as asked", |u| u.state.active == wanted);
        let at = format!("round {round}, fleetd {fleetd}, netd {netd}, {desired:?}");
        assert_eq!(unit.state.restarts, 0, "{at}: {:?}", unit.state);
        assert_eq!(client.wait_active("steady.container").state.pid, steady, "{at}");
        host.eventually(&format!("ports are as asked: {at}"), |host| {
            host.fetch(8080).is_ok() == launched && host.fetch(8081).is_ok()
        });
        let expected = if launched { 2 } else { 1 };
        host.eventually(&format!("nothing is left over: {at}"), |host| {
            host.traces().len() == expected * 4 && Kernel::now() == Kernel::of(expected)
        });
    }
    let client = host.client();
    client.destroy("hello.container").unwrap();
    client.destroy("steady.container").unwrap();
    host.eventually("both units have gone", |host| host.client().units().is_empty());
    host.assert_clear();
    host.eventually("the kernel has nothing of them", |_| Kernel::now() == Kernel::of(0));
    kernel::assert_files(&host, &files);
    assert_eq!(kernel::mounts(), mounts, "a mount is left, or has gone");
}

/// A moment that is not an event: the fault falls anywhere.
fn pause(time: Duration) {
    let (never, _keep) = std::os::unix::net::UnixStream::pair().unwrap();
    never.set_read_timeout(Some(time.max(Duration::from_micros(1)))).unwrap();
    let _ = std::io::Read::read(&mut &never, &mut [0]);
}
