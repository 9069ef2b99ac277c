//! Two hosts, and a third one that only decides with them.

use crate::{INSTANCES, WEB, servers};
use flotilla_tests::playground::{Ground, eventually, needs, said};
use flotilla_tests::require;

#[test]
fn either_of_two_hosts_may_die_where_a_third_one_only_votes() {
    require!(needs());
    let ground = Ground::up(3);
    ground.ctl("h1", &["init", "--advertise", "10.90.0.1"]);
    let token = ground.ctl("h1", &["token", "create"]).lines().next().unwrap().to_owned();
    let join = |host: &str, more: &[&str]| {
        let at = format!("10.90.0.{}", &host[1..]);
        let join = ["join", "10.90.0.1", "--token", &token, "--advertise", &at];
        ground.ctl(host, &[&join, more].concat());
    };
    join("h2", &[]);
    join("h3", &["--witness"]);
    for host in ["h1", "h2", "h3"] {
        ground.import_hello(host);
    }
    eventually("all three vote", || {
        let rows = ground.machines("h2");
        rows.iter().filter(|row| row["role"] != "host" && row["status"] == "alive").count() == 3
    });
    said(&["start"], &ground.start("h3", "web@.container", WEB));
    let hosts = ["h1", "h2", "h3"].map(|host| servers(&ground, host));
    assert!(hosts[2] == 0 && hosts[0] + hosts[1] == INSTANCES.len(), "{hosts:?}");

    ground.play(&["kill", "h1"]);
    eventually("the other one takes all", || servers(&ground, "h2") == INSTANCES.len());
    assert_eq!(servers(&ground, "h3"), 0);
    eventually("it is known", || {
        INSTANCES.iter().all(|unit| ground.running("h3", unit).is_some_and(|(at, _)| at == "h2"))
    });
    // And decides on.
    ground.ctl("h2", &["scale", "web@", "1"]);
    eventually("two have gone", || servers(&ground, "h2") == 1);
}
