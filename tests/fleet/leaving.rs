//! Hosts that are emptied, removed, and replaced.

use crate::{INSTANCES, WEB, other, servers};
use flotilla_tests::playground::{Ground, eventually, needs, said};
use flotilla_tests::require;

#[test]
fn a_drained_host_is_empty_and_a_removed_one_is_let_in_by_nobody() {
    require!(needs());
    let ground = Ground::fleet(3);
    said(&["start"], &ground.start("h1", "web@.container", WEB));
    let leader = ground.leader("h1").unwrap();
    let gone = other(&leader);
    let id = ground.machine_of(gone);
    let refused = ground.try_ctl(&leader, &["remove-machine", &id]);
    assert!(!refused.status.success(), "it has units");
    ground.ctl(&leader, &["drain", &id]);
    assert_eq!(servers(&ground, gone), 0);
    for unit in INSTANCES {
        eventually("it runs on another host", || {
            ground.running(&leader, unit).is_some_and(|(host, _)| host != gone)
        });
    }
    ground.ctl(&leader, &["remove-machine", &id]);
    eventually("two are left", || ground.machines(&leader).len() == 2);
    eventually("nobody talks to it any more", || {
        !ground.try_ctl(gone, &["list-units"]).status.success()
    });
    // Its disk is replaced, and it comes as another host.
    ground.play(&["kill", gone]);
    ground.play(&["wipe", gone]);
    ground.play(&["start", gone]);
    let token = ground.ctl(&leader, &["token", "create"]).lines().next().unwrap().to_owned();
    let at = format!("10.90.0.{}", &leader[1..]);
    let own = format!("10.90.0.{}", &gone[1..]);
    ground.ctl(gone, &["join", &at, "--token", &token, "--advertise", &own]);
    eventually("there are three again", || ground.machines(gone).len() == 3);
    assert_ne!(ground.machine_of(gone), id);
}

/// One on every host, slow to end: its state is that of one of them.
const EVERYWHERE: &str = "[Service]
Type=notify
TimeoutStopSec=2
[Container]
Image=hello
Exec=/bin/hello-server
Network=none
StopSignal=SIGWINCH
[X-Fleet]
Global=yes
";

#[test]
fn a_drain_waits_for_what_is_there_whoevers_state_is_told() {
    require!(needs());
    let ground = Ground::fleet(3);
    said(&["start"], &ground.start("h1", "all.container", EVERYWHERE));
    eventually("it is everywhere", || crate::HOSTS.iter().all(|host| servers(&ground, host) == 1));
    for host in crate::HOSTS {
        let id = ground.machine_of(host);
        ground.ctl("h1", &["drain", &id]);
        assert_eq!(servers(&ground, host), 0, "{host} is drained");
        ground.ctl("h1", &["undrain", &id]);
        eventually("it is there again", || servers(&ground, host) == 1);
    }
}
