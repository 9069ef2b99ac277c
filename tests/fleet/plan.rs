//! What would come of a change, beside what comes of it; and a change that is made only if the fleet
//! is as it was planned for.

use crate::access::{at, user};
use crate::user::User;
use crate::{LONELY, WEB};
use flotilla_tests::playground::{Ground, eventually, needs, said};
use flotilla_tests::{Scratch, require};
use serde_json::{Value, json};
use std::process::Output;

fn write(scratch: &Scratch, name: &str, text: &str) -> String {
    let path = scratch.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The document of a plan, and the exit code.
fn plan(ground: &Ground, arguments: &[&str]) -> (Value, i32) {
    let all = [&["--json", "plan", "--exit-code"], arguments].concat();
    let output = ground.try_ctl("h2", &all);
    let error = || String::from_utf8_lossy(&output.stderr).into_owned();
    let plan = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", error()));
    (plan, output.status.code().unwrap())
}

/// `kind unit`, in the order of the plan.
fn steps(plan: &Value) -> Vec<String> {
    let units = plan["units"].as_array().unwrap().iter();
    let steps = units.flat_map(|unit| {
        let steps = unit["steps"].as_array().unwrap().iter();
        steps.map(|step| {
            format!("{} {}", step["kind"].as_str().unwrap(), unit["unit"].as_str().unwrap())
        })
    });
    steps.collect()
}

fn unit<'p>(plan: &'p Value, name: &str) -> &'p Value {
    plan["units"].as_array().unwrap().iter().find(|unit| unit["unit"] == name).unwrap()
}

fn one_line(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn what_was_planned_is_what_happens() {
    require!(needs());
    let (ground, scratch) = (Ground::fleet(3), Scratch::new());
    said(&["start"], &ground.start("h1", "web@.container", WEB));
    let file = write(&scratch, "web@.container", WEB);
    let (same, code) = plan(&ground, &[&file]);
    assert_eq!((steps(&same), code), (Vec::new(), 0), "{same:#}");
    let pids = |unit: &str| ground.running("h1", unit);
    let before = ["web@1.container", "web@2.container"].map(pids);
    // Another file with an instance more.
    let text = WEB
        .replace("Replicas=3", "Replicas=4")
        .replace("Image=hello", "Image=hello\nEnvironment=A=1");
    write(&scratch, "web@.container", &text);
    let (found, code) = plan(&ground, &[&file]);
    assert_eq!(code, 2);
    let expected = [
        "restart web@1.container",
        "restart web@2.container",
        "restart web@3.container",
        "add web@4.container",
    ];
    assert_eq!(steps(&found), expected);
    let keys = &unit(&found, "web@.container")["keys"];
    let key = |at: usize| {
        (keys[at]["key"].clone(), keys[at]["before"].clone(), keys[at]["after"].clone())
    };
    assert_eq!(key(0), (json!("Environment"), json!([]), json!(["A=1"])), "{keys:#}");
    assert_eq!(key(1), (json!("Replicas"), json!(["3"]), json!(["4"])));
    // Nothing of it has happened, not even in the log.
    assert_eq!(["web@1.container", "web@2.container"].map(pids), before);
    assert_eq!(plan(&ground, &[&file]).0, found);
    let index = found["index"].to_string();
    let done = ground.try_ctl("h3", &["start", "--replace", "--if-index", &index, &file]);
    said(&["start"], &done);
    let to = unit(&found, "web@4.container")["steps"][0]["to"].as_str().unwrap();
    let (host, _) = ground.running("h1", "web@4.container").unwrap();
    assert_eq!(ground.host_of(to), Some(host));
    for (unit, before) in ["web@1.container", "web@2.container"].into_iter().zip(before) {
        let (host, pid) = before.unwrap();
        let again = || ground.running("h1", unit).is_some_and(|now| now.0 == host && now.1 != pid);
        eventually("it was restarted where it is", again);
    }
    assert_eq!(steps(&plan(&ground, &[&file]).0), Vec::<String>::new());
}

#[test]
fn who_makes_room_and_who_has_no_place_is_told_beforehand() {
    require!(needs());
    let (ground, scratch) = (Ground::fleet(2), Scratch::new());
    ground.ctl("h1", &["set-metadata", &ground.machine_of("h2"), "zone=a"]);
    let pinned = format!("{LONELY}[X-Fleet]\nMachineMetadata=zone=a\n");
    said(&["start"], &ground.start("h1", "low.container", &pinned));
    let high = format!("{pinned}Priority=10\nConflicts=low.container\n");
    let file = write(&scratch, "high.container", &high);
    let (found, code) = plan(&ground, &[&file]);
    assert_eq!(code, 1);
    assert_eq!(steps(&found), ["add high.container", "remove low.container"]);
    let why = unit(&found, "low.container")["steps"][0]["reasons"][0].as_str().unwrap();
    assert!(why.contains("high.container"), "{why}");
    assert_eq!(found["unplaced"][0]["unit"], "low.container", "{found:#}");
    assert!(!found["unplaced"][0]["remedy"].as_str().unwrap().is_empty());
    assert!(ground.running("h1", "low.container").is_some());
}

#[test]
fn a_change_is_made_only_if_the_fleet_is_as_it_was_planned_for() {
    require!(needs());
    let (ground, scratch) = (Ground::fleet(3), Scratch::new());
    let file = write(&scratch, "lone.container", LONELY);
    let index = plan(&ground, &[&file]).0["index"].to_string();
    let guarded = |index: &str| ground.try_ctl("h1", &["start", "--if-index", index, &file]);
    // Somebody else is faster.
    said(&["start"], &ground.start("h3", "other.container", LONELY));
    let error = one_line(&guarded(&index));
    let expected = format!("change units: the fleet has changed since index {index}, at index ");
    assert!(error.contains(&expected) && error.contains("fleetctl plan again"), "{error}");
    let known = |name: &str| ground.units("h1").iter().any(|unit| unit["name"] == name);
    assert!(!known("lone.container"));
    // A token moves no unit; neither do units that go on with what they do.
    let index = plan(&ground, &[&file]).0["index"].to_string();
    ground.ctl("h2", &["token", "create"]);
    said(&["start"], &guarded(&index));
    assert!(ground.running("h1", "lone.container").is_some());
    // A host that takes nothing more is another fleet.
    let second = write(&scratch, "second.container", LONELY);
    let index = plan(&ground, &[&second]).0["index"].to_string();
    ground.ctl("h2", &["cordon", &ground.machine_of("h3")]);
    one_line(&ground.try_ctl("h1", &["submit", "--if-index", &index, &second]));
    // All of it, or nothing.
    let bad = write(
        &scratch,
        "bad.container",
        "[Container]\nImage=hello\nMemory=\n[Service]\nMemoryMax=much\n",
    );
    let index = plan(&ground, &[&second]).0["index"].to_string();
    let both = ground.try_ctl("h1", &["submit", "--if-index", &index, &second, &bad]);
    assert!(!both.status.success() && !known("second.container"));
}

#[test]
fn a_plan_tells_nobody_what_he_may_not_read_and_files_take_an_admin() {
    require!(needs());
    let (ground, scratch) = (Ground::fleet(1), Scratch::new());
    said(&["start"], &ground.start("h1", "lone.container", LONELY));
    let [view, operate] = ["view", "operate"].map(|role| user(&ground, "h1", &scratch, role));
    let (asks, wants) = (
        json!({"changes": [{"unit": "lone.container", "file": {"text": "[Container]\nImage=x\n"},
            "replace": true}]}),
        json!({"changes": [{"unit": "lone.container", "desired": "loaded"}]}),
    );
    ground.inside("h1", move || {
        let status = |file: &std::path::Path, path: &str, body: &Value| {
            User::of(file).json(&at("h1"), "POST", path, &body.to_string()).status
        };
        assert_eq!(status(&view, "/v1/plan", &asks), 403);
        assert_eq!(status(&operate, "/v1/plan", &asks), 200);
        assert_eq!(status(&operate, "/v1/changes", &asks), 403);
        assert_eq!(status(&view, "/v1/changes", &wants), 403);
        assert_eq!(status(&operate, "/v1/changes", &wants), 200);
    });
    eventually("it is stopped", || ground.running("h1", "lone.container").is_none());
}
