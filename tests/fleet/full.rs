//! Hosts whose disks are full.

use crate::{HOSTS, LONELY, other};
use flotilla_tests::playground::{Ground, eventually, lives, needs, said};
use flotilla_tests::{Scratch, require};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Output;

/// Takes the last byte of a disk, under a name that is not taken.
fn fill(disk: &Path) {
    let name = (0..).map(|n| disk.join(format!("filler{n}"))).find(|path| !path.exists());
    let mut file = std::fs::File::create(name.unwrap()).unwrap();
    for piece in [1 << 20, 1 << 12] {
        while file.write_all(&vec![0; piece]).is_ok() {}
    }
}

fn free(disk: &Path) {
    for entry in std::fs::read_dir(disk).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("filler") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
}

/// Hosts whose disks are full, as a host says.
fn full(ground: &Ground, ask: &str) -> BTreeSet<String> {
    let rows = ground.machines(ask).into_iter().filter(|row| row["disk_full"] == true);
    rows.filter_map(|row| ground.host_of(row["id"].as_str()?)).collect()
}

/// A unit file of 200 kB, which is not to run.
fn submit(ground: &Ground, ask: &str, name: &str) -> Output {
    let scratch = Scratch::new();
    let path = scratch.path().join(name);
    std::fs::write(&path, format!("{LONELY}{}", "# so it is\n".repeat(18_000))).unwrap();
    ground.try_ctl(ask, &["submit", path.to_str().unwrap()])
}

fn files(ground: &Ground, ask: &str) -> BTreeSet<String> {
    let text = ground.try_ctl(ask, &["list-unit-files", "--no-legend"]).stdout;
    let text = String::from_utf8(text).unwrap();
    text.lines().filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
}

fn on_small_disks(ground: &Ground) -> [PathBuf; 3] {
    HOSTS.map(|host| {
        let disk = ground.give_small_disk(host, "80m");
        eventually("it is back", || {
            HOSTS.into_iter().all(|ask| {
                let rows = ground.machines(ask);
                rows.len() == 3 && rows.iter().all(|row| row["status"] == "alive")
            })
        });
        disk
    })
}

#[test]
fn full_disks_keep_what_was_acknowledged_and_let_units_end() {
    require!(needs());
    let ground = Ground::fleet(3);
    let disks = on_small_disks(&ground);
    let disk_of = |host: &str| &disks[HOSTS.iter().position(|one| *one == host).unwrap()];
    said(&["start"], &ground.start("h1", "before.container", LONELY));
    let (_, pid) = ground.running("h1", "before.container").unwrap();
    let mut acknowledged = BTreeSet::from(["before.container".to_owned()]);

    // The leader's: it is seen, gets no new units, and another one leads.
    eventually("somebody leads", || ground.leader("h1").is_some());
    let leader = ground.leader("h1").unwrap();
    let ask = other(&leader);
    fill(disk_of(&leader));
    eventually("it is seen everywhere", || {
        HOSTS.into_iter().all(|ask| full(&ground, ask) == BTreeSet::from([leader.clone()]))
    });
    assert!(ground.ctl(ask, &["list-machines"]).contains("alive,disk-full"));
    let pinned = format!("{LONELY}[X-Fleet]\nMachineID={}\n", ground.machine_of(&leader));
    let scratch = Scratch::new();
    let path = scratch.path().join("pinned.container");
    std::fs::write(&path, pinned).unwrap();
    // The one that leads cannot write it down any more: then it is to lead no longer.
    eventually("it is taken by somebody", || {
        ground.try_ctl(ask, &["start", "--no-block", path.to_str().unwrap()]).status.success()
    });
    let why = ground.ctl(ask, &["why", "pinned.container"]);
    assert!(why.contains("the disk of the host is full"), "{why}");
    let mut number = 0;
    let mut next = || {
        number += 1;
        format!("u{number}.container")
    };
    eventually("another one leads, and decides", || {
        let leads = ground.leader(ask);
        let name = format!("first{}.container", files(&ground, ask).len());
        submit(&ground, ask, &name).status.success() && leads.is_some_and(|now| now != leader)
    });
    acknowledged.extend(files(&ground, ask).into_iter().filter(|name| name.starts_with("first")));

    // All: what is new is refused in a sentence, what ends something is decided.
    let refused = (0..500).find_map(|_| {
        disks.iter().for_each(|disk| fill(disk));
        let name = next();
        let output = submit(&ground, ask, &name);
        let error = String::from_utf8(output.stderr).unwrap();
        if output.status.success() {
            acknowledged.insert(name);
        }
        error.contains("full: only what ends or removes something is decided").then_some(error)
    });
    let refused = refused.expect("it is refused");
    assert_eq!(
        refused.lines().filter(|line| line.starts_with("fleetctl: ")).count(),
        1,
        "{refused}"
    );
    eventually("all are seen to be full", || full(&ground, ask).len() == 3);
    assert!(lives(pid), "what runs goes on");
    let daemon = ground.processes(&leader);
    let daemon = daemon.iter().filter(|(_, name)| name == "fleetd").collect::<BTreeSet<_>>();
    eventually("it is stopped", || {
        ground.try_ctl(ask, &["stop", "before.container"]).status.success()
    });
    eventually("it has ended", || !lives(pid));
    let gone = acknowledged.pop_last().unwrap();
    eventually("one is destroyed", || {
        let output = ground.try_ctl(ask, &["destroy", &gone]);
        output.status.success() || String::from_utf8_lossy(&output.stderr).contains("there is none")
    });
    let now = ground.processes(&leader);
    assert!(daemon.iter().all(|one| now.contains(one)), "fleetd has not ended: {now:?}");

    // A fleetd that starts meanwhile is there as well.
    let again = other(ask);
    ground.play(&["kill-daemon", again]);
    fill(disk_of(again));
    ground.play(&["start-daemon", again]);
    eventually("it answers", || files(&ground, again).is_superset(&acknowledged));

    disks.iter().for_each(|disk| free(disk));
    eventually("there is room again", || {
        HOSTS.into_iter().all(|ask| full(&ground, ask).is_empty())
    });
    eventually("what is new is decided", || {
        submit(&ground, ask, "last.container").status.success()
    });
    acknowledged.insert("last.container".to_owned());
    for (host, disk) in HOSTS.into_iter().zip(&disks) {
        assert!(disk.join("reserve").exists());
        eventually("it knows all that was acknowledged", || {
            let files = files(&ground, host);
            files.is_superset(&acknowledged) && !files.contains(&gone)
        });
    }
}

#[test]
fn a_fleetd_that_has_no_space_for_a_database_says_so_and_goes_on_when_there_is_some() {
    require!(needs());
    let ground = Ground::up(1);
    let disk = ground.give_small_disk("h1", "40m");
    ground.play(&["kill-daemon", "h1"]);
    for file in ["fleetd.redb", "reserve"] {
        std::fs::remove_file(disk.join(file)).unwrap();
    }
    fill(&disk);
    let fleetd = || ground.processes("h1").into_iter().find(|(_, name)| name == "fleetd");
    for _ in 0..2 {
        ground.play(&["start-daemon", "h1"]);
        let output = ground.try_ctl("h1", &["list-units"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{output:?}");
        assert!(error.contains("is full, and the reserve is used up"), "{error}");
        // It ends when it is told to.
        let (pid, _) = fleetd().unwrap();
        kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGTERM).unwrap();
        eventually("it has ended", || fleetd().is_none());
    }
    ground.play(&["start-daemon", "h1"]);
    let (pid, _) = fleetd().unwrap();
    free(&disk);
    eventually("it goes on", || ground.try_ctl("h1", &["list-units"]).status.success());
    assert_eq!(fleetd().map(|(pid, _)| pid), Some(pid), "it is the same one");
}

#[test]
fn a_host_with_a_full_disk_goes_on_alone_only_when_it_has_room() {
    require!(needs());
    let ground = Ground::fleet(3);
    let scratch = Scratch::new();
    let backup = scratch.path().join("fleet.backup");
    let backup = backup.to_str().unwrap();
    ground.ctl("h1", &["backup", backup]);
    let disk = ground.give_small_disk("h1", "80m");
    eventually("it is back", || {
        let rows = ground.machines("h1");
        rows.len() == 3 && rows.iter().all(|row| row["status"] == "alive")
    });
    ground.play(&["kill", "h2"]);
    ground.play(&["kill", "h3"]);
    let refusal = |arguments: &[&str]| {
        let output = ground.try_ctl("h1", arguments);
        (!output.status.success()).then(|| String::from_utf8(output.stderr).unwrap())
    };
    // Without --yes it only says what it would do, and asks.
    eventually("the fleet is known to be lost", || {
        refusal(&["recover"]).is_some_and(|error| error.contains("nothing was changed"))
    });
    fill(&disk);
    let full = "the disk of this host is full (make some room there";
    eventually("its disk is known to be full", || {
        refusal(&["recover"]).is_some_and(|error| error.contains(full))
    });
    let (recover, restore) = (["recover", "--yes"], ["restore", "--yes", backup]);
    for (arguments, what) in
        [(recover.as_slice(), "recover the fleet"), (&restore, "restore the backup")]
    {
        let error = refusal(arguments).unwrap();
        assert!(error.starts_with(&format!("fleetctl: {what}: {full}")), "{error}");
    }
    free(&disk);
    eventually("it goes on when there is room", || ground.try_ctl("h1", &recover).status.success());
    eventually("it decides", || submit(&ground, "h1", "new.container").status.success());
}
