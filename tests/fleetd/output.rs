//! Logs and exec.

use crate::client::next_frame;
use crate::host::{Host, needs, on_host};
use fleetd_api::frame::Channel;
use flotilla_tests::{need, require};

#[test]
fn a_log_has_every_line_and_its_last_ones() {
    require!(needs());
    require!(need::program("busybox"));
    let host = Host::new();
    let client = host.client();
    let text = "[Container]\nImage=hello\nNetwork=none\n\
                Exec=/bin/busybox sh -c \"for i in 1 2 3 4 5; do echo line $$i; done; echo error >&2; sleep 1000\"\n\
                [Service]\nTimeoutStopSec=1s\n";
    client.launch("talks.container", text).unwrap();
    client.wait_log("talks.container", "error");
    let lines = client.log("talks.container");
    assert_eq!(lines.iter().filter(|line| line.starts_with("line ")).count(), 5, "{lines:?}");
    let last = client.ask("GET", "/v1/units/talks.container/logs?lines=2", b"").unwrap();
    assert_eq!(last.body.iter().filter(|b| **b == b'\n').count(), 2);
}

#[test]
fn a_followed_log_ends_when_its_unit_is_destroyed() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    client.launch("hello.container", &on_host("")).unwrap();
    client.wait_active("hello.container");
    client.follow_log_to_its_end("hello.container", || {
        client.destroy("hello.container").unwrap();
    });
}

#[test]
fn exec_gives_output_and_exit_code() {
    require!(needs());
    require!(need::program("busybox"));
    let host = Host::new();
    let client = host.client();
    client.launch("hello.container", &on_host("")).unwrap();
    client.wait_active("hello.container");
    let script = "echo out; echo err >&2; exit 7";
    let command = ["/bin/busybox", "sh", "-c", script];
    let (code, out, err) = client.exec("hello.container", &command);
    assert_eq!((code, out.as_str(), err.as_str()), (7, "out\n", "err\n"));
    let (code, ..) = client.exec("hello.container", &["/bin/busybox", "sh", "-c", "kill -9 $$"]);
    assert_eq!(code, 137);
}

#[test]
fn a_program_goes_with_its_client_and_so_does_what_it_started() {
    require!(needs());
    require!(need::program("busybox"));
    let host = Host::new();
    let client = host.client();
    client.launch("hello.container", &on_host("")).unwrap();
    client.wait_active("hello.container");
    let name = "hello.container";
    assert_eq!(client.exec(name, &["/bin/busybox", "mkfifo", "/dev/shm/lives"]).0, 0);
    let script = "exec 3>/dev/shm/lives; /bin/busybox sleep 778 & echo begun; wait";
    std::thread::scope(|scope| {
        // Ends when nobody has the other end open any more.
        let lives = || client.exec(name, &["/bin/busybox", "cat", "/dev/shm/lives"]);
        let lives = scope.spawn(lives);
        let mut stream = client.begin_exec(name, &["/bin/busybox", "sh", "-c", script]);
        assert_eq!(next_frame(&mut stream), (Channel::Stdout, b"begun\n".to_vec()));
        drop(stream);
        assert_eq!(lives.join().unwrap().0, 0);
    });
    client.wait_active(name);
}

#[test]
fn exec_into_a_unit_that_does_not_run_is_refused() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    let submit = fleetd_api::Submit {
        text: on_host(""),
        drop_ins: Default::default(),
        replace: false,
        desired: None,
    };
    client.submit("hello.container", &submit).unwrap();
    let path = "/v1/units/hello.container/exec?exec=%7b%22command%22%3a%5b%22x%22%5d%7d";
    let response = client.ask("POST", path, b"").unwrap();
    assert!(response.status >= 400);
}
