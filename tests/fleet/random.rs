//! Random faults of five hosts, while somebody writes: what was acknowledged is kept, and when all
//! is healed there is one leader, and every unit runs once.

use crate::{LONELY, servers};
use flotilla_tests::playground::{Ground, eventually, needs, said};
use flotilla_tests::{Random, Scratch, need, require};
use std::collections::{BTreeMap, BTreeSet};

const ALL: [&str; 5] = ["h1", "h2", "h3", "h4", "h5"];
/// Units that are to run all the time.
const RUNNING: usize = 6;
/// As many hosts are in trouble at once at most.
const TROUBLED: usize = 2;

/// How a host is hurt, and what heals it.
const FAULTS: [(&[&str], &[&str]); 5] = [
    (&["kill"], &["start"]),
    (&["pause"], &["resume"]),
    (&["cut"], &["heal"]),
    (&["cut", "--one-way"], &["heal"]),
    (&["kill-daemon"], &["start-daemon"]),
];

/// As many as `FLOTILLA_FAULTS` says.
fn rounds(usual: usize) -> usize {
    std::env::var("FLOTILLA_FAULTS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// A round takes seconds where a kernel is emulated.
fn on_a_machine() -> Result<(), String> {
    match need::virtual_machine() {
        Ok(()) => Err("needs a machine that is not emulated".to_owned()),
        Err(_) => Ok(()),
    }
}

#[test]
fn some_random_faults_lose_nothing() {
    require!(needs());
    require!(on_a_machine());
    faults(rounds(12));
}

#[test]
#[ignore = "long"]
fn two_hundred_random_faults_lose_nothing() {
    require!(needs());
    require!(on_a_machine());
    faults(rounds(200));
}

fn faults(rounds: usize) {
    let given = std::env::var("FLOTILLA_SEED").ok().and_then(|n| n.parse().ok());
    let seed = given.unwrap_or(u64::from(std::process::id())) | 1;
    println!("FLOTILLA_SEED={seed}");
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let ground = Ground::fleet(5);
    for number in 0..RUNNING {
        said(&["start"], &ground.start("h1", &format!("run{number}.container"), LONELY));
    }
    let mut acknowledged = BTreeSet::new();
    let mut troubled: BTreeMap<&str, &[&str]> = BTreeMap::new();
    let scratch = Scratch::new();
    for round in 0..rounds {
        let well: Vec<&str> = ALL.into_iter().filter(|host| !troubled.contains_key(host)).collect();
        if troubled.len() < TROUBLED && random.below(3) > 0 {
            let host = well[random.place(well.len())];
            let (hurt, heal) = FAULTS[random.place(FAULTS.len())];
            println!("{round}: {hurt:?} {host}");
            ground.play(&[&hurt[..1], &[host], &hurt[1..]].concat());
            troubled.insert(host, heal);
        } else if let Some(host) = troubled.keys().nth(random.place(troubled.len())).copied() {
            let heal = troubled.remove(host).unwrap();
            println!("{round}: {heal:?} {host}");
            ground.play(&[heal, &[host]].concat());
        }
        let well: Vec<&str> = ALL.into_iter().filter(|host| !troubled.contains_key(host)).collect();
        let by = well[random.place(well.len())];
        let name = format!("w{round}.container");
        let path = scratch.path().join(&name);
        std::fs::write(&path, LONELY).unwrap();
        let output = ground.try_ctl(by, &["submit", path.to_str().unwrap()]);
        if output.status.success() {
            acknowledged.insert(name);
        } else {
            println!("{round}: by {by}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
    }
    for (host, heal) in troubled {
        ground.play(&[heal, &[host]].concat());
    }
    check(&ground, &acknowledged);
    println!("{rounds} rounds, {} writes acknowledged", acknowledged.len());
}

fn check(ground: &Ground, acknowledged: &BTreeSet<String>) {
    for host in ALL {
        eventually("every host sees all", || {
            let machines = ground.machines(host);
            machines.len() == ALL.len() && machines.iter().all(|row| row["status"] == "alive")
        });
        let files = ground.ctl(host, &["list-unit-files", "--no-legend"]);
        let known: BTreeSet<&str> =
            files.lines().filter_map(|line| line.split_whitespace().next()).collect();
        let lost: Vec<&String> =
            acknowledged.iter().filter(|name| !known.contains(name.as_str())).collect();
        assert!(lost.is_empty(), "{host} does not know {lost:?}");
    }
    eventually("they know of one leader", || {
        let leaders: BTreeSet<_> = ALL.map(|host| ground.leader(host)).into();
        leaders.len() == 1 && !leaders.contains(&None)
    });
    eventually("every unit runs once", || {
        ALL.map(|host| servers(ground, host)).iter().sum::<usize>() == RUNNING
    });
    for number in 0..RUNNING {
        eventually("it is known to run", || {
            ground.running("h1", &format!("run{number}.container")).is_some()
        });
    }
}
