//! Users with certificates, over the network and by any host: who may what, and who no longer.

use crate::{LONELY, WEB};
use flotilla_tests::playground::{Ground, eventually, needs, said};
use flotilla_tests::user::User;
use flotilla_tests::{Scratch, programs, require};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const ROLES: [&str; 3] = ["view", "operate", "admin"];

/// The port of a host.
pub(crate) fn at(host: &str) -> String {
    format!("10.90.0.{}:7400", &host[1..])
}

/// Makes a user, whose name is its role, by a host; its file.
pub(crate) fn user(ground: &Ground, host: &str, scratch: &Scratch, role: &str) -> PathBuf {
    let file = scratch.path().join(format!("{role}.user"));
    ground.ctl(host, &["user", "add", role, "--role", role, "--out", file.to_str().unwrap()]);
    file
}

/// fleetctl of a user who is at a host and has nothing to do with its fleetd.
fn fleetctl(ground: &Ground, from: &str, file: &Path, arguments: &[&str]) -> Output {
    ground.inside(from, command(file, arguments, |mut command| command.output().unwrap()))
}

fn command<T: Send + 'static>(
    file: &Path,
    arguments: &[&str],
    run: impl FnOnce(Command) -> T + Send + 'static,
) -> impl FnOnce() -> T + Send + 'static {
    let mut command = Command::new(programs::path("fleetctl"));
    command.arg("--fleet").arg(file).args(arguments).stdin(Stdio::null());
    move || run(command)
}

fn does(ground: &Ground, from: &str, file: &Path, arguments: &[&str]) -> String {
    said(arguments, &fleetctl(ground, from, file, arguments))
}

/// The one line that it fails with.
fn refused(ground: &Ground, from: &str, file: &Path, arguments: &[&str]) -> String {
    let output = fleetctl(ground, from, file, arguments);
    assert!(!output.status.success(), "{arguments:?} succeeded");
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

/// A host that does not vote.
fn no_voter(ground: &Ground) -> String {
    let machines = ground.machines("h1");
    let one = machines.iter().find(|machine| machine["role"] == "host").unwrap();
    ground.host_of(one["id"].as_str().unwrap()).unwrap()
}

#[test]
fn a_user_works_from_anywhere_by_any_host() {
    require!(needs());
    let (ground, scratch) = (Ground::fleet(4), Scratch::new());
    let admin = user(&ground, "h2", &scratch, "admin");
    assert_eq!(std::fs::metadata(&admin).unwrap().permissions().mode() & 0o777, 0o600);
    // Its key is not written over.
    let again = ["user", "add", "other", "--role", "view", "--out", admin.to_str().unwrap()];
    assert!(!ground.try_ctl("h2", &again).status.success());
    assert!(!ground.ctl("h1", &["user", "list"]).contains("other"));
    // Every host answers, and one that does not lead knows who does.
    let unit = scratch.path().join("lone.container");
    std::fs::write(&unit, LONELY).unwrap();
    does(&ground, "h1", &admin, &["--host", "10.90.0.4", "start", unit.to_str().unwrap()]);
    for host in ["10.90.0.1", "10.90.0.2", "10.90.0.3", "10.90.0.4:7400"] {
        let by = |arguments: &[&str]| {
            does(&ground, "h1", &admin, &[&["--host", host], arguments].concat())
        };
        assert!(by(&["list-units"]).contains("lone.container"), "{host}");
        assert!(by(&["logs", "lone"]).contains("listening"), "{host}");
        assert!(by(&["image", "list"]).contains("hello"), "{host}");
        assert_eq!(by(&["cat", "lone"]), LONELY);
        let exec = ["--host", host, "exec", "lone", "--", "/bin/hello-server", "--what"];
        let output = fleetctl(&ground, "h1", &admin, &exec);
        assert!(String::from_utf8_lossy(&output.stderr).contains("is not --probe"), "{output:?}");
        assert_eq!(output.status.code(), Some(1));
    }
    // A dead host is passed over.
    let file: Value = serde_json::from_slice(&std::fs::read(&admin).unwrap()).unwrap();
    let first = file["hosts"][0]["address"].as_str().unwrap();
    let first = format!("h{}", first.trim_end_matches(":7400").rsplit('.').next().unwrap());
    let from = if first == "h1" { "h2" } else { "h1" };
    ground.play(&["kill", &first]);
    eventually("another one answers", || {
        let output = fleetctl(&ground, from, &admin, &["list-machines"]);
        String::from_utf8_lossy(&output.stdout).contains("dead")
    });
    let alone = format!("10.90.0.{}", &first[1..]);
    let error = refused(&ground, from, &admin, &["--host", &alone, "list-units"]);
    assert!(error.contains(&format!("connect to {alone}:7400: ")), "{error}");
    // The next certificate is of another key, and works.
    does(&ground, from, &admin, &["user", "renew"]);
    let next: Value = serde_json::from_slice(&std::fs::read(&admin).unwrap()).unwrap();
    assert_ne!(file["key"], next["key"]);
    does(&ground, from, &admin, &["list-units"]);
}

#[test]
fn who_is_revoked_is_out_on_every_host_with_all_that_is_open() {
    require!(needs());
    let (ground, scratch) = (Ground::fleet(3), Scratch::new());
    said(&["start"], &ground.start("h1", "lone.container", LONELY));
    let view = user(&ground, "h1", &scratch, "view");
    // Somebody who listens.
    let listens = ["logs", "-f", "lone"];
    let mut child = ground.inside(
        "h1",
        command(&view, &listens, |mut command| command.stdout(Stdio::piped()).spawn().unwrap()),
    );
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("listening"));
    ground.ctl("h3", &["user", "revoke", "view"]);
    assert!(lines.next().is_none(), "it hears no more");
    child.wait().unwrap();
    for host in ["10.90.0.1", "10.90.0.2", "10.90.0.3"] {
        eventually("it is refused", || {
            let output = fleetctl(&ground, "h1", &view, &["--host", host, "list-units"]);
            String::from_utf8_lossy(&output.stderr).contains("our certificate was revoked")
        });
    }
    let users = ground.ctl("h2", &["user", "list"]);
    assert!(users.lines().any(|line| line.starts_with("view") && line.contains("revoked")));
    // A name that is given anew lets nobody in with what it was given before.
    let old = scratch.path().join("old.user");
    std::fs::rename(&view, &old).unwrap();
    let new = user(&ground, "h1", &scratch, "view");
    eventually("it gets in", || fleetctl(&ground, "h1", &new, &["list-units"]).status.success());
    assert!(refused(&ground, "h1", &old, &["list-units"]).contains("revoked"));
}

#[test]
fn a_certificate_of_another_fleet_is_worth_nothing() {
    require!(needs());
    let (ground, scratch) = (Ground::up(2), Scratch::new());
    for host in ["h1", "h2"] {
        ground.ctl(host, &["init", "--advertise", &at(host)]);
    }
    let admin = user(&ground, "h1", &scratch, "admin");
    does(&ground, "h1", &admin, &["list-machines"]);
    let error = refused(&ground, "h1", &admin, &["--host", "10.90.0.2", "list-machines"]);
    assert!(error.contains("no authority that this fleet trusts"), "{error}");
}

/// etcd's GHSA-rfx7, GHSA-q8m4, GHSA-xg4h, CVE-2026-44283, CVE-2023-32082, CVE-2021-28235 and
/// CVE-2018-16886: calls, nested or new ones, that nobody had thought to guard. So every route that
/// the daemon itself lists is asked for by every role that may not, on each host.
#[test]
fn every_call_is_refused_to_every_role_that_is_too_small() {
    require!(needs());
    let (ground, scratch) = (Ground::fleet(3), Scratch::new());
    said(&["start"], &ground.start("h1", "lone.container", LONELY));
    let users = ROLES.map(|role| user(&ground, "h1", &scratch, role));
    let tokens = ground.ctl("h1", &["token", "list"]);
    let asked = ground.inside("h1", move || {
        let document = User::of(&users[0]).json(&at("h1"), "GET", "/v1/openapi.json", "").json();
        let mut asked = 0;
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let needed = operation["x-flotilla-role"].as_str().unwrap();
                let least = ROLES.iter().position(|role| *role == needed).unwrap();
                for (number, file) in users.iter().enumerate().take(least) {
                    let path = path.replace("{name}", "lone.container");
                    let path = path.replace("{reference}", "hello").replace("{id}", "x");
                    let host = ["h1", "h2", "h3"][asked % 3];
                    let method = method.to_uppercase();
                    let answer = User::of(file).json(&at(host), &method, &path, "{}");
                    let what = format!("{} {method} {path} by {host}", ROLES[number]);
                    assert_eq!(answer.status, 403, "{what}: {answer:?}");
                    let says = format!("it takes the role {needed}");
                    assert!(answer.message().contains(&says), "{what}: {answer:?}");
                    asked += 1;
                }
            }
        }
        // Nobody renews somebody else, nor speaks for somebody; what is no route is none.
        let (view, admin) = (User::of(&users[0]), User::of(&users[2]));
        let renewed = view.json(&at("h1"), "POST", "/v1/users/admin/renew", r#"{"csr":""}"#);
        assert!([307, 403].contains(&renewed.status), "{renewed:?}");
        for header in ["Flotilla-On-Behalf-Of: admin/uid-0\r\n", "Flotilla-Hops: 0\r\n"] {
            let answer = admin.ask(&at("h2"), "GET", "/v1/units", header, "");
            assert_eq!(answer.status, 403, "{answer:?}");
        }
        for path in ["/v1/units/../users", "/v1//users", "/V1/users", "/v1/users/"] {
            let answer = view.ask(&at("h2"), "GET", path, "", "");
            assert_eq!(answer.status, 404, "{path}: {answer:?}");
        }
        asked
    });
    assert!(asked > 25, "{asked} were asked");
    // Nothing of it was done.
    assert!(ground.running("h1", "lone.container").is_some());
    assert_eq!(ground.ctl("h1", &["token", "list"]), tokens);
}

#[test]
fn unit_files_are_not_shown_to_who_may_only_look() {
    require!(needs());
    let (ground, scratch) = (Ground::fleet(1), Scratch::new());
    let secret = LONELY.replace("[Container]\n", "[Container]\nEnvironment=TOKEN=hunter2\n");
    said(&["start"], &ground.start("h1", "lone.container", &secret));
    let [view, operate, _] = ROLES.map(|role| user(&ground, "h1", &scratch, role));
    let error = refused(&ground, "h1", &view, &["cat", "lone"]);
    assert!(error.contains("it takes the role operate"), "{error}");
    assert!(does(&ground, "h1", &operate, &["cat", "lone"]).contains("hunter2"));
    let file = view.clone();
    let seen = ground.inside("h1", move || {
        let view = User::of(&file);
        let paths = ["/v1/units", "/v1/units/lone.container", "/v1/units/lone.container/why"];
        paths.map(|path| view.json(&at("h1"), "GET", path, "").body).concat()
    });
    assert!(seen.contains("lone.container") && !seen.contains("hunter2"), "{seen}");
}

#[test]
fn root_of_a_host_is_no_admin_where_the_fleet_says_so() {
    require!(needs());
    let (ground, scratch) = (Ground::fleet(4), Scratch::new());
    said(&["start"], &ground.start("h1", "web@.container", WEB));
    let host = no_voter(&ground);
    let voter = ground.leader("h1").unwrap();
    let admin = user(&ground, &host, &scratch, "admin");
    ground.ctl(&host, &["fleet", "set", "hosts-may=view"]);
    let denied = |arguments: &[&str]| {
        let output = ground.try_ctl(&host, arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        !output.status.success() && error.contains("this fleet does not let its hosts")
    };
    eventually("it may not", || denied(&["token", "create"]));
    assert!(denied(&["scale", "web@", "2"]));
    assert!(denied(&["fleet", "set", "hosts-may=admin"]));
    ground.ctl(&host, &["list-units"]);
    // A thief of its key says what he likes to whoever leads.
    let (identity, leader) = (ground.state_dir().join(&host).join("identity.json"), at(&voter));
    let created = r#"{"name":"mallory","role":"admin","csr":""}"#.to_owned();
    ground.inside(&host, move || {
        let thief = User::of_host(&identity);
        for claim in ["admin/uid-0", "operate/uid-0", "admin/admin", "admin/uid-x"] {
            let length = created.len();
            let head = format!(
                "Flotilla-On-Behalf-Of: {claim}\r\nContent-Type: application/json\r\n\
                 Content-Length: {length}\r\n"
            );
            let answer = thief.ask(&leader, "POST", "/v1/users", &head, &created);
            assert_eq!(answer.status, 403, "{claim}: {answer:?}");
        }
        let alone = thief.json(&leader, "POST", "/v1/users", &created);
        assert_eq!(alone.status, 403, "{alone:?}");
    });
    // A user is as great as ever, by that host, too; and a voter's own root.
    let by = format!("10.90.0.{}", &host[1..]);
    does(&ground, "h1", &admin, &["--host", &by, "scale", "web@", "2"]);
    ground.ctl(&voter, &["fleet", "set", "hosts-may=operate"]);
    eventually("it may scale", || ground.try_ctl(&host, &["scale", "web@", "1"]).status.success());
    assert!(denied(&["token", "create"]));
}
