//! A fleet that is lopsided, because hosts came back, and becomes even again.

use crate::other;
use flotilla_tests::playground::{Ground, needs, said};
use flotilla_tests::require;
use serde_json::Value;

/// Two instances that are better off apart.
const PAIR: &str = "[Service]
Type=notify
[Container]
Image=hello
Exec=/bin/hello-server
Network=none
[X-Fleet]
Replicas=2
Spread=host
";

/// Both instances of each on h1, since the other hosts took nothing for a while.
fn lopsided(ground: &Ground, units: &[(&str, &str)]) {
    let others = ["h2", "h3"].map(|host| ground.machine_of(host));
    let others = others.each_ref().map(String::as_str);
    ground.ctl("h1", &["cordon", others[0], others[1]]);
    for (name, text) in units {
        said(&["start"], &ground.start("h1", name, text));
    }
    ground.ctl("h1", &["uncordon", others[0], others[1]]);
}

/// Of an instance: where it runs.
fn host(ground: &Ground, unit: &str) -> String {
    ground.running("h1", unit).unwrap_or_else(|| panic!("{unit} does not run")).0
}

fn events(ground: &Ground) -> Vec<Value> {
    let text = ground.ctl("h1", &["events", "--json"]);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of<'e>(events: &'e [Value], unit: &'e str) -> impl Iterator<Item = &'e Value> {
    events.iter().filter(move |event| event["unit"] == unit)
}

#[test]
fn units_move_one_after_the_other_until_no_move_helps() {
    require!(needs());
    let ground = Ground::fleet(3);
    lopsided(&ground, &[("a@.container", PAIR), ("b@.container", PAIR)]);
    let plan: Value =
        serde_json::from_str(&ground.ctl("h2", &["rebalance", "--plan", "--json"])).unwrap();
    let moves = plan["moves"].as_array().unwrap();
    assert_eq!(moves.len(), 2, "{plan:#}");
    let h1 = ground.machine_of("h1");
    assert!(moves.iter().all(|one| one["from"] == *h1), "{plan:#}");
    assert_eq!(
        ["a@1", "a@2", "b@1", "b@2"].map(|u| host(&ground, &format!("{u}.container"))),
        ["h1"; 4]
    );
    let done: Value =
        serde_json::from_str(&ground.ctl("h2", &["rebalance", "--yes", "--json"])).unwrap();
    assert!(done.as_array().unwrap().iter().all(|one| one["result"] == "done"), "{done:#}");
    for name in ["a", "b"] {
        let [one, two] = [1, 2].map(|n| host(&ground, &format!("{name}@{n}.container")));
        assert_ne!(one, two, "{name}");
    }
    // The second one ends only when the first one runs.
    let [first, second] = [0, 1].map(|at| moves[at]["unit"].as_str().unwrap());
    let events = events(&ground);
    let index = |event: &Value| event["index"].as_u64().unwrap();
    let runs =
        |event: &&Value| event["state"]["active"] == "active" && event["state"]["machine"] != *h1;
    let ends = |event: &&Value| event["state"]["active"] == "deactivating";
    let first_runs = of(&events, first).find(runs).map(index).unwrap();
    let second_ends = of(&events, second).find(ends).map(index).unwrap();
    assert!(first_runs < second_ends, "{first} at {first_runs}, {second} at {second_ends}");
    let nothing = ground.ctl("h3", &["rebalance", "--yes"]);
    assert_eq!(nothing, "no move makes the fleet better\n");
}

#[test]
fn a_unit_that_fails_where_it_comes_to_is_the_last_one_that_moves() {
    require!(needs());
    let ground = Ground::fleet(3);
    // What only one host has.
    let data = flotilla_tests::Scratch::new();
    std::fs::create_dir(data.path().join(ground.machine_of("h1"))).unwrap();
    let volume = format!("Image=hello\nVolume={}/%m:/data", data.path().display());
    let fails = PAIR.replace("Image=hello", &volume);
    lopsided(&ground, &[("a@.container", &fails), ("b@.container", PAIR)]);
    let output = ground.try_ctl("h1", &["rebalance", "--yes", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(done.as_array().unwrap().len(), 1, "{done:#}");
    assert_eq!(done[0]["result"], "failed");
    let unit = done[0]["unit"].as_str().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(&format!("move {unit}: ")) && error.contains("Volume="), "{error}");
    assert_eq!(["b@1.container", "b@2.container"].map(|unit| host(&ground, unit)), ["h1"; 2]);
}

#[test]
fn a_unit_is_not_moved_to_where_its_image_is_not() {
    require!(needs());
    let ground = Ground::fleet(3);
    let root = flotilla_tests::Scratch::new();
    std::fs::create_dir_all(root.path().join("bin")).unwrap();
    let server = root.path().join("bin/hello-server");
    std::fs::copy(flotilla_tests::programs::path("hello-server"), server).unwrap();
    std::fs::write(root.path().join("only-here"), "").unwrap();
    ground.ctl("h1", &["image", "import", root.path().to_str().unwrap(), "only-here"]);
    let bound = PAIR.replace("Image=hello", "Image=only-here");
    lopsided(&ground, &[("a@.container", &bound), ("b@.container", PAIR)]);
    let done = ground.ctl("h1", &["rebalance", "--yes", "--json"]);
    let done: Value = serde_json::from_str(&done).unwrap();
    let moved: Vec<&str> =
        done.as_array().unwrap().iter().map(|one| one["unit"].as_str().unwrap()).collect();
    assert!(!moved.is_empty() && moved.iter().all(|unit| unit.starts_with("b@")), "{moved:?}");
    assert_eq!(["a@1.container", "a@2.container"].map(|unit| host(&ground, unit)), ["h1"; 2]);
}

#[test]
fn a_host_that_takes_nothing_new_is_no_better_place() {
    require!(needs());
    let ground = Ground::fleet(3);
    lopsided(&ground, &[("a@.container", PAIR)]);
    let away = other("h1");
    let last = crate::HOSTS.into_iter().find(|host| *host != "h1" && *host != away).unwrap();
    ground.ctl("h1", &["cordon", &ground.machine_of(away)]);
    let plan: Value =
        serde_json::from_str(&ground.ctl("h1", &["rebalance", "--plan", "--json"])).unwrap();
    assert_eq!(plan["moves"][0]["to"], *ground.machine_of(last), "{plan:#}");
    ground.ctl("h1", &["cordon", &ground.machine_of(last)]);
    let nothing = ground.ctl("h1", &["rebalance", "--plan"]);
    assert_eq!(nothing, "no move makes the fleet better\n");
}
