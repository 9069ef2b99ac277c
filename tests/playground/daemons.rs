//! Daemons that are killed while containers go on.

use flotilla_tests::playground::{Ground, lives, needs};
use flotilla_tests::require;

#[test]
fn killed_daemons_leave_the_containers_and_find_them_again() {
    require!(needs());
    let ground = Ground::up(2);
    ground.start_hello("h1");
    let of = |program: &str| {
        let processes = ground.processes("h1");
        processes.iter().find(|(_, name)| name == program).map(|(pid, _)| *pid)
    };
    let (server, fleetd, netd) =
        (of("hello-server").unwrap(), of("fleetd").unwrap(), of("netd").unwrap());

    ground.play(&["kill-daemon", "h1"]);
    assert!(!lives(fleetd) && !lives(netd) && lives(server));
    assert_eq!(ground.state("h1"), "netd down, fleetd down");
    assert_eq!(ground.state("h2"), "running");
    let get = "exec 3<>/dev/tcp/10.90.0.1/8080; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3";
    let answer = ground.play(&["exec", "h2", "--", "bash", "-c", get]);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    ground.play(&["start-daemon", "h1", "netd"]);
    assert_eq!(ground.state("h1"), "fleetd down");
    ground.play(&["start-daemon", "h1"]);
    assert_eq!(ground.state("h1"), "running");
    let units = ground.ctl("h1", &["list-units", "--no-legend", "--fields=unit,active"]);
    assert_eq!(units, "hello.container  active\n");
    assert_eq!(of("hello-server"), Some(server));
}

#[test]
fn one_daemon_is_killed_alone() {
    require!(needs());
    let ground = Ground::up(1);
    ground.play(&["kill-daemon", "h1", "fleetd"]);
    assert_eq!(ground.state("h1"), "fleetd down");
    assert_eq!(ground.programs("h1").into_iter().collect::<Vec<_>>(), ["fleetctl", "netd"]);
    // Once more is no error: it is down.
    ground.play(&["kill-daemon", "h1", "fleetd"]);
    ground.play(&["start-daemon", "h1", "fleetd"]);
    ground.ctl("h1", &["version"]);
}
