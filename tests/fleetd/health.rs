//! Health checks.

use crate::host::{Host, needs, on_host};
use fleetd_api::Health;
use flotilla_tests::{need, require};

#[test]
fn a_server_that_answers_is_healthy() {
    require!(needs());
    let host = Host::new();
    let client = host.client();
    let more = "HealthCmd=[\"/bin/hello-server\", \"--probe\"]\nHealthInterval=1s\n";
    client.launch("hello.container", &on_host(more)).unwrap();
    let healthy = |unit: &fleetd_api::Unit| unit.state.health == Some(Health::Healthy);
    client.wait("hello.container", "healthy", healthy);
    assert!(
        client.log("hello.container").iter().any(|line| line.contains("/healthz 200")) || {
            client.wait_log("hello.container", "/healthz");
            true
        }
    );
}

#[test]
fn a_check_that_fails_or_hangs_makes_the_unit_unhealthy_and_not_stopped() {
    require!(needs());
    require!(need::program("busybox"));
    let host = Host::new();
    let client = host.client();
    let check = |command: &str| {
        format!("HealthCmd={command}\nHealthInterval=100ms\nHealthRetries=2\nHealthTimeout=500ms\n")
    };
    let fails = on_host(&check("[\"/bin/busybox\", \"false\"]"));
    let hangs =
        on_host(&(check("[\"/bin/busybox\", \"sleep\", \"777\"]") + "Environment=PORT=8081\n"));
    client.launch("fails.container", &fails).unwrap();
    client.launch("hangs.container", &hangs).unwrap();
    for name in ["fails.container", "hangs.container"] {
        let unhealthy = |unit: &fleetd_api::Unit| unit.state.health == Some(Health::Unhealthy);
        let unit = client.wait(name, "unhealthy", unhealthy);
        assert_eq!(unit.state.active, fleetd_api::Active::Active);
    }
    // Checks that took too long are killed, not collected.
    let (_, processes, _) = client.exec("hangs.container", &["/bin/busybox", "ps"]);
    let hanging = processes.lines().filter(|line| line.contains("sleep 777")).count();
    assert!(hanging <= 1, "{processes}");
}
