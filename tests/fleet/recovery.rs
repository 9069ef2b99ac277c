//! Fleets that have lost most of their voters, or all, and what brings them back.

use crate::{INSTANCES, LONELY, WEB, servers};
use flotilla_tests::playground::{Ground, eventually, lives, needs, said};
use flotilla_tests::{Scratch, require};
use std::os::unix::fs::PermissionsExt;

fn voters(ground: &Ground, ask: &str) -> Vec<String> {
    let rows = ground.machines(ask).into_iter();
    let voters = rows.filter(|row| row["role"] != "host" && row["status"] == "alive");
    voters.filter_map(|row| ground.host_of(row["id"].as_str()?)).collect()
}

fn generation(ground: &Ground, host: &str) -> u64 {
    let output = ground.try_ctl(host, &["--json", "fleet"]);
    let fleet: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    fleet["generation"].as_u64().unwrap_or(0)
}

fn all_servers(ground: &Ground, hosts: &[String]) -> usize {
    hosts.iter().map(|host| servers(ground, host)).sum()
}

#[test]
fn what_is_left_of_a_fleet_goes_on_and_the_lost_voters_follow_when_they_are_back() {
    require!(needs());
    let ground = Ground::fleet(5);
    let hosts: Vec<String> = (1..=5).map(|number| format!("h{number}")).collect();
    let refused = ground.try_ctl("h1", &["recover", "--yes"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("leads it, nothing is lost"));
    said(&["start"], &ground.start("h1", "web@.container", WEB));
    let voters_then = voters(&ground, "h1");
    let (left, lost) = voters_then.split_first().unwrap();
    let bystander = hosts.iter().find(|host| !voters_then.contains(host)).unwrap();
    let before: Vec<_> = INSTANCES.iter().map(|unit| ground.running("h1", unit).unwrap()).collect();
    for host in lost {
        ground.play(&["kill", host]);
    }
    let asks = |host: &str, flags: &[&str]| {
        let output = ground.try_ctl(host, &[&["recover"], flags].concat());
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
            output.stdout,
        )
    };
    // It knows of no leader as soon as the others are known to be dead.
    eventually("the fleet is known to be lost", || !asks(left, &[]).1.contains("nothing is lost"));
    let (done, error, page) = asks(left, &[]);
    assert!(!done && error.contains("nothing was changed"), "{error}");
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("2 of 3 do not answer") && page.contains("lost if"), "{page}");
    assert_eq!(generation(&ground, left), 0);
    let (done, error, _) = asks(bystander, &["--yes"]);
    assert!(!done && error.contains("has no database"), "{error}");
    ground.ctl(left, &["recover", "--yes"]);
    assert!(generation(&ground, left) > 0);
    said(&["start"], &ground.start(bystander, "later.container", LONELY));
    eventually("there are three voters again", || voters(&ground, left).len() == 3);
    for (unit, (host, pid)) in INSTANCES.iter().zip(before) {
        if lost.contains(&host) {
            eventually("it runs on a host that lives", || ground.running(left, unit).is_some());
        } else {
            assert!(lives(pid), "{unit} was not touched");
        }
    }
    for host in lost {
        ground.play(&["start", host]);
        let earlier = ground.state_dir().join(host).join("fleetd.redb.earlier");
        eventually("it keeps what it had decided", || earlier.exists());
        eventually("it follows", || {
            generation(&ground, host) == generation(&ground, left)
                && ground.machines(host).iter().filter(|row| row["status"] == "alive").count() > 3
        });
    }
    eventually("all units run once", || all_servers(&ground, &hosts) == 4);
}

/// Of the units in `list-unit-files`, with what is wanted of them.
fn files(ground: &Ground, host: &str) -> Vec<(String, String)> {
    let text = ground.ctl(host, &["--json", "list-unit-files"]);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let pair = |row: &serde_json::Value| {
        (row["name"].as_str().unwrap().to_owned(), row["desired"].as_str().unwrap().to_owned())
    };
    rows.iter().map(pair).collect()
}

#[test]
fn a_backup_brings_units_back_and_leaves_alone_what_is_the_same() {
    require!(needs());
    let ground = Ground::fleet(3);
    said(&["start"], &ground.start("h1", "same.container", LONELY));
    said(&["start"], &ground.start("h1", "gone.container", LONELY));
    let scratch = Scratch::new();
    let file = scratch.path().join("fleet.backup");
    let path = file.to_str().unwrap();
    ground.ctl("h2", &["backup", path]);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let (then, same) = (files(&ground, "h1"), ground.running("h1", "same.container"));
    ground.ctl("h1", &["destroy", "gone.container"]);
    said(&["start"], &ground.start("h1", "new.container", LONELY));
    let plan = ground.ctl("h3", &["restore", "--plan", path]);
    assert!(plan.contains("add gone.container"), "{plan}");
    assert!(plan.contains("destroy new.container"), "{plan}");
    assert!(!plan.contains("same.container"), "{plan}");
    assert_ne!(files(&ground, "h1"), then, "a plan changes nothing");
    let damaged = scratch.path().join("damaged.backup");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&damaged, text.replace("same.container", "sane.container")).unwrap();
    let refused = ground.try_ctl("h3", &["restore", "--yes", damaged.to_str().unwrap()]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && error.contains("damaged"), "{error}");
    ground.ctl("h3", &["restore", "--yes", path]);
    eventually("it is as it was", || files(&ground, "h1") == then);
    eventually("what was destroyed runs", || ground.running("h1", "gone.container").is_some());
    assert_eq!(ground.running("h1", "same.container"), same);
}

#[test]
fn a_fleet_without_voters_comes_back_from_a_backup_on_a_new_host() {
    require!(needs());
    let ground = Ground::fleet(4);
    let lost = voters(&ground, "h1");
    let left = (1..=4).map(|number| format!("h{number}")).find(|host| !lost.contains(host));
    let left = left.unwrap();
    // It is to be on the host that stays.
    let own = ground.machine_of(&left);
    ground.ctl("h1", &["set-metadata", &own, "stays=1"]);
    let text = format!("{LONELY}[X-Fleet]\nMachineMetadata=stays=1\n");
    said(&["start"], &ground.start("h1", "stays.container", &text));
    let before = ground.running(&left, "stays.container").unwrap();
    let scratch = Scratch::new();
    let file = scratch.path().join("fleet.backup");
    let path = file.to_str().unwrap();
    ground.ctl("h1", &["backup", path]);
    for host in &lost {
        ground.play(&["kill", host]);
        ground.play(&["wipe", host]);
    }
    let new = lost.first().unwrap();
    ground.play(&["start", new]);
    let at = format!("10.90.0.{}", &new[1..]);
    let refused = ground.try_ctl(new, &["restore", "--yes", path]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && error.contains("--advertise"), "{error}");
    ground.ctl(new, &["restore", "--yes", "--advertise", &at, path]);
    eventually("the host that is left follows", || {
        generation(&ground, &left) > 0 && generation(&ground, &left) == generation(&ground, new)
    });
    assert!(lives(before.1), "its container was not touched");
    eventually("its unit is known", || {
        ground.running(new, "stays.container").is_some_and(|(_, pid)| pid == before.1)
    });
    ground.ctl(&left, &["stop", "stays.container"]);
    eventually("it obeys", || !lives(before.1));
}
