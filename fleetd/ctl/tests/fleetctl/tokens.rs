//! token create, list, revoke.

use crate::server::{Reply, Server};
use serde_json::{Value, json};

const TOKEN: &str = "flt1-abcdefgh-secretsecretsecret-authority-check2";
/// 2025-11-20 19:22:06 UTC
const CREATED: u64 = 1_763_666_526;
const FAR: u64 = 32_503_680_000;

fn record(id: &str, change: Value) -> Value {
    let mut record = json!({"id": id, "created": CREATED, "expires": FAR, "uses": null, "used": 0,
        "revoked": false});
    record.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    record
}

fn server(fleet: Reply) -> Server {
    let expires = CREATED + 3600;
    let new = json!({"token": TOKEN, "record": record("abcdefgh", json!({"uses": 1, "expires": expires}))});
    let listed = json!([
        record("aaaaaaaa", json!({"used": 3})),
        record("bbbbbbbb", json!({"uses": 2, "used": 2})),
        record("cccccccc", json!({"uses": 2, "used": 1, "expires": expires})),
        record("dddddddd", json!({"expires": expires, "revoked": true})),
    ]);
    Server::new(vec![
        ("POST /v1/tokens", Reply::Json(200, new)),
        ("GET /v1/tokens", Reply::Json(200, listed)),
        ("DELETE /v1/tokens/abcdefgh", Reply::Json(200, Value::Null)),
        ("GET /v1/fleet", fleet),
    ])
}

fn known_fleet() -> Reply {
    let fleet = json!({"id": "f", "machine": "m", "address": "10.0.0.1:7400", "leader": "m",
        "voters": ["m"], "generation": 1, "index": 1});
    Reply::Json(200, fleet)
}

#[test]
fn a_new_token_is_alone_on_standard_output() {
    let server = server(known_fleet());
    let ran = server.run(&["token", "create", "--valid-for", "1h", "--uses", "1"]);
    assert_eq!((ran.code, ran.out), (0, format!("{TOKEN}\n")));
    assert_eq!(
        ran.err,
        "for one host, until 2025-11-20 20:22:06 UTC; there:\n\
         fleetctl join 10.0.0.1:7400 --token -    and the token as its input\n"
    );
    assert!(server.run(&["token", "create", "--valid-for=90"]).code == 0);
    assert!(server.run(&["token", "create"]).code == 0);
    let bodies: Vec<Value> = server.changes().into_iter().map(|(_, body)| body).collect();
    let body = |valid_for: Value, uses: Value| json!({"valid_for": valid_for, "uses": uses});
    let null = Value::Null;
    assert_eq!(
        bodies,
        [body(json!(3600), json!(1)), body(json!(90), null.clone()), body(null.clone(), null)]
    );
}

#[test]
fn a_token_that_exists_is_printed_whatever_is_asked_after_it() {
    let ran = server(Reply::Close).run(&["token", "create"]);
    assert_eq!((ran.code, ran.out), (0, format!("{TOKEN}\n")));
    assert!(ran.err.contains("fleetctl join ADDRESS --token -"), "{}", ran.err);
    let ran = server(Reply::Close).run(&["token", "create", "--json"]);
    let out: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&out["token"], &out["record"]["id"]), (&json!(TOKEN), &json!("abcdefgh")));
    assert_eq!(ran.err, "");
}

#[test]
fn a_time_or_a_number_of_hosts_that_cannot_be_is_told() {
    let server = server(known_fleet());
    for (flag, value, cause) in [
        ("--valid-for", "1week", "it takes a time such as 30m, 1h or 7d, or seconds"),
        ("--valid-for", "0", "it takes more than no time"),
        ("--uses", "0", "0 is not in"),
    ] {
        let ran = server.run(&["token", "create", flag, value]);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(cause), "{}", ran.err);
    }
    assert_eq!(server.changes(), []);
}

#[test]
fn token_list_says_what_tokens_are_good_for() {
    let server = server(known_fleet());
    assert_eq!(
        server.run(&["token", "list", "--fields=id,created,uses,state"]).out,
        "\
ID        CREATED                  USES   STATE
aaaaaaaa  2025-11-20 19:22:06 UTC  3/any  valid
bbbbbbbb  2025-11-20 19:22:06 UTC  2/2    used up
cccccccc  2025-11-20 19:22:06 UTC  1/2    expired
dddddddd  2025-11-20 19:22:06 UTC  0/any  revoked
"
    );
    let ran = server.run(&["token", "ls"]);
    let heading: Vec<&str> = ran.out.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(heading, ["ID", "CREATED", "EXPIRES", "USES", "STATE"]);
    let out: Value = serde_json::from_str(&server.run(&["token", "list", "--json"]).out).unwrap();
    assert_eq!(out[1]["used"], 2);
}

#[test]
fn a_token_is_revoked_by_its_id_or_by_itself() {
    let server = server(known_fleet());
    for named in ["abcdefgh", TOKEN] {
        let ran = server.run(&["token", "revoke", named]);
        let line = "abcdefgh is revoked; hosts that joined with it stay\n";
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, line, ""));
    }
    let routes: Vec<String> = server.changes().into_iter().map(|(route, _)| route).collect();
    assert_eq!(routes, ["DELETE /v1/tokens/abcdefgh"; 2]);
    assert_eq!(server.run(&["token", "revoke", "zzzzzzzz"]).code, 1);
}
