//! Machines that are not who they seem to be: a copy of a host, and hosts of two fleets.

use crate::LONELY;
use flotilla_tests::playground::{Ground, eventually, lives, needs, said};
use flotilla_tests::require;
use serde_json::Value;
use std::process::Command;

/// Puts a host's data into another one that is off.
fn copy(ground: &Ground, from: &str, to: &str) {
    ground.play(&["kill-daemon", from]);
    let (source, target) = (ground.state_dir().join(from), ground.state_dir().join(to));
    std::fs::remove_dir_all(&target).unwrap();
    let arguments = ["-a", source.to_str().unwrap(), target.to_str().unwrap()];
    said(&arguments, &Command::new("cp").args(arguments).output().unwrap());
    ground.play(&["start-daemon", from]);
}

fn alive(ground: &Ground, ask: &str) -> usize {
    ground.machines(ask).iter().filter(|row| row["status"] == "alive").count()
}

#[test]
fn a_copy_of_a_host_is_refused_and_the_host_goes_on() {
    require!(needs());
    let ground = Ground::fleet(4);
    let text = format!("{LONELY}[X-Fleet]\nMachineID={}\n", ground.machine_of("h1"));
    said(&["start"], &ground.start("h1", "a.container", &text));
    let (_, pid) = ground.running("h1", "a.container").unwrap();
    let h2 = ground.machine_of("h2");
    ground.play(&["kill", "h4"]);
    eventually("it is known to be dead", || alive(&ground, "h1") == 3);
    copy(&ground, "h2", "h4");
    eventually("it is back", || alive(&ground, "h1") == 3 && ground.leader("h2").is_some());
    // The host lives: its copy does not even begin.
    let refused = ground.refused(&["start", "h4"]);
    let words = format!("be host {h2} of the fleet: another machine is that host");
    assert!(refused.contains(&words), "{refused}");
    let log = ground.state_dir().join("h2/fleetd.log");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("another machine says that it is this host"), "{log}");
    // The host is off: its copy ends when it is back.
    ground.play(&["kill", "h2"]);
    eventually("it is known to be dead", || alive(&ground, "h1") == 2);
    let _ = ground.command(&["stop", "h4"]).output();
    let _ = ground.command(&["kill", "h4"]).output();
    ground.play(&["start", "h4"]);
    ground.play(&["start", "h2"]);
    eventually("the copy has ended", || !ground.programs("h4").contains("fleetd"));
    let log = std::fs::read_to_string(ground.state_dir().join("h4/fleetd.log")).unwrap();
    assert!(log.contains(&words), "{log}");
    eventually("the fleet goes on", || alive(&ground, "h1") == 3 && alive(&ground, "h2") == 3);
    eventually("units are decided", || ground.start("h2", "b.container", LONELY).status.success());
    assert!(lives(pid), "what ran elsewhere was not touched");
}

#[test]
fn two_fleets_that_meet_stay_two() {
    require!(needs());
    let ground = Ground::up(4);
    let init = |host: &str, at: &str| ground.ctl(host, &["init", "--advertise", at]);
    let token =
        |host: &str| ground.ctl(host, &["token", "create"]).lines().next().unwrap().to_owned();
    let join = |host: &str, at: &str, token: &str| {
        let own = format!("10.90.0.{}", &host[1..]);
        ground.try_ctl(host, &["join", at, "--token", token, "--advertise", &own])
    };
    let fleet = |host: &str| -> Value {
        serde_json::from_str(&ground.ctl(host, &["--json", "fleet"])).unwrap()
    };
    init("h1", "10.90.0.1");
    ground.start_hello("h1");
    let first = token("h1");
    said(&["join"], &join("h2", "10.90.0.1", &first));
    said(&["join"], &join("h3", "10.90.0.1", &first));
    // Where a host of the one was there is another fleet now: the others still speak to it.
    ground.play(&["kill", "h3"]);
    ground.play(&["wipe", "h3"]);
    ground.play(&["start", "h3"]);
    init("h3", "10.90.0.3");
    let second = token("h3");
    eventually("the one sees a dead host", || {
        ground.machines("h1").iter().any(|row| row["ip"] == "10.90.0.3" && row["status"] == "dead")
    });
    eventually("the other refuses its gossip", || {
        fleet("h3")["dropped"]["of an unknown key"].as_u64().is_some_and(|count| count > 0)
    });
    assert_eq!(ground.machines("h3").len(), 1);
    let ids = ["h1", "h3"].map(|host| fleet(host)["id"].clone());
    assert_ne!(ids[0], ids[1]);
    // A token leads into its own fleet alone, whatever the address, and only who is in none.
    for (host, at, token, words) in [
        ("h4", "10.90.0.1", &second, "fleet"),
        ("h4", "10.90.0.3", &first, "fleet"),
        ("h2", "10.90.0.3", &second, "this host is in fleet"),
        ("h3", "10.90.0.1", &first, "this host is in fleet"),
    ] {
        let output = join(host, at, token);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(words), "{host} at {at}: {error}");
        println!("{host} at {at}: {error}");
        assert!(!error.contains(token.as_str()), "the token is shown: {error}");
    }
    assert_eq!(fleet("h4")["id"], Value::Null);
    assert_eq!(["h1", "h3"].map(|host| fleet(host)["id"].clone()), ids);
    assert_eq!(fleet("h2")["id"], ids[0]);
    assert_eq!(ground.units("h2")[0]["state"]["active"], "active");
    assert!(ground.units("h3").is_empty());
}
