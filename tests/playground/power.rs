//! Power cuts, boots and new disks.

use crate::wire::End;
use flotilla_tests::playground::{Ground, lives, needs};
use flotilla_tests::require;

fn boot_id(ground: &Ground, host: &str) -> String {
    ground.play(&["exec", host, "--", "cat", "/proc/sys/kernel/random/boot_id"])
}

#[test]
fn a_power_cut_ends_every_process_and_a_boot_finds_the_disk() {
    require!(needs());
    let ground = Ground::up(2);
    ground.start_hello("h1");
    let (machine, boot) = (ground.machine("h1"), boot_id(&ground, "h1"));
    assert_eq!(boot, boot_id(&ground, "h1"));
    let processes = ground.processes("h1");
    for program in ["fleetctl", "fleetd", "netd", "ocirun", "hello-server"] {
        assert!(processes.iter().any(|(_, name)| name == program), "{program}: {processes:?}");
    }

    ground.play(&["kill", "h1"]);
    let left: Vec<_> = processes.iter().filter(|(pid, _)| lives(*pid)).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!ground.cgroup("h1").exists());
    assert_eq!(ground.state("h1"), "killed");
    assert!(!ground.try_ctl("h1", &["version"]).status.success());
    assert_eq!(ground.command(&["exec", "h1", "--", "true"]).status().unwrap().code(), Some(125));
    assert_eq!(ground.state("h2"), "running");

    ground.play(&["start", "h1"]);
    assert_eq!(ground.machine("h1"), machine);
    assert_eq!(ground.state("h1"), "running");
    let kernel = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let new = boot_id(&ground, "h1");
    assert!(new != boot && new != kernel && new.len() == kernel.len(), "{new:?}");
    // What was wanted is on the disk, and is so again.
    ground.ctl("h1", &["start", "hello.container"]);
    assert!(ground.programs("h1").contains("hello-server"));
}

#[test]
fn hosts_that_are_killed_together_boot_together() {
    require!(needs());
    let ground = Ground::up(3);
    let machines = ["h1", "h2", "h3"].map(|host| ground.machine(host));
    ground.play(&["kill", "h1", "h2", "h3"]);
    ground.play(&["start", "h3", "h1", "h2"]);
    assert_eq!(["h1", "h2", "h3"].map(|host| ground.machine(host)), machines);
    End::on(&ground, "h1").reaches(&End::on(&ground, "h3"), "after");
}

#[test]
fn a_boot_begins_with_an_empty_run_directory() {
    require!(needs());
    let ground = Ground::up(1);
    let (in_run, on_disk) = (ground.run_dir().join("h1/mark"), ground.state_dir().join("h1/mark"));
    std::fs::write(&in_run, "").unwrap();
    std::fs::write(&on_disk, "").unwrap();
    ground.play(&["kill", "h1"]);
    ground.play(&["start", "h1"]);
    assert!(!in_run.exists() && on_disk.exists());
}

#[test]
fn a_replaced_disk_has_forgotten_everything() {
    require!(needs());
    let ground = Ground::up(2);
    let machine = ground.machine("h1");
    assert_eq!(
        ground.refused(&["wipe", "h1"]),
        format!(
            "fleetctl: wipe h1: it runs (fleetctl playground kill h1 --name t{})",
            std::process::id()
        )
    );
    ground.play(&["kill", "h1"]);
    ground.play(&["wipe", "h1"]);
    assert_eq!(std::fs::read_dir(ground.state_dir().join("h1")).unwrap().count(), 0);
    ground.play(&["start", "h1"]);
    assert_ne!(ground.machine("h1"), machine);
}

#[test]
fn a_host_that_runs_is_not_started_again() {
    require!(needs());
    let ground = Ground::up(1);
    let pid = ground.pid("h1");
    let refused = ground.refused(&["start", "h1"]);
    assert!(refused.starts_with("fleetctl: start h1: it runs"), "{refused}");
    assert_eq!(ground.pid("h1"), pid);
}
