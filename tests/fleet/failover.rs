//! What becomes of units whose host dies, is cut off, hangs, or loses its daemons.

use crate::{HOSTS, INSTANCES, LONELY, WEB, other, servers};
use flotilla_tests::playground::{Ground, can_cut, eventually, lives, needs, said};
use flotilla_tests::require;

#[test]
fn units_of_a_dead_host_run_elsewhere_also_if_it_led() {
    require!(needs());
    let ground = Ground::fleet(3);
    said(&["start"], &ground.start("h1", "web@.container", WEB));
    let leader = ground.leader("h1").unwrap();
    let ask = other(&leader);
    // What is acknowledged just before is known to the others.
    said(&["submit"], &ground.start(&leader, "late.container", LONELY));
    let begun = beginnings(&ground, &leader);
    assert!(begun > 0, "its logs tell of each start");
    ground.play(&["kill", &leader]);
    let elsewhere = |unit: &str| ground.running(ask, unit).is_some_and(|(host, _)| host != leader);
    for unit in INSTANCES.into_iter().chain(["late.container"]) {
        eventually("every unit runs on a host that lives", || elsewhere(unit));
    }
    ground.play(&["start", &leader]);
    eventually("it is back and follows", || {
        let rows = ground.machines(&leader);
        rows.len() == 3 && rows.iter().all(|row| row["status"] == "alive")
    });
    for unit in INSTANCES {
        assert!(elsewhere(unit), "{unit} stays where it is");
    }
    assert_eq!(servers(&ground, &leader), 0);
    assert_eq!(beginnings(&ground, &leader), begun, "what runs elsewhere it has not begun again");
}

/// How often a server has begun on a host, by what it has written to its log.
fn beginnings(ground: &Ground, host: &str) -> usize {
    said_in(&ground.state_dir().join(host).join("logs"), "listening on")
}

fn said_in(path: &std::path::Path, words: &str) -> usize {
    if !path.is_dir() {
        return std::fs::read_to_string(path).unwrap().matches(words).count();
    }
    std::fs::read_dir(path).unwrap().map(|entry| said_in(&entry.unwrap().path(), words)).sum()
}

#[test]
fn a_host_that_is_cut_off_keeps_its_units_and_the_older_copies_end_when_it_is_back() {
    require!(needs());
    require!(can_cut());
    let ground = Ground::fleet(3);
    said(&["start"], &ground.start("h1", "web@.container", WEB));
    let leader = ground.leader("h1").unwrap();
    let cut = other(&leader);
    let rest = HOSTS.into_iter().find(|host| *host != leader && *host != cut).unwrap();
    let unit = INSTANCES
        .into_iter()
        .find(|unit| ground.running(rest, unit).is_some_and(|(host, _)| host == cut))
        .unwrap();
    let (_, pid) = ground.running(rest, unit).unwrap();
    ground.play(&["cut", cut]);
    eventually("its unit runs elsewhere", || {
        ground.running(rest, unit).is_some_and(|(host, _)| host != cut)
    });
    assert!(lives(pid), "nobody has told it to stop");
    let all = || HOSTS.map(|host| servers(&ground, host)).iter().sum::<usize>();
    assert_eq!(all(), 4);
    let newer = ground.running(rest, unit).unwrap();
    ground.play(&["heal"]);
    eventually("the older copy ends", || !lives(pid));
    eventually("there are three again", || all() == 3);
    assert_eq!(ground.running(cut, unit), Some(newer), "the newer one goes on");
}

#[test]
fn a_leader_that_hangs_holds_up_nobody() {
    require!(needs());
    let ground = Ground::fleet(3);
    let leader = ground.leader("h1").unwrap();
    let ask = other(&leader);
    ground.play(&["pause", &leader]);
    // It was asked by somebody who did not know yet, or it is decided by another one already.
    let mut output = ground.start(ask, "a.container", LONELY);
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains("may have been decided"), "{error}");
        output = ground.start(ask, "a.container", LONELY);
    }
    said(&["start"], &output);
    assert!(ground.running(ask, "a.container").is_some_and(|(host, _)| host != leader));
    ground.play(&["resume", &leader]);
    eventually("it follows whoever leads now", || {
        ground.running(&leader, "a.container") == ground.running(ask, "a.container")
            && ground.leader(&leader).is_some_and(|now| now != leader)
    });
}

#[test]
fn a_fleet_whose_daemons_were_all_killed_goes_on_where_it_was() {
    require!(needs());
    let ground = Ground::fleet(3);
    said(&["start"], &ground.start("h1", "web@.container", WEB));
    let before = INSTANCES.map(|unit| ground.running("h1", unit).unwrap());
    for host in HOSTS {
        ground.play(&["kill-daemon", host]);
    }
    assert!(before.iter().all(|(_, pid)| lives(*pid)));
    for host in HOSTS {
        ground.play(&["start-daemon", host]);
    }
    eventually("somebody leads", || ground.leader("h2").is_some());
    said(&["start"], &ground.start("h3", "last.container", LONELY));
    for (unit, before) in INSTANCES.into_iter().zip(before) {
        eventually("it is known again", || ground.running("h2", unit).is_some());
        assert_eq!(ground.running("h2", unit), Some(before), "{unit} was not touched");
    }
}
