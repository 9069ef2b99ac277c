//! Cuts, by datagrams: one that was dropped is not there when a later one arrives.

use crate::wire::End;
use flotilla_tests::playground::{Ground, can_cut, needs};
use flotilla_tests::require;

fn three() -> (Ground, [End; 3]) {
    let ground = Ground::up(3);
    let ends = ["h1", "h2", "h3"].map(|host| End::on(&ground, host));
    for from in &ends {
        for to in ends.iter().filter(|to| !std::ptr::eq(*to, from)) {
            from.reaches(to, "before");
        }
    }
    (ground, ends)
}

#[test]
fn a_cut_between_two_hosts_drops_both_directions_and_no_other() {
    require!(needs());
    require!(can_cut());
    let (ground, [h1, h2, h3]) = three();
    ground.play(&["cut", "h1", "--from", "h2"]);
    h1.send(&h2, "lost");
    h2.send(&h1, "lost");
    h3.reaches(&h1, "h3 to h1");
    h3.reaches(&h2, "h3 to h2");
    h1.reaches(&h3, "h1 to h3");
    assert_eq!(ground.state("h1"), "cut from h2");
    assert_eq!(ground.state("h3"), "running");
    ground.play(&["heal"]);
    h1.reaches(&h2, "after");
    h2.reaches(&h1, "after");
    assert_eq!(ground.state("h1"), "running");
}

#[test]
fn a_host_that_is_cut_off_reaches_nobody_and_is_healed_by_name() {
    require!(needs());
    require!(can_cut());
    let (ground, [h1, h2, h3]) = three();
    ground.play(&["cut", "h1", "h2"]);
    h1.send(&h2, "lost");
    h1.send(&h3, "lost");
    h3.send(&h1, "lost");
    assert_eq!(ground.state("h1"), "cut");
    // Its own daemons are asked on their socket, whatever the network is.
    ground.ctl("h1", &["version"]);
    ground.play(&["heal", "h1"]);
    h1.reaches(&h3, "after");
    h3.reaches(&h1, "after");
    assert_eq!(ground.state("h2"), "cut from h3");
    h3.send(&h2, "lost");
    h1.reaches(&h2, "after");
}

#[test]
fn a_cut_of_one_way_drops_what_the_host_sends() {
    require!(needs());
    require!(can_cut());
    let (ground, [h1, h2, h3]) = three();
    ground.play(&["cut", "h1", "--one-way"]);
    h1.send(&h2, "lost");
    h1.send(&h3, "lost");
    h2.reaches(&h1, "it hears");
    h2.reaches(&h3, "and the others are well");
    assert_eq!(ground.state("h1"), "not heard");
    assert_eq!(ground.state("h2"), "deaf to h1");
    ground.play(&["heal"]);
    h1.reaches(&h2, "after");
    h1.reaches(&h3, "after");
}

#[test]
fn a_cut_and_the_neighbours_tables_outlast_a_reboot() {
    require!(needs());
    require!(can_cut());
    let (ground, [h1, h2, h3]) = three();
    ground.play(&["cut", "h2", "--from", "h1"]);
    drop(h2);
    ground.play(&["kill", "h2"]);
    assert_eq!(ground.state("h2"), "killed, cut from h1");
    ground.play(&["start", "h2"]);
    let h2 = End::on(&ground, "h2");
    h1.send(&h2, "lost");
    h3.reaches(&h2, "to a hardware address that was the same before");
    ground.play(&["heal", "h2"]);
    h1.reaches(&h2, "after");
}

#[test]
fn a_cut_that_makes_no_sense_is_refused() {
    require!(needs());
    require!(can_cut());
    let ground = Ground::up(2);
    assert_eq!(
        ground.refused(&["cut", "h1", "--from", "h1"]),
        "fleetctl: cut h1: from itself no host can be cut (--from names another one)"
    );
    assert_eq!(
        ground.refused(&["cut", "h1", "--from", "h3"]),
        "fleetctl: cut from h3: there is no such host (this playground has h1 to h2)"
    );
    assert_eq!(ground.state("h1"), "running");
}
