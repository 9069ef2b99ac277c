//! init, join, fleet.

use crate::server::{Ran, Reply, Server};
use serde_json::{Value, json};

const FLEET: &str = "3f2a91c0aaaabbbbccccddddeeeeffff";
const HOST: &str = "00f16a7eaaaabbbbccccddddeeeeffff";
const TOKEN: &str = "flt1-abcdefgh-secretsecretsecret-authority-check2";

fn fleet(change: Value) -> Value {
    let mut fleet = json!({"id": FLEET, "machine": HOST, "address": "10.0.0.1:7400",
        "leader": HOST, "voters": [HOST], "generation": 1, "index": 42, "hosts_may": "operate",
        "dropped": {}});
    fleet.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    fleet
}

fn told(change: Value) -> Reply {
    Reply::Json(200, fleet(change))
}

/// A host that is in no fleet yet, goes away, comes back, and at last has a leader.
fn entering(first: Reply) -> Server {
    let (alone, leaderless) = (json!({"id": null, "leader": null}), json!({"leader": null}));
    let after = [told(alone), Reply::Close, told(leaderless), told(json!({}))];
    Server::new(vec![
        ("POST /v1/fleet/init", first),
        ("POST /v1/fleet/join", told(json!({"leader": null}))),
        ("GET /v1/fleet", Reply::turns(after)),
    ])
}

fn looks(server: &Server) -> usize {
    server.bodies().iter().filter(|(route, _)| route == "GET /v1/fleet").count()
}

#[test]
fn an_init_waits_through_fleetds_restart_until_somebody_leads() {
    let server = entering(told(json!({"leader": null})));
    let ran = server.run(&["init", "--advertise", "10.0.0.1"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.out, "fleet 3f2a91c0 is founded; this host is 00f16a7e at 10.0.0.1:7400\n");
    assert!(ran.err.contains("fleetctl token create"), "{}", ran.err);
    let body = json!({"advertise": "10.0.0.1"});
    assert_eq!(server.changes(), [("POST /v1/fleet/init".to_owned(), body)]);
    assert_eq!(looks(&server), 4);
}

#[test]
fn an_init_whose_answer_was_lost_looks_whether_it_was_done() {
    let server = entering(Reply::Close);
    let ran = server.run(&["init", "--advertise", "10.0.0.1", "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), fleet(json!({})));
}

#[test]
fn an_init_that_is_refused_waits_for_nothing() {
    let problem = json!({"kind": "conflict", "message": "found a fleet: this host is in one",
        "hint": "fleetctl fleet"});
    let server = entering(Reply::Json(409, problem));
    let ran = server.run(&["init", "--advertise", "10.0.0.1"]);
    let expected = "fleetctl: found a fleet: this host is in one (fleetctl fleet)\n";
    assert_eq!((ran.code, ran.err.as_str(), looks(&server)), (1, expected, 0));
    assert_eq!(server.run(&["init"]).code, 2);
}

#[test]
fn a_join_takes_the_token_from_standard_input_a_flag_or_the_environment() {
    let server = entering(Reply::Close);
    let line = "host 00f16a7e has joined fleet 3f2a91c0\n";
    let input = format!("{TOKEN}\nanother line\n");
    let ran = server.fed(&["join", "10.0.0.9", "--token", "-"], &input);
    assert_eq!((ran.code, ran.out.as_str()), (0, line), "{}", ran.err);
    assert_eq!(looks(&server), 4);
    let ran = server.run(&["join", "h:7", "--token", TOKEN, "--advertise", "10.0.0.1:7401"]);
    assert_eq!(ran.out, line);
    let mut command = server.command(&["join", "10.0.0.9"]);
    assert_eq!(Ran::from(command.env("FLEETCTL_TOKEN", TOKEN).output().unwrap()).out, line);
    let at = |at: &str, advertise| json!({"at": at, "token": TOKEN, "advertise": advertise, "witness": false});
    let bodies: Vec<Value> = server.changes().into_iter().map(|(_, body)| body).collect();
    let plain = at("10.0.0.9", Value::Null);
    assert_eq!(bodies, [plain.clone(), at("h:7", json!("10.0.0.1:7401")), plain]);
}

#[test]
fn a_join_without_a_token_says_where_there_is_one() {
    let server = entering(Reply::Close);
    let ran = server.fed(&["join", "10.0.0.9", "--token", "-"], "\n");
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.err,
        "fleetctl: read the token: standard input is empty (fleetctl token create, on a host of \
         the fleet, prints one)\n"
    );
    assert_eq!(server.run(&["join", "10.0.0.9"]).code, 2);
    assert_eq!(server.changes(), []);
}

#[test]
fn no_error_shows_the_token() {
    let odd = "a secret of an odd form";
    for token in [TOKEN, odd] {
        let problem = json!({"kind": "denied", "message": format!("join: {token} is used up"),
            "hint": format!("not {token:?}"), "details": [token]});
        let server = Server::new(vec![("POST /v1/fleet/join", Reply::Json(403, problem))]);
        let ran = server.run(&["join", "10.0.0.9", "--token", token]);
        assert_eq!(ran.code, 1);
        let expected = "fleetctl: join: flt1-... is used up (not \"flt1-...\")\n  flt1-...\n";
        assert_eq!((ran.err.as_str(), ran.out.as_str()), (expected, ""));
    }
    let server = entering(Reply::Close);
    let swapped: [&[&str]; 4] = [
        &["join", TOKEN, "--token", "10.0.0.9"],
        &["join", "10.0.0.9", TOKEN, "--token", "-"],
        &["join", "10.0.0.9", "--tokne", TOKEN],
        &[TOKEN],
    ];
    for arguments in swapped {
        let ran = server.run(arguments);
        assert!(ran.code > 0 && !ran.err.is_empty(), "{arguments:?} was taken");
        assert!(!ran.err.contains("secretsecret"), "{}", ran.err);
    }
    assert_eq!(server.changes(), []);
}

#[test]
fn the_fleet_is_shown_line_by_line() {
    let other = "77";
    let server = Server::new(vec![(
        "GET /v1/fleet",
        Reply::turns([told(json!({"voters": [HOST, other.repeat(16)]}))]),
    )]);
    let ran = server.run(&["fleet"]);
    assert_eq!(
        (ran.code, ran.err.as_str(), ran.out.as_str()),
        (
            0,
            "",
            "     Fleet: 3f2a91c0
 This host: 00f16a7e
   Address: 10.0.0.1:7400
    Leader: 00f16a7e
    Voters: 00f16a7e, 77777777
 Hosts may: operate
Generation: 1
     Index: 42
"
        )
    );
    assert!(server.run(&["fleet", "-l"]).out.contains(&format!("Leader: {HOST}\n")));
    let out: Value = serde_json::from_str(&server.run(&["fleet", "--json"]).out).unwrap();
    assert_eq!(out["voters"][0], HOST);
}

#[test]
fn a_fleet_of_one_says_so_and_how_it_becomes_more() {
    let alone = json!({"id": null, "address": null, "voters": []});
    let one = || json!([{"id": HOST, "ip": null, "metadata": {}, "version": "1"}]);
    let server = Server::new(vec![
        ("GET /v1/fleet", Reply::turns([told(alone), told(json!({}))])),
        ("GET /v1/machines", Reply::Json(200, one())),
    ]);
    let ran = server.run(&["fleet"]);
    let first =
        "     Fleet: none; this host is a fleet of one\n This host: 00f16a7e\n   Address: -\n";
    assert!(ran.out.starts_with(first), "{}", ran.out);
    assert!(ran.err.contains("fleetctl init") && ran.err.contains("fleetctl join"), "{}", ran.err);
    let ran = server.run(&["fleet"]);
    assert_eq!(ran.err, "it is a fleet of one: fleetctl token create lets other hosts join\n");
}
