//! What stands in the way of containers and is not netd's to change.

use crate::world::{World, needs};
use flotilla_tests::require;

#[test]
fn a_foreign_forward_chain_that_drops_is_reported() {
    require!(needs());
    let world = World::new();
    assert_eq!(world.status().findings, []);
    for command in [
        "add table ip filter",
        "add chain ip filter FORWARD { type filter hook forward priority 0 ; policy drop ; }",
        "add chain ip filter INPUT { type filter hook input priority 0 ; policy drop ; }",
    ] {
        world.host.command("nft", &command.split(' ').collect::<Vec<_>>());
    }
    let findings = world.status().findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].message.contains("FORWARD"), "{findings:?}");
    assert!(findings[0].hint.as_ref().unwrap().contains("DOCKER-USER"), "{findings:?}");
    let output = world.netd(&["status"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("FORWARD"));
}

#[test]
fn ip_forward_that_somebody_turned_off_is_reported() {
    require!(needs());
    let world = World::new();
    world.host.run(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap());
    let findings = world.status().findings;
    assert!(findings.iter().any(|f| f.message.contains("ip_forward")), "{findings:?}");
}

#[test]
fn a_port_that_was_taken_while_netd_was_dead_is_reported() {
    require!(needs());
    let mut world = World::new();
    let ports = [crate::client::tcp(8080, 80)];
    let (_, _inside) = world.client().attach(crate::client::spec("web:1", &ports));
    world.kill();
    let taken = world.host.run(|| std::net::TcpListener::bind("127.0.0.1:8080").unwrap());
    world.start();
    let findings = world.status().findings;
    assert!(findings.iter().any(|f| f.message.contains("8080/tcp")), "{findings:?}");
    drop(taken);
}
