//! What people ask of a fleet, on any of its hosts.

use super::draw;
use super::host::{Answer, Fleetd, Order, id};
use super::registers::{Of, Value, read, wanted};
use super::world::{say, with};
use crate::core::decided::image;
use crate::core::tests::simulation::units;
use data_encoding::BASE64;
use fleetd_api::{Backup, Desire, DesiredState, Restored, SetSecret, Submit};
use rand::RngExt as _;
use std::collections::BTreeMap;

/// Asks something of some host.
pub(super) fn act(number: usize) {
    let count = with(|world| world.hosts.len());
    let host = draw(|rng| rng.random_range(0..count));
    let names: Vec<&'static str> = units::names().collect();
    let unit = names[draw(|rng| rng.random_range(0..names.len()))];
    let desired = [DesiredState::Launched, DesiredState::Loaded, DesiredState::Inactive];
    let desired = desired[[0, 0, 0, 1, 2][draw(|rng| rng.random_range(0..5))]];
    match draw(|rng| rng.random_range(0..15)) {
        9 => cordon(host, draw(|rng| rng.random_range(0..count))),
        10 => rotate(host),
        11 => back_up(host),
        12 => restore(host),
        13 | 14 => keep_secret(host, number),
        0..6 => submit(host, unit, desired, number),
        6..9 => {
            let body = serde_json::to_vec(&Desire { desired }).unwrap();
            let path = format!("/v1/units/{unit}/desired");
            write(host, unit, ("PUT", path, body), &[(Of::Wanted, Some(wanted(desired)))]);
        }
        _ => {
            let path = format!("/v1/units/{unit}");
            let gone = [(Of::File, None), (Of::Wanted, None)];
            write(host, unit, ("DELETE", path, Vec::new()), &gone);
        }
    }
}

fn submit(host: usize, unit: &'static str, desired: DesiredState, number: usize) {
    let second = draw(|rng| rng.random_bool(0.5));
    // Nobody has had this file yet: it cannot be taken for another one.
    let file = units::variant(unit, second, number);
    let (text, drop_ins, replace) = (file.text, BTreeMap::new(), true);
    let body = Submit { text, drop_ins, replace, desired: Some(desired) };
    let body = serde_json::to_vec(&body).unwrap();
    let values = [(Of::File, Some(file.hash)), (Of::Wanted, Some(wanted(desired)))];
    write(host, unit, ("PUT", format!("/v1/units/{unit}"), body), &values);
}

fn cordon(host: usize, machine: usize) {
    let cordoned = draw(|rng| rng.random_bool(0.4));
    let machine = id(machine).to_string();
    let body = format!("{{\"cordoned\":{cordoned}}}").into_bytes();
    let path = format!("/v1/machines/{machine}");
    write(host, &machine, ("PATCH", path, body), &[(Of::Cordoned, cordoned.then(String::new))]);
}

/// A secret gets a value that none has had, or goes.
fn keep_secret(host: usize, number: usize) {
    let name = units::SECRETS[draw(|rng| rng.random_range(0..units::SECRETS.len()))];
    let path = format!("/v1/secrets/{name}");
    if draw(|rng| rng.random_bool(0.2)) {
        let asked = ("DELETE", format!("{path}?force=true"), Vec::new());
        return write(host, name, asked, &[(Of::Secret, None)]);
    }
    let value = BASE64.encode(format!("{number:010}").as_bytes());
    let body = serde_json::to_vec(&SetSecret { value: value.clone() }).unwrap();
    write(host, name, ("PUT", path, body), &[(Of::Secret, Some(value))]);
}

/// Other keys, if that is not under way.
fn rotate(host: usize) {
    write(host, "", ("POST", "/v1/fleet/rotation".to_owned(), b"{\"keys\":[]}".to_vec()), &[]);
}

/// Keeps what is decided, as a file.
fn back_up(host: usize) {
    let (method, path, body) = ("GET", "/v1/fleet/backup".to_owned(), Vec::new());
    let told = move |(status, body): Answer| {
        say(format_args!("a backup on h{host}: {status}"));
        if status.is_success() {
            with(|world| world.backup = Some(body));
        }
    };
    with(|world| world.ask(host, Order { method, path, body, told: Box::new(told) }));
}

/// Brings all units and secrets back to what the backup says. Most ask it of the one that leads: of a host that is only
/// cut off it may make a fleet of its own, until others hear of that.
fn restore(any: usize) {
    let leads = |fleetd: &Fleetd| fleetd.api.as_ref().is_some_and(|api| api.consensus.leads());
    let leader = with(|world| world.fleetds.iter().position(leads));
    let host = if draw(|rng| rng.random_bool(0.3)) { Some(any) } else { leader };
    let backup = with(|world| world.backup.clone());
    let Some((backup, host)) = backup.zip(host) else { return };
    let taken: Backup = serde_json::from_slice(&backup).unwrap();
    let then = image::read(taken.decided.as_bytes()).unwrap();
    let writes = with(|world| {
        let begin = |unit: &'static str| {
            let values = [Of::File, Of::Wanted].map(|of| (of, read(&then, unit, of)));
            (unit, world.registers.begin(unit, &values))
        };
        // Those that are submitted before it is done, too.
        let mut writes: Vec<_> = units::names().map(begin).collect();
        for name in units::SECRETS {
            // One that the backup does not have stays as it is.
            if let Some(value) = read(&then, name, Of::Secret) {
                let values = [(Of::Secret, Some(value))];
                writes.push((name, world.registers.begin(name, &values)));
            }
        }
        writes
    });
    say(format_args!("a restore on h{host} of {} units", then.units.len()));
    let told = move |(status, body): Answer| {
        let text = String::from_utf8_lossy(&body).into_owned();
        say(format_args!("a restore on h{host}: {status} {text}"));
        if !status.is_success() {
            return;
        }
        let Restored { added, changed, destroyed, secrets, generation, .. } =
            serde_json::from_slice(&body).unwrap();
        // With a later one nobody can rely on anything of before, and it has not begun yet.
        if generation.is_some() {
            return;
        }
        // What changes nothing is not decided, and so may have been worked out by who leads no more.
        if [added, changed, destroyed, secrets].iter().all(Vec::is_empty) {
            return;
        }
        with(|world| {
            let index = world.check.newest().map_or(0, |decided| decided.index);
            for (unit, write) in writes {
                world.registers.acknowledge(unit, write, index);
            }
        });
    };
    let (method, path, told) = ("POST", "/v1/fleet/restore".to_owned(), Box::new(told));
    with(|world| world.ask(host, Order { method, path, body: backup, told }));
}

/// What is not acknowledged may have been done all the same.
fn write(
    host: usize,
    unit: &str,
    (method, path, body): (&'static str, String, Vec<u8>),
    values: &[(Of, Value)],
) {
    let write = with(|world| world.registers.begin(unit, values));
    let (what, unit) = (format!("{method} {path} on h{host}"), unit.to_owned());
    say(format_args!("{what}: {values:?}"));
    let told = move |(status, body): Answer| {
        let text = String::from_utf8_lossy(&body).into_owned();
        say(format_args!("{what}: {status} {text}"));
        if status.is_success() {
            with(|world| {
                // It was decided by now, at this index or before.
                let index = world.check.newest().map_or(0, |decided| decided.index);
                world.registers.acknowledge(&unit, write, index);
            });
        }
    };
    with(|world| world.ask(host, Order { method, path, body, told: Box::new(told) }));
}
