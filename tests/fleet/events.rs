//! Events, gone on with where they broke off: by the same host, by one that was killed, by another.

use crate::access::{at, user};
use crate::user::User;
use crate::{LONELY, other};
use flotilla_tests::playground::{Ground, eventually, needs, said};
use flotilla_tests::{Scratch, require};
use serde_json::Value;
use std::path::Path;

/// The first events after one, by a host that has to be the leader.
fn after(ground: &Ground, host: &str, file: &Path, seen: &Value, count: usize) -> Vec<Value> {
    let (index, origin) = (&seen["index"], seen["origin"].as_str().unwrap());
    let path = format!("/v1/events?since={index}&origin={origin}");
    let (user, at) = (User::of(file), at(host));
    ground.inside(host, move || user.lines(&at, &path).take(count).collect())
}

#[test]
fn what_was_missed_comes_first_or_it_is_said_that_it_cannot_be_had() {
    require!(needs());
    let (ground, scratch) = (Ground::fleet(3), Scratch::new());
    let file = user(&ground, "h1", &scratch, "view");
    let leader = ground.leader("h1").unwrap();
    // The first one of the stream that another host's clients hear, too.
    let (anna, address) = (User::of(&file), at(&leader));
    let (told, begun) = std::sync::mpsc::channel();
    let namespace = leader.clone();
    let listener = std::thread::scope(|scope| {
        let listens = scope.spawn(|| {
            ground.inside(&namespace, move || {
                let mut lines = anna.lines(&address, "/v1/events?since=0");
                let first = lines.next().unwrap();
                told.send(()).unwrap();
                (first, lines.find(|event| event["kind"] == "submitted").unwrap())
            })
        });
        begun.recv().unwrap();
        said(&["start"], &ground.start(&leader, "lone.container", LONELY));
        listens.join().unwrap()
    });
    let (first, submitted) = listener;
    // Index 0 is of nobody here.
    assert_eq!(first["kind"], "lagged");
    // By the same host: all that came since, and nothing of before.
    let next = after(&ground, &leader, &file, &submitted, 2);
    let number = |event: &Value| event["index"].as_u64().unwrap();
    assert!(next.iter().all(|event| event["kind"] != "lagged"), "{next:?}");
    assert_eq!(number(&next[0]), number(&submitted) + 1);
    // By the host that leads when this one is killed, and by this one when it is back.
    ground.play(&["kill-daemon", &leader, "fleetd"]);
    let ask = other(&leader);
    eventually("another one leads", || ground.leader(ask).is_some_and(|now| now != leader));
    let now = ground.leader(ask).unwrap();
    let elsewhere = after(&ground, &now, &file, &submitted, 1);
    assert_eq!(elsewhere[0]["kind"], "lagged");
    assert_ne!(elsewhere[0]["origin"], submitted["origin"]);
    // From there on it goes without a gap.
    said(&["stop"], &ground.try_ctl(ask, &["stop", "lone"]));
    let stopped = after(&ground, &now, &file, &elsewhere[0], 1);
    assert_eq!(number(&stopped[0]), number(&elsewhere[0]) + 1);
    ground.play(&["start-daemon", &leader, "fleetd"]);
}

#[test]
fn fleetctl_tells_what_was_and_goes_on_from_there() {
    require!(needs());
    let ground = Ground::fleet(1);
    said(&["start"], &ground.start("h1", "lone.container", LONELY));
    let events = |arguments: &[&str]| -> Vec<Value> {
        let text = ground.ctl("h1", &[&["--json", "events"], arguments].concat());
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let all = events(&["lone"]);
    assert!(all.iter().all(|event| event["unit"] == "lone.container"), "{all:#?}");
    assert_eq!(all[0]["kind"], "submitted");
    assert_eq!(events(&["elsewhere"]), [] as [Value; 0]);
    let last = all.last().unwrap();
    let id = format!("{}@{}", last["index"], last["origin"].as_str().unwrap());
    assert_eq!(events(&["--since", &id, "lone"]), [] as [Value; 0]);
    said(&["stop"], &ground.try_ctl("h1", &["stop", "lone"]));
    let since = events(&["--since", &id]);
    assert_eq!(since[0]["index"].as_u64(), last["index"].as_u64().map(|index| index + 1));
    // What the host does with it may be told of first.
    let is_to_stop = |event: &Value| event["kind"] == "desired" && event["desired"] == "loaded";
    assert!(since.iter().any(is_to_stop), "{since:#?}");
    let words = ground.ctl("h1", &["events", "--since", &id]);
    assert!(words.contains("lone.container: is to be loaded"), "{words}");
}
