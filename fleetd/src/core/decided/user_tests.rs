use super::*;
use crate::core::decided::fleet::Command as OfFleet;
use crate::core::decided::{Decided, Outcome, Refusal};
use crate::pki::{Identity, fixture};
use std::sync::Arc;

const DAY: u64 = 24 * 3600;

fn decided() -> Decided {
    let fleet = crate::core::decided::fleet::fixture(&fixture::fleet());
    Decided { fleet: Some(Arc::new(fleet)), ..Decided::default() }
}

fn serial(number: u64) -> Serial {
    format!("{number:016x}").parse().unwrap()
}

fn anna() -> UserName {
    "anna".parse().unwrap()
}

fn certificate(number: u64, not_after: u64) -> Certificate {
    Certificate { serial: serial(number), not_after }
}

fn add(name: &UserName, number: u64, now: u64) -> Command {
    let (valid_for, certificate) = (DAY, certificate(number, now + DAY));
    Command::Add { name: name.clone(), role: Role::Operate, valid_for, certificate, now }
}

fn renew(number: u64, now: u64) -> Command {
    Command::Renew { name: anna(), certificate: certificate(number, now + DAY), now }
}

fn apply(decided: &mut Decided, command: Command) -> Result<Outcome, Refusal> {
    decided.apply(&OfFleet::from(command).into())
}

/// Whether the certificate of that number is refused.
fn refused(decided: &Decided, number: u64) -> bool {
    let anna = Identity::user(anna(), Role::Operate);
    decided.fleet.as_ref().unwrap().revoked.has(&anna, &serial(number))
}

#[test]
fn who_is_revoked_gets_in_with_none_of_its_certificates() {
    let mut decided = decided();
    assert_eq!(apply(&mut decided, add(&anna(), 1, 0)), Ok(Outcome::Created));
    assert_eq!(apply(&mut decided, renew(2, 10)), Ok(Outcome::Changed));
    assert!(!refused(&decided, 1) && !refused(&decided, 2));
    apply(&mut decided, Command::Revoke { name: anna(), now: 20 }).unwrap();
    // One, too, that nobody knows of.
    assert!([1, 2, 3].into_iter().all(|number| refused(&decided, number)));
    let unknown = Err(Refusal::UnknownUser { name: anna() });
    assert_eq!(apply(&mut decided, renew(4, 30)), unknown);
}

#[test]
fn a_name_that_is_given_anew_brings_no_old_certificate_back() {
    let mut decided = decided();
    apply(&mut decided, add(&anna(), 1, 0)).unwrap();
    let there = Err(Refusal::UserThere { name: anna() });
    assert_eq!(apply(&mut decided, add(&anna(), 2, 10)), there);
    apply(&mut decided, Command::Revoke { name: anna(), now: 20 }).unwrap();
    assert_eq!(apply(&mut decided, add(&anna(), 3, 30)), Ok(Outcome::Created));
    assert!(refused(&decided, 1));
    assert!(!refused(&decided, 3));
    // Once it has expired everywhere its number is worth no memory.
    let later = 5 * DAY;
    apply(&mut decided, add(&"otto".parse().unwrap(), 9, later)).unwrap();
    assert!(!refused(&decided, 1));
}

#[test]
fn users_and_their_certificates_are_bounded_and_old_ones_are_forgotten() {
    let mut decided = decided();
    for number in 0..MOST_USERS as u64 {
        let name = format!("user-{number}").parse().unwrap();
        apply(&mut decided, add(&name, number, 0)).unwrap();
    }
    assert_eq!(apply(&mut decided, add(&anna(), 1, 0)), Err(Refusal::ManyUsers));
    let later = 40 * DAY;
    apply(&mut decided, add(&anna(), 10_000, later)).unwrap();
    assert_eq!(decided.fleet.as_ref().unwrap().users.len(), 1);
    for number in 1..MOST_CERTIFICATES as u64 {
        apply(&mut decided, renew(10_000 + number, later)).unwrap();
    }
    let many = Err(Refusal::ManyCertificates { name: anna() });
    assert_eq!(apply(&mut decided, renew(11_000, later)), many);
    // The next day they have expired.
    apply(&mut decided, renew(11_000, later + 2 * DAY)).unwrap();
}

#[test]
fn every_host_hears_of_a_revoked_user_and_of_what_hosts_may() {
    let mut decided = decided();
    let machine = crate::pki::MachineId(7);
    let join = crate::core::decided::machine::Command::Join {
        machine,
        address: "10.0.0.7:7400".to_owned(),
        key: None,
    };
    decided.apply(&join.into()).unwrap();
    apply(&mut decided, add(&anna(), 1, 0)).unwrap();
    let before = decided.sets[&machine];
    apply(&mut decided, Command::Revoke { name: anna(), now: 0 }).unwrap();
    let revoked = decided.sets[&machine];
    assert!(revoked > before);
    decided.apply(&OfFleet::HostsMay { role: Role::View }.into()).unwrap();
    assert!(decided.sets[&machine] > revoked);
    assert_eq!(decided.set(machine).view.unwrap().may(machine), Role::View);
}

#[test]
fn a_user_is_nothing_that_a_forecast_rests_on() {
    let mut decided = decided();
    apply(&mut decided, add(&anna(), 1, 0)).unwrap();
    assert_eq!((decided.index, decided.layout), (1, 0));
}
