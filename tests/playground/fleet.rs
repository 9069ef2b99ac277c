//! One fleet of the hosts.

use flotilla_tests::playground::{Ground, eventually, needs};
use flotilla_tests::require;
use serde_json::Value;

/// Id and address of each host that this one knows.
fn known(ground: &Ground, host: &str) -> Vec<(String, String)> {
    let output = ground.try_ctl(host, &["--json", "list-machines"]);
    let machines: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let word = |machine: &Value, field: &str| machine[field].as_str().unwrap_or("").to_owned();
    let mut all: Vec<_> =
        machines.iter().map(|machine| (word(machine, "id"), word(machine, "ip"))).collect();
    all.sort_by(|a, b| a.1.cmp(&b.1));
    all
}

#[test]
fn the_hosts_become_one_fleet_and_are_it_again_after_a_power_cut() {
    require!(needs());
    let ground = Ground::named("");
    ground.play(&["up"]);
    let addresses = ["10.90.0.1", "10.90.0.2", "10.90.0.3"];
    let complete = |host: &str| known(&ground, host).iter().map(|m| m.1.as_str()).eq(addresses);
    for host in ["h1", "h2", "h3"] {
        eventually("every host knows all three", || complete(host));
    }
    let before = known(&ground, "h1");
    ground.play(&["kill", "h1", "h2", "h3"]);
    ground.play(&["start", "h1", "h2", "h3"]);
    eventually("the fleet is back", || known(&ground, "h3") == before);
}
