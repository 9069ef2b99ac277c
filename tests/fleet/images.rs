//! Hosts say which images they hold.

use crate::{HOSTS, LONELY, other};
use flotilla_tests::playground::{Ground, eventually, needs, said};
use flotilla_tests::{Scratch, programs, require};
use serde_json::Value;
use std::collections::BTreeSet;

/// Hosts with an image, as a host that holds it says.
fn holders(ground: &Ground, ask: &str, name: &str) -> BTreeSet<String> {
    let text = ground.ctl(ask, &["--json", "image", "list"]);
    let images: Vec<Value> = serde_json::from_str(&text).unwrap();
    let of = images.iter().filter(|image| image["names"][0] == name);
    let ids = of.flat_map(|image| image["machines"].as_array().unwrap().iter());
    ids.map(|id| ground.host_of(id.as_str().unwrap()).unwrap()).collect()
}

#[test]
fn a_unit_runs_where_its_image_is_and_a_host_that_forgets_it_says_so() {
    require!(needs());
    let ground = Ground::fleet(3);
    let leader = ground.leader("h1").unwrap();
    let holder = other(&leader);
    let scratch = Scratch::new();
    let root = scratch.path().join("root");
    std::fs::create_dir_all(root.join("bin")).unwrap();
    std::fs::copy(programs::path("hello-server"), root.join("bin/hello-server")).unwrap();
    // What is the same is one image with two names.
    std::fs::write(root.join("only"), "").unwrap();
    let root = root.to_str().unwrap();
    ground.ctl(holder, &["image", "import", root, "only"]);
    // Its units make it the fullest host.
    for name in ["a.container", "b.container"] {
        let pinned = format!("{LONELY}[X-Fleet]\nMachineID={}\n", ground.machine_of(holder));
        said(&["start"], &ground.start(holder, name, &pinned));
    }
    let text = LONELY.replace("Image=hello", "Image=only");
    eventually("the leader has heard of it", || {
        let scratch = Scratch::new();
        let path = scratch.path().join("only.container");
        std::fs::write(&path, &text).unwrap();
        let plan = ground.ctl(&leader, &["--json", "plan", path.to_str().unwrap()]);
        let plan: Value = serde_json::from_str(&plan).unwrap();
        plan["units"][0]["steps"][0]["to"] == ground.machine_of(holder).as_str()
    });
    said(&["start"], &ground.start(&leader, "only.container", &text));
    assert_eq!(ground.running("h1", "only.container").unwrap().0, holder);

    ground.ctl(&leader, &["image", "import", root, "only"]);
    let both = BTreeSet::from([holder.to_owned(), leader.clone()]);
    for host in [holder, leader.as_str()] {
        eventually("both hold it", || holders(&ground, host, "only:latest") == both);
    }
    ground.ctl(&leader, &["image", "rm", "only"]);
    let one = BTreeSet::from([holder.to_owned()]);
    eventually("one holds it", || holders(&ground, holder, "only:latest") == one);
    // A fleetd that starts again says it anew.
    ground.play(&["kill-daemon", holder]);
    ground.play(&["start-daemon", holder]);
    let all = BTreeSet::from(HOSTS.map(str::to_owned));
    eventually("all hold the other one", || holders(&ground, holder, "hello:latest") == all);
}
