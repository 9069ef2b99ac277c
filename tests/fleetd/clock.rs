//! A clock that is set, where it can be set: in the virtual machine.

use crate::host::{Host, needs, on_host};
use fleetd_api::Active;
use flotilla_tests::{need, require};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime, clock_settime};

/// Sets the machine's clock by so many seconds; back again when it is dropped.
struct Set(i64);

impl Set {
    fn by(seconds: i64) -> Self {
        let now = clock_gettime(ClockId::CLOCK_REALTIME).unwrap();
        let then = TimeSpec::new(now.tv_sec() + seconds, now.tv_nsec());
        clock_settime(ClockId::CLOCK_REALTIME, then).unwrap();
        Self(seconds)
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        let now = clock_gettime(ClockId::CLOCK_REALTIME).unwrap();
        let then = TimeSpec::new(now.tv_sec() - self.0, now.tv_nsec());
        clock_settime(ClockId::CLOCK_REALTIME, then).unwrap();
    }
}

/// Says that it is ready when it is told to.
const WAITS: &str = "[Container]\nImage=hello\nNetwork=host\nExec=/bin/busybox sh -c \"\
    mkfifo /dev/shm/go && echo waits && read go < /dev/shm/go; exec /bin/hello-server\"\n\
    [Service]\nType=notify\n";

#[test]
fn a_clock_that_is_set_by_an_hour_ends_nothing_and_makes_nothing_late() {
    require!(needs());
    require!(need::virtual_machine());
    require!(need::program("busybox"));
    for seconds in [3_600, -3_600] {
        let mut host = Host::new();
        host.client().launch("steady.container", &on_host("Environment=PORT=8081\n")).unwrap();
        let steady = host.client().wait_active("steady.container").state.pid;
        host.client().launch("hello.container", WAITS).unwrap();
        host.client().wait_log("hello.container", "waits");
        let unit =
            host.client().wait("hello.container", "its pid", |unit| unit.state.pid.is_some());
        let pid = unit.state.pid.unwrap();
        let set = Set::by(seconds);
        // Whatever is decided makes fleetd look at all of its units; the next one finds them as well.
        host.client().launch("later.container", &on_host("Environment=PORT=8082\n")).unwrap();
        host.client().wait_active("later.container");
        host.kill_fleetd();
        host.start_fleetd();
        assert_eq!(host.client().unit("hello.container").state.active, Active::Activating);
        std::fs::write(format!("/proc/{pid}/root/dev/shm/go"), "go\n").unwrap();
        let unit = host.client().wait_active("hello.container");
        assert_eq!((unit.state.pid, unit.state.restarts), (Some(pid), 0), "{seconds}");
        assert_eq!(host.client().wait_active("steady.container").state.pid, steady, "{seconds}");
        // It is restarted after its time, not an hour later.
        let text = on_host("Environment=PORT=8083\n[Service]\nRestart=always\nRestartSec=1\n");
        host.client().launch("again.container", &text).unwrap();
        let first = host.client().wait_active("again.container").state.pid;
        drop(set);
        let pid = nix::unistd::Pid::from_raw(first.unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        host.client().wait("again.container", "restarted", |unit| {
            unit.state.active == Active::Active && unit.state.pid != first
        });
        for unit in ["steady", "hello", "later", "again"] {
            host.client().destroy(&format!("{unit}.container")).unwrap();
        }
        host.eventually("all have gone", |host| host.client().units().is_empty());
        host.assert_clear();
    }
}
