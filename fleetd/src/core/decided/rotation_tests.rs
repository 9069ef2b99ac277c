//! A fleet that goes on from an earlier step of a rotation than its hosts.

use super::*;
use crate::core::decided::{Command, Decided, fleet};
use crate::pki::{Authority, fixture};

fn next(present: &Authority, name: &str) -> Command {
    let next = Authority::create(present.fleet(), fixture::now()).unwrap();
    let key = Some(Secret(next.key_pem().to_owned()));
    let keys = Keys {
        authority: Some((next.certificate_pem(), key)),
        gossip: Some(Secret(format!("gossip {name}"))),
        signer: Some((Some(Secret(format!("secret {name}"))), format!("public {name}"))),
    };
    fleet::Command::Rotate(Box::new(keys)).into()
}

/// A fleet before a rotation, at each of its steps, after it, and at the first step of the one after that.
fn steps() -> Vec<Decided> {
    let authority = fixture::fleet();
    let founded = Fleet {
        gossip_keys: vec![Secret("gossip 0".to_owned())],
        signer_public: "public 0".to_owned(),
        ..fleet::fixture(&authority)
    };
    let advance = |from| fleet::Command::Advance { from }.into();
    let mut decided = Decided::default();
    let mut steps = Vec::new();
    for command in [
        fleet::Command::Found(Box::new(founded)).into(),
        next(&authority, "1"),
        advance(Step::Tell),
        advance(Step::Use),
        next(&authority, "2"),
    ] {
        decided.apply(&command).unwrap();
        steps.push(decided.clone());
    }
    steps
}

fn beside(own: &Decided, hosts: &Decided) -> Result<Fleet, Refusal> {
    let mut fleet = own.fleet.as_ref().unwrap().as_ref().clone();
    fleet.beside(&hosts.view().unwrap()).map(|()| fleet)
}

fn takes(one: &View, other: &View) -> bool {
    let authority = other.bundle.authorities()[0].fingerprint;
    one.bundle.has(&authority)
        && one.gossip_keys.contains(&other.gossip_keys[0])
        && one.signers().any(|signer| *signer == other.signer)
}

#[test]
fn who_is_a_step_away_understands_the_hosts_and_they_understand_it() {
    let steps = steps();
    for (own, of_hosts) in [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
        (1, 2),
        (1, 3),
        (1, 4),
        (2, 1),
        (2, 2),
        (2, 3),
        (2, 4),
        (3, 2),
        (3, 4),
    ] {
        let hosts = steps[of_hosts].view().unwrap();
        let fleet = beside(&steps[own], &steps[of_hosts]).unwrap();
        let mut decided = steps[own].clone();
        decided.fleet = Some(std::sync::Arc::new(fleet));
        let view = decided.view().unwrap();
        assert!(takes(&view, &hosts), "{own} takes the keys of {of_hosts}");
        assert!(takes(&hosts, &view), "{of_hosts} takes the keys of {own}");
    }
}

#[test]
fn the_way_back_ends_as_a_rotation_does() {
    let steps = steps();
    let mut fleet = beside(&steps[0], &steps[1]).unwrap();
    assert_eq!(fleet.rotation.as_ref().map(|rotation| rotation.step), Some(Step::Use));
    fleet.advance(Step::Use).unwrap();
    let before = steps[0].fleet.as_ref().unwrap();
    assert_eq!(fleet, before.as_ref().clone());
}

#[test]
fn keys_that_the_hosts_know_already_change_nothing() {
    let steps = steps();
    assert_eq!(beside(&steps[1], &steps[0]).unwrap(), **steps[1].fleet.as_ref().unwrap());
    assert_eq!(beside(&steps[2], &steps[3]).unwrap(), **steps[2].fleet.as_ref().unwrap());
}

#[test]
fn a_rotation_under_way_goes_on_where_the_hosts_are() {
    let steps = steps();
    assert_eq!(beside(&steps[1], &steps[2]).unwrap(), **steps[2].fleet.as_ref().unwrap());
}

/// The others may be a step further than the one that is known of.
#[test]
fn keys_that_hosts_forget_next_are_refused_like_forgotten_ones() {
    let steps = steps();
    for (own, of_hosts) in [(0, 2), (0, 3), (0, 4)] {
        let refusal = beside(&steps[own], &steps[of_hosts]).unwrap_err();
        assert_eq!(refusal, Refusal::EarlierKeys, "{own} among {of_hosts}");
    }
}
