//! Secrets of a fleet: who gets them, who can read them on the way, and what is left of them in faults.

use flotilla_tests::playground::{Ground, eventually, needs, said};
use flotilla_tests::{Scratch, require};
use std::path::Path;

const UNIT: &str = "db.container";
const ALL: [&str; 4] = ["h1", "h2", "h3", "h4"];

fn text(machine: &str) -> String {
    format!(
        "[Container]\nImage=hello\nExec=/bin/hello-server\nNetwork=none\n[Service]\nType=notify\n\
         Restart=always\nLoadCredential=password\n[X-Fleet]\nMachineID={machine}\n"
    )
}

fn set(ground: &Ground, host: &str, value: &str) {
    let scratch = Scratch::new();
    let file = scratch.path().join("value");
    std::fs::write(&file, value).unwrap();
    ground.ctl(host, &["secret", "set", "password", file.to_str().unwrap()]);
}

/// As the program of this process finds it.
fn read(pid: u32) -> String {
    let path = format!("/proc/{pid}/root/run/credentials/{UNIT}/password");
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Files of a host that have the bytes in them.
fn with(directory: &Path, bytes: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            found.extend(with(&path, bytes));
        } else if kind.is_file() {
            let content = std::fs::read(&path).unwrap_or_default();
            if content.windows(bytes.len()).any(|window| window == bytes.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[test]
fn a_secret_reaches_the_host_that_runs_its_unit_and_stays_there_without_a_leader() {
    require!(needs());
    let ground = Ground::fleet(4);
    let is_voter = |host: &&str| {
        let id = ground.machine_of(host);
        !ground.machines("h1").iter().any(|row| row["id"] == id.as_str() && row["role"] == "host")
    };
    let (voters, others): (Vec<&str>, Vec<&str>) = ALL.into_iter().partition(is_voter);
    let host = others[0];
    set(&ground, host, "hunter2");
    said(&["start"], &ground.start("h1", UNIT, &text(&ground.machine_of(host))));
    let (at, pid) = ground.running("h1", UNIT).unwrap();
    assert_eq!((at.as_str(), read(pid).as_str()), (host, "hunter2"));

    // In no file of a host in the clear; the base64 of it is of the API.
    for directory in [ground.state_dir(), ground.run_dir()] {
        for plain in ["hunter2", "aHVudGVyMg=="] {
            let found = with(&directory, plain);
            assert_eq!(found, [""; 0]);
        }
    }

    // A new value, given by another host, is the next run's.
    set(&ground, voters[1], "hunter3");
    assert_eq!(ground.running("h1", UNIT), Some((at.clone(), pid)));
    assert_eq!(read(pid), "hunter2");
    ground.ctl("h1", &["restart", UNIT]);
    let (_, pid) = ground.running("h1", UNIT).unwrap();
    assert_eq!(read(pid), "hunter3");

    // Nobody decides: the host starts its unit again as it was told last.
    for voter in &voters {
        ground.play(&["kill-daemon", voter]);
    }
    ground.play(&["kill-daemon", host]);
    ground.play(&["start-daemon", host]);
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid.try_into().unwrap()),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    eventually("it runs again with its secret", || {
        let programs = ground.processes(host);
        programs
            .iter()
            .any(|(id, name)| name == "hello-server" && *id != pid && read(*id) == "hunter3")
    });
}

#[test]
fn a_backup_brings_secrets_back_and_a_lost_leader_takes_none_with_it() {
    require!(needs());
    let ground = Ground::fleet(3);
    set(&ground, "h2", "one");
    let scratch = Scratch::new();
    let backup = scratch.path().join("fleet.backup");
    let backup = backup.to_str().unwrap();
    ground.ctl("h1", &["backup", backup]);
    set(&ground, "h3", "two");
    let plan = ground.ctl("h1", &["restore", "--plan", backup]);
    assert!(plan.contains("set secret password"), "{plan}");
    ground.ctl("h1", &["restore", "--yes", backup]);
    let leader = ground.leader("h1").unwrap();
    ground.play(&["kill", &leader]);
    let left = ["h1", "h2", "h3"].into_iter().find(|host| *host != leader).unwrap();
    let listed = || ground.try_ctl(left, &["secret", "list", "--fields=name"]);
    eventually("another host leads", || listed().status.success());
    assert_eq!(String::from_utf8_lossy(&listed().stdout), "NAME\npassword\n");
    let machine = ground.machine_of(left);
    said(&["start"], &ground.start(left, UNIT, &text(&machine)));
    let (_, pid) = ground.running(left, UNIT).unwrap();
    assert_eq!(read(pid), "one");
}
