//! How hosts become one fleet, and who does not get in.

use crate::{INSTANCES, WEB, other};
use flotilla_tests::playground::{Ground, eventually, needs, said};
use flotilla_tests::require;
use std::collections::BTreeSet;

#[test]
fn three_hosts_are_one_fleet_and_any_of_them_answers() {
    require!(needs());
    let ground = Ground::fleet(3);
    said(&["start"], &ground.start("h2", "web@.container", WEB));
    let placed = |ask: &str| {
        INSTANCES.map(|unit| ground.running(ask, unit).unwrap_or_else(|| panic!("{unit} runs")))
    };
    let before = placed("h1");
    let hosts: BTreeSet<&str> = before.iter().map(|(host, _)| host.as_str()).collect();
    assert_eq!(hosts.len(), 3, "each has its own host: {before:?}");
    assert_eq!(placed("h2"), before);
    assert_eq!(placed("h3"), before);
    // Its log is on its host, and its host runs a program in it, whoever is asked.
    let at = before[0].0.as_str();
    for host in [at, other(at)] {
        assert!(ground.ctl(host, &["logs", "web@1"]).contains("listening on port 8080"));
        let output = ground.try_ctl(host, &["exec", "web@1", "--", "/bin/hello-server", "--what"]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains("is not --probe"), "{error}");
        assert_eq!(output.status.code(), Some(1));
    }
    ground.ctl("h3", &["scale", "web@", "1"]);
    eventually("the others have gone", || ground.units("h1").len() == 1);
    ground.ctl("h1", &["destroy", "web@.container"]);
    eventually("all have gone", || ground.units("h2").is_empty());
}

#[test]
fn the_demo_shows_a_host_that_dies_and_its_units_elsewhere() {
    require!(needs());
    let words = flotilla_tests::demo_of_three().unwrap();
    assert!(words.contains("all 3 run on living hosts"), "{words}");
    assert!(words.contains("done: no process"), "{words}");
}

/// The token that a host makes.
fn token(ground: &Ground, arguments: &[&str]) -> String {
    let arguments = [&["token", "create"], arguments].concat();
    ground.ctl("h1", &arguments).lines().next().unwrap().to_owned()
}

fn id(ground: &Ground, host: &str) -> Option<String> {
    let fleet: serde_json::Value =
        serde_json::from_str(&ground.ctl(host, &["--json", "fleet"])).unwrap();
    fleet["id"].as_str().map(str::to_owned)
}

#[test]
fn only_who_has_a_good_token_joins() {
    require!(needs());
    let ground = Ground::up(3);
    ground.ctl("h1", &["init", "--advertise", "10.90.0.1"]);
    let join = |host: &str, token: &str| {
        let at = format!("10.90.0.{}", &host[1..]);
        ground.try_ctl(host, &["join", "10.90.0.1", "--token", token, "--advertise", &at])
    };
    let refused = |host: &str, token: &str| {
        let output = join(host, token);
        assert!(!output.status.success(), "{token} let {host} in");
        assert_eq!(id(&ground, host), None, "{host} is still alone");
        let error = String::from_utf8(output.stderr).unwrap();
        // Where it takes long it says before what it waits for.
        let faults = error.lines().filter(|line| line.starts_with("fleetctl: "));
        assert_eq!(faults.count(), 1, "{error}");
        assert!(!error.contains(token), "the token is shown: {error}");
        error
    };
    let once = token(&ground, &["--uses", "1"]);
    let revoked = token(&ground, &[]);
    let public = revoked.split('-').nth(1).unwrap();
    ground.ctl("h1", &["token", "revoke", public]);
    assert!(refused("h2", &revoked).contains("revoked"));
    // One letter of the secret is another; its check would tell of a typo.
    let letter = once.as_bytes()[20];
    let other = if letter == b'a' { "b" } else { "a" };
    let broken = format!("{}{other}{}", &once[..20], &once[21..]);
    assert!(refused("h2", &broken).contains("a letter of it is wrong"));
    said(&["join"], &join("h2", &once));
    assert_eq!(id(&ground, "h2"), id(&ground, "h1"));
    assert!(refused("h3", &once).contains("was for 1 hosts"));
    // What is in a fleet goes into no other one.
    let error = String::from_utf8(join("h2", &token(&ground, &[])).stderr).unwrap();
    assert!(error.contains("this host is in fleet"), "{error}");
    // What a host has decided is not forgotten unasked.
    ground.start_hello("h3");
    assert!(refused("h3", &token(&ground, &[])).contains("units of its own"));
    assert_eq!(ground.units("h3")[0]["state"]["active"], "active");
}
