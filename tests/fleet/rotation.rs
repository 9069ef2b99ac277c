//! The fleet goes on to other keys.

use crate::{INSTANCES, LONELY, WEB};
use flotilla_tests::playground::{Ground, eventually, lives, needs, said};
use flotilla_tests::require;
use serde_json::Value;
use std::collections::BTreeSet;

const ALL: [&str; 4] = ["h1", "h2", "h3", "h4"];

fn file(ground: &Ground, host: &str, name: &str) -> Value {
    let text = std::fs::read_to_string(ground.state_dir().join(host).join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// What a host knows of the fleet's keys, as it has it on disk: authorities, gossip, signing.
fn keys(ground: &Ground, host: &str) -> BTreeSet<String> {
    let view = file(ground, host, "assignments.json")["view"].clone();
    let authorities =
        view["bundle"].as_str().unwrap().split_inclusive("-----END CERTIFICATE-----\n");
    let gossip = view["gossip_keys"].as_array().unwrap().iter();
    let signing = [&view["signer"], &view["other_signer"]].into_iter();
    let keys = gossip.chain(signing).filter_map(|key| key.as_str().map(str::to_owned));
    keys.chain(authorities.map(str::to_owned)).collect()
}

#[test]
fn every_key_changes_while_everything_runs_and_who_is_away_is_waited_for() {
    require!(needs());
    let ground = Ground::fleet(4);
    said(&["start"], &ground.start("h1", "web@.container", WEB));
    let before = INSTANCES.map(|unit| ground.running("h1", unit).unwrap());
    let old = keys(&ground, "h1");
    assert_eq!(old.len(), 3, "{old:?}");
    let shown = ALL.map(|host| file(&ground, host, "identity.json")["certificate"].clone());
    let away = ALL.into_iter().find(|host| {
        let id = ground.machine_of(host);
        ground.machines("h1").iter().any(|row| row["id"] == id.as_str() && row["role"] == "host")
    });
    let away = away.unwrap();
    let ask = ALL.into_iter().find(|host| *host != away).unwrap();
    let id = ground.machine_of(away);
    ground.play(&["kill-daemon", away]);

    let rotate = ["fleet", "rotate-keys", "--yes", "--block-attempts", "4"];
    let output = ground.try_ctl(ask, &rotate);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains(&id[..8]), "{error}");
    let again = ground.try_ctl(ask, &rotate);
    let error = String::from_utf8_lossy(&again.stderr);
    assert!(error.contains("a rotation is under way"), "{error}");
    let page = ground.ctl(ask, &["fleet"]);
    assert!(page.contains("Rotation: hosts are told of the next keys"), "{page}");
    eventually("those who are there are told", || keys(&ground, ask).len() == 6);

    ground.play(&["start-daemon", away]);
    eventually("the rotation is over", || {
        let page = ground.try_ctl(ask, &["fleet"]);
        page.status.success() && !String::from_utf8_lossy(&page.stdout).contains("Rotation")
    });
    eventually("every host has three keys", || {
        ALL.iter().all(|host| keys(&ground, host).len() == 3)
    });
    for (host, shown) in ALL.into_iter().zip(shown) {
        assert_eq!(keys(&ground, host), keys(&ground, ask));
        assert!(keys(&ground, host).is_disjoint(&old), "{host} takes an earlier key");
        assert_ne!(file(&ground, host, "identity.json")["certificate"], shown);
        eventually("with either file it understands the others", || {
            let view = |name| file(&ground, host, name)["view"].clone();
            view("identity.json") == view("assignments.json")
        });
    }
    for (unit, (host, pid)) in INSTANCES.into_iter().zip(before) {
        assert!(lives(pid));
        assert_eq!(ground.running(ask, unit), Some((host, pid)), "{unit} was not touched");
    }

    // What they have on disk is enough to find each other again.
    for host in ALL {
        ground.play(&["kill-daemon", host]);
    }
    for host in ALL {
        ground.play(&["start-daemon", host]);
    }
    eventually("somebody leads", || ground.leader(ask).is_some());
    eventually("all see all", || {
        let rows = ground.machines(away);
        rows.len() == 4 && rows.iter().all(|row| row["status"] == "alive")
    });
    let unit = LONELY.to_owned() + &format!("[X-Fleet]\nMachineID={id}\n");
    said(&["start"], &ground.start(ask, "last.container", &unit));
    assert!(ground.running(ask, "last.container").is_some_and(|(host, _)| host == away));
}
