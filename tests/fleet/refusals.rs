//! What a fleet refuses, and says why: files that are no units, units that no host can take, files of
//! its own that are damaged, sets that nobody has signed, and writes without most of the voters.

use crate::{LONELY, servers};
use flotilla_tests::playground::{Ground, eventually, lives, needs, said};
use flotilla_tests::{Scratch, require};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The one line of a command that is refused.
fn refused(ground: &Ground, host: &str, arguments: &[&str]) -> String {
    let output = ground.try_ctl(host, arguments);
    assert!(!output.status.success(), "{arguments:?} succeeded");
    let error = String::from_utf8(output.stderr).unwrap();
    let faults: Vec<&str> = error.lines().filter(|line| line.starts_with("fleetctl: ")).collect();
    assert_eq!(faults.len(), 1, "{error}");
    faults[0].to_owned()
}

fn file(scratch: &Scratch, name: &str, text: &str) -> String {
    let path = scratch.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A host that runs units only, and the voters.
fn hosts(ground: &Ground) -> (String, Vec<String>) {
    let rows = ground.machines("h1");
    let of = |voters: bool| {
        let rows = rows.iter().filter(move |row| (row["role"] != "host") == voters);
        rows.filter_map(|row| ground.host_of(row["id"].as_str()?)).collect::<Vec<_>>()
    };
    (of(false).remove(0), of(true))
}

#[test]
fn what_cannot_be_is_refused_in_a_sentence_by_every_host() {
    require!(needs());
    let (ground, scratch) = (Ground::fleet(3), Scratch::new());
    said(&["start"], &ground.start("h1", "there.container", LONELY));
    let long = format!("{LONELY}{}", "# x\n".repeat(2_500_000));
    let long = file(&scratch, "long.container", &long);
    let nowhere = format!("{LONELY}[X-Fleet]\nMachineMetadata=disk=golden\n");
    let nowhere = file(&scratch, "nowhere.container", &nowhere);
    for host in ["h1", "h2", "h3"] {
        let error = refused(&ground, host, &["submit", &long]);
        assert!(error.contains("262144"), "{error}");
        // It waits for a place.
        ground.ctl(host, &["start", "--no-block", &nowhere]);
        let why = ground.ctl(host, &["why", "nowhere.container"]);
        assert!(why.contains("disk is not golden") && why.contains("set-metadata"), "{why}");
        let units = ground.ctl(host, &["list-unit-files", "--no-legend"]);
        assert!(!units.contains("long.container") && units.contains("there.container"), "{units}");
    }
    // It has its place as soon as there is one for it.
    let machine = ground.machine_of("h2");
    ground.ctl("h1", &["set-metadata", &machine, "disk=golden"]);
    eventually("it runs there", || {
        ground.running("h3", "nowhere.container").is_some_and(|(host, _)| host == "h2")
    });
}

/// Puts a text in the place of a file of the host while its fleetd is dead, and what was there in its own
/// place when it is dropped.
struct Changed {
    path: PathBuf,
    was: Vec<u8>,
}

impl Changed {
    fn new(path: &Path, change: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        let was = std::fs::read(path).unwrap();
        std::fs::write(path, change(&was)).unwrap();
        Self { path: path.to_owned(), was }
    }

    fn undo(self) {
        std::fs::write(self.path, self.was).unwrap();
    }
}

fn garbage(was: &[u8]) -> Vec<u8> {
    vec![0x5a; was.len()]
}

#[test]
fn damaged_files_of_a_host_are_named_and_cost_nothing() {
    require!(needs());
    let ground = Ground::fleet(4);
    let (host, voters) = hosts(&ground);
    let pinned = format!("{LONELY}[X-Fleet]\nMachineID={}\n", ground.machine_of(&host));
    said(&["start"], &ground.start("h1", "a.container", &pinned));
    let (_, pid) = ground.running("h1", "a.container").unwrap();
    let state = ground.state_dir().join(&host);
    // Its set comes again from the voters.
    ground.play(&["kill-daemon", &host]);
    let _broken = Changed::new(&state.join("assignments.json"), garbage);
    ground.play(&["start-daemon", &host]);
    let log = || std::fs::read_to_string(state.join("fleetd.log")).unwrap();
    assert!(log().contains("assignments.json"), "{}", log());
    eventually("it is known again", || {
        ground.running("h1", "a.container") == Some((host.clone(), pid))
    });
    ground.ctl("h1", &["stop", "a.container"]);
    eventually("it obeys", || !lives(pid));
    // Without who it is, or what it has decided, a host does not begin; nothing is overwritten.
    let voter = voters.iter().find(|voter| ground.leader("h1").as_ref() != Some(voter)).unwrap();
    let files = [(&host, "identity.json", "backup"), (voter, "fleetd.redb", "remove-machine")];
    for (host, name, remedy) in files {
        let path = ground.state_dir().join(host).join(name);
        ground.play(&["kill-daemon", host]);
        let broken = Changed::new(&path, garbage);
        let error = ground.refused(&["start-daemon", host]);
        assert!(error.contains(name) && error.contains(remedy), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), garbage(&broken.was));
        broken.undo();
        ground.play(&["start-daemon", host]);
    }
    // Nor one that does not know how it has voted.
    let (path, aside) = (ground.state_dir().join(voter).join("fleetd.redb"), "fleetd.redb.aside");
    let machine = ground.machine_of(voter);
    ground.play(&["kill-daemon", voter]);
    std::fs::rename(&path, path.with_file_name(aside)).unwrap();
    let error = ground.refused(&["start-daemon", voter]);
    assert!(error.contains("how this host has voted"), "{error}");
    assert!(error.contains(&format!("remove-machine {machine}")), "{error}");
    assert!(!path.exists());
    std::fs::rename(path.with_file_name(aside), &path).unwrap();
    ground.play(&["start-daemon", voter]);
    eventually("all are there again", || {
        ground.machines("h1").iter().filter(|row| row["status"] == "alive").count() == 4
    });
    said(&["start"], &ground.start(voter, "b.container", LONELY));
}

#[test]
fn a_set_that_is_not_signed_by_the_fleet_is_refused_and_what_runs_goes_on() {
    require!(needs());
    let ground = Ground::fleet(4);
    let (host, _) = hosts(&ground);
    let pinned = format!("{LONELY}[X-Fleet]\nMachineID={}\n", ground.machine_of(&host));
    said(&["start"], &ground.start("h1", "a.container", &pinned));
    let (_, pid) = ground.running("h1", "a.container").unwrap();
    let state = ground.state_dir().join(&host);
    // For it the voters have another key than that of the fleet it knows.
    let other_key = |was: &[u8]| {
        let mut document: Value = serde_json::from_slice(was).unwrap();
        let signer = document["view"]["signer"].as_str().map(str::to_owned);
        if let Some(signer) = signer {
            let other = if signer.starts_with('a') { "b" } else { "a" };
            document["view"]["signer"] = format!("{other}{}", &signer[1..]).into();
        }
        serde_json::to_vec(&document).unwrap()
    };
    ground.play(&["kill-daemon", &host]);
    let changed = ["identity.json", "assignments.json"]
        .map(|name| Changed::new(&state.join(name), other_key));
    ground.try_ctl("h1", &["stop", "--no-block", "a.container"]);
    ground.play(&["start-daemon", &host]);
    let log = || std::fs::read_to_string(state.join("fleetd.log")).unwrap();
    eventually("it says why", || log().contains("its signature is not of the fleet's key"));
    assert!(lives(pid), "what runs goes on");
    ground.play(&["kill-daemon", &host]);
    changed.into_iter().for_each(Changed::undo);
    ground.play(&["start-daemon", &host]);
    eventually("it obeys the fleet's own", || !lives(pid));
}

#[test]
fn without_most_voters_writes_are_refused_and_reads_go_on() {
    require!(needs());
    let (ground, scratch) = (Ground::fleet(4), Scratch::new());
    let (host, voters) = hosts(&ground);
    let pinned = format!("{LONELY}[X-Fleet]\nMachineID={}\n", ground.machine_of(&host));
    said(&["start"], &ground.start("h1", "a.container", &pinned));
    let before = ground.running(&host, "a.container").unwrap();
    let (left, lost) = voters.split_first().unwrap();
    for host in lost {
        ground.play(&["kill", host]);
    }
    let new = file(&scratch, "new.container", LONELY);
    for ask in [left, &host] {
        eventually("it is known", || {
            let error = ground.try_ctl(ask, &["submit", &new]).stderr;
            let error = String::from_utf8(error).unwrap();
            error.contains("most of the voters are dead; nothing is decided until they are back")
        });
        for write in [&["stop", "a.container"][..], &["destroy", "a.container"]] {
            let error = refused(&ground, ask, write);
            assert!(error.contains("most of the voters are dead"), "{error}");
        }
        assert_eq!(ground.running(ask, "a.container").as_ref(), Some(&before), "{ask} shows it");
        let dead = ground.machines(ask).into_iter().filter(|row| row["status"] == "dead").count();
        assert_eq!(dead, 2, "{ask} shows who is dead");
    }
    assert_eq!(servers(&ground, &host), 1);
    for host in lost {
        ground.play(&["start", host]);
    }
    eventually("it is decided again", || ground.try_ctl(&host, &["submit", &new]).status.success());
    assert_eq!(ground.running(left, "a.container").as_ref(), Some(&before));
}
