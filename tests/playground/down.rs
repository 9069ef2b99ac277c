//! `down` ends everything, whatever came before.

use flotilla_tests::playground::{Ground, can_cut, eventually, lives, needs};
use flotilla_tests::{Scratch, programs, require};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

#[test]
fn down_leaves_nothing_and_may_be_said_twice() {
    require!(needs());
    require!(can_cut());
    let ground = Ground::up(3);
    ground.start_hello("h2");
    ground.play(&["cut", "h1"]);
    ground.play(&["pause", "h2"]);
    ground.play(&["kill", "h3"]);
    let members = ["switch", "h1", "h2", "h3"];
    let processes: Vec<_> = members.iter().flat_map(|host| ground.processes(host)).collect();
    ground.play(&["down"]);
    let left: Vec<_> = processes.iter().filter(|(pid, _)| lives(*pid)).collect();
    assert!(left.is_empty(), "{left:?}");
    ground.assert_gone();
    assert!(!Path::new("/var/lib/flotilla-playground").exists());
    ground.play(&["down"]);
}

#[test]
fn an_up_that_was_killed_halfway_is_cleared() {
    require!(needs());
    let ground = Ground::named("");
    let moments = [
        ground.cgroup("switch").join("daemons"),
        ground.cgroup("h1"),
        ground.cgroup("h2").join("daemons"),
        ground.run_dir().join("h2/netd.sock"),
        ground.run_dir().join("h3/fleetd.sock"),
    ];
    for moment in moments {
        let mut up = ground.command(&["up", "--separate"]);
        let mut up = up.stdout(Stdio::null()).spawn().unwrap();
        eventually(&format!("{} is there", moment.display()), || moment.exists());
        up.kill().unwrap();
        up.wait().unwrap();
        ground.play(&["down"]);
        ground.assert_gone();
    }
}

#[test]
fn what_was_forgotten_is_found_by_its_name() {
    require!(needs());
    let ground = Ground::up(2);
    let document = ground.run_dir().join("playground.json");
    std::fs::write(&document, "{").unwrap();
    let refused = ground.refused(&["kill", "h1"]);
    assert!(refused.contains("down --name") && refused.contains("EOF"), "{refused}");
    let refused = ground.refused(&["up"]);
    assert!(refused.contains("it is there (fleetctl playground down"), "{refused}");
    // As after a reboot: /run is empty, the disk is not.
    std::fs::remove_dir_all(ground.run_dir()).unwrap();
    ground.play(&["down"]);
    ground.assert_gone();
}

#[test]
fn a_daemon_that_does_not_start_is_told_and_nothing_is_left() {
    require!(needs());
    let ground = Ground::named("");
    let scratch = Scratch::new();
    for program in ["netd", "ocirun"] {
        symlink(programs::path(program), scratch.path().join(program)).unwrap();
    }
    let folder = scratch.path().to_str().unwrap();
    let up = ["up", "--separate", "--programs", folder];
    let missing = ground.refused(&up);
    assert!(missing.contains("fleetd: no such file or directory (--programs"), "{missing}");
    let fleetd = scratch.path().join("fleetd");
    std::fs::write(&fleetd, "#!/bin/sh\necho the disk is on fire\nexit 1\n").unwrap();
    std::fs::set_permissions(&fleetd, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(
        ground.refused(&up),
        "fleetctl: start fleetd of h1: it has ended: the disk is on fire"
    );
    ground.assert_gone();
}

#[test]
fn two_playgrounds_do_not_know_of_each_other() {
    require!(needs());
    let first = Ground::up(1);
    let second = Ground::named("-h1");
    second.play(&["up", "--separate", "--hosts", "2"]);
    first.play(&["down"]);
    first.assert_gone();
    assert_eq!(second.state("h1"), "running");
    second.ctl("h2", &["version"]);
}
