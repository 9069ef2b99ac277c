//! Limits, where the host enforces them and where it does not.

use crate::host::{Host, needs, on_host};
use flotilla_tests::{need, require};

const LIMITED: &str = "[Service]\nMemoryMax=64M\nTasksMax=40\nCPUQuota=50%\n";

#[test]
fn a_limit_that_the_host_cannot_enforce_is_refused_with_the_controller() {
    require!(needs());
    if need::controller("memory").is_ok() {
        require!(Err::<(), _>(
            "needs a host without the memory controller on cgroup v2".to_owned()
        ));
    }
    let mut host = Host::without_daemons();
    host.options.clear();
    host.start_fleetd();
    let client = host.client();
    client.launch("x.container", &on_host(LIMITED)).unwrap();
    let message = client.wait_failed("x.container").state.message.unwrap();
    assert!(message.contains("MemoryMax") && message.contains("memory controller"), "{message}");
    assert!(message.contains("--allow-unenforced-limits"), "{message}");
    host.assert_clear();
    let machines: Vec<fleetd_api::Machine> = client.get("/v1/machines");
    assert!(machines[0].lacks.iter().any(|lack| lack.contains("memory")));
}

#[test]
fn a_limit_that_is_allowed_to_be_missing_is_told() {
    require!(needs());
    if need::controller("memory").is_ok() {
        require!(Err::<(), _>(
            "needs a host without the memory controller on cgroup v2".to_owned()
        ));
    }
    let host = Host::new();
    let client = host.client();
    client.launch("x.container", &on_host(LIMITED)).unwrap();
    let unit = client.wait_active("x.container");
    assert_eq!(unit.state.unenforced.len(), 3, "{:?}", unit.state.unenforced);
}

#[test]
fn limits_are_in_the_payload_s_cgroup() {
    require!(needs());
    require!(need::controller("memory"));
    require!(need::controller("pids"));
    require!(need::controller("cpu"));
    let mut host = Host::without_daemons();
    host.options.clear();
    host.start_fleetd();
    let client = host.client();
    client.launch("x.container", &on_host(LIMITED)).unwrap();
    let unit = client.wait_active("x.container");
    assert!(unit.state.unenforced.is_empty());
    let run = Host::names(&host.run_dir().join("runs")).pop_first().unwrap();
    let payload = host.cgroup().join(run).join("payload");
    let read = |file: &str| std::fs::read_to_string(payload.join(file)).unwrap().trim().to_owned();
    assert_eq!(read("memory.max"), "67108864");
    assert_eq!(read("pids.max"), "40");
    assert_eq!(read("cpu.max"), "50000 100000");
}
