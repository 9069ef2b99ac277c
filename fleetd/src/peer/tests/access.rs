//! Every caller on every route.

use super::fixture::{host, hosts_are_admins, machine, user};
use crate::peer::access::{HostsMay, guard};
use crate::peer::limits::Limits;
use crate::peer::table::{Need, Rule, TABLE};
use crate::peer::{Caller, Via};
use crate::pki::fixture as pki;
use crate::pki::{Identity, Peer, Role};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use axum::routing::{MethodFilter, on};
use axum::{Extension, Router};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

const ROLES: [Role; 3] = [Role::View, Role::Operate, Role::Admin];

/// All routes of the table, each with who asks as its answer, and one that is not in it.
fn router() -> Router {
    router_where(hosts_are_admins())
}

fn router_where(hosts_may: HostsMay) -> Router {
    let answer = |Extension(caller): Extension<Caller>| async move { caller.who.to_string() };
    let mut router = Router::new();
    for rule in TABLE {
        let method = Method::from_bytes(rule.method.as_bytes()).unwrap();
        router = router.route(rule.route, on(MethodFilter::try_from(method).unwrap(), answer));
    }
    let new = axum::routing::get(|| async { "nobody asked whether this may be" });
    router = router.route("/v1/new", new).fallback(|| async { "the fallback" });
    guard(router, &Limits::default(), hosts_may)
}

fn peer(identity: Identity) -> Via {
    let authority = pki::fleet().fingerprint();
    Via::Peer(Peer { identity, serial: "0a".parse().unwrap(), authority })
}

#[derive(Clone)]
struct Asks {
    what: String,
    via: Option<Via>,
    headers: Vec<(&'static str, String)>,
    /// What it may use, spelled out: to join, what hosts use, and what users use up to a role.
    may: (bool, bool, Option<Role>),
}

fn asks(
    what: &str,
    via: Via,
    headers: &[(&'static str, &str)],
    may: (bool, bool, Option<Role>),
) -> Asks {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Asks { what: what.to_owned(), via: Some(via), headers, may }
}

const FOR: &str = "flotilla-on-behalf-of";

fn callers() -> Vec<Asks> {
    let nothing = (false, false, None);
    let anna = |role| peer(user("anna", role));
    let host = || peer(host(2));
    let mut all = vec![
        asks("joins", Via::Join, &[], (true, false, None)),
        asks("joins for a user", Via::Join, &[(FOR, "admin/anna")], nothing),
        asks("host", host(), &[], (false, true, None)),
        asks("host for no role", host(), &[(FOR, "root/anna")], nothing),
        asks("host for no name", host(), &[(FOR, "admin/")], nothing),
        asks("host for nobody", host(), &[(FOR, "")], nothing),
        asks("host for a host", host(), &[(FOR, "host/2")], nothing),
        asks("host for a user with a certificate", host(), &[(FOR, "admin/anna")], nothing),
        asks("host for no number", host(), &[(FOR, "admin/uid-")], nothing),
        asks("host for a word", host(), &[(FOR, "admin/uid-root")], nothing),
        asks("host for two", host(), &[(FOR, "view/uid-0"), (FOR, "admin/uid-0")], nothing),
        asks("host with odd hops", host(), &[("flotilla-hops", "-1")], nothing),
        asks("user with hops", anna(Role::Admin), &[("flotilla-hops", "0")], nothing),
        asks("user for itself", anna(Role::Admin), &[(FOR, "admin/anna")], nothing),
        asks("user for nobody", anna(Role::Admin), &[(FOR, "")], nothing),
        asks("root", Via::Local { uid: 0 }, &[], (false, false, Some(Role::Admin))),
        asks("root for a user", Via::Local { uid: 0 }, &[(FOR, "admin/anna")], nothing),
    ];
    for role in ROLES {
        all.push(asks("user", anna(role), &[], (false, false, Some(role))));
        let value = format!("{role}/uid-0");
        all.push(asks(
            "host for its own user",
            host(),
            &[(FOR, &value)],
            (false, false, Some(role)),
        ));
    }
    let unknown = Asks { what: "unknown".to_owned(), via: None, headers: Vec::new(), may: nothing };
    all.push(unknown);
    all
}

fn may(asks: &Asks, rule: &Rule) -> bool {
    let (join, host, role) = asks.may;
    match rule.need {
        Need::Anonymous => join,
        Need::Host => host,
        Need::User(Role::View) => role.is_some(),
        Need::User(Role::Operate) => matches!(role, Some(Role::Operate | Role::Admin)),
        Need::User(Role::Admin) => role == Some(Role::Admin),
    }
}

async fn status(router: &Router, asks: &Asks, method: &str, path: &str) -> StatusCode {
    let mut request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    if let Some(via) = &asks.via {
        request.extensions_mut().insert(via.clone());
    }
    for (name, value) in &asks.headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    TowerToHyperService::new(router.clone()).call(request).await.unwrap().status()
}

#[tokio::test]
async fn everybody_may_what_the_table_says_and_nothing_else() {
    let router = router();
    for asks in callers() {
        for rule in TABLE {
            let path = rule.route.replace("{name}", "a.container").replace("{*reference}", "a/b:c");
            let status = status(&router, &asks, rule.method, &path).await;
            let wanted = if may(&asks, rule) { StatusCode::OK } else { StatusCode::FORBIDDEN };
            let what = (&asks.what, asks.may.2, rule.method, &path);
            assert_eq!(status, wanted, "{what:?}");
        }
    }
}

/// Host 2 may look, host 3 and this one more.
fn some_may_look() -> HostsMay {
    std::sync::Arc::new(|host| match host {
        Some(host) if host == machine(2) => Role::View,
        Some(_) => Role::Operate,
        None => Role::Operate,
    })
}

#[tokio::test]
async fn a_host_that_claims_more_than_hosts_may_gets_what_they_may() {
    let router = router_where(some_may_look());
    let nothing = (false, false, None);
    let by = |number, role: &str| {
        asks(role, peer(host(number)), &[(FOR, &format!("{role}/uid-0"))], nothing)
    };
    let root = || asks("root", Via::Local { uid: 0 }, &[], nothing);
    for (asks, method, path, wanted) in [
        (by(2, "admin"), "GET", "/v1/units", 200),
        (by(2, "admin"), "PUT", "/v1/units/a.container/desired", 403),
        (by(2, "admin"), "POST", "/v1/users", 403),
        (by(3, "admin"), "PUT", "/v1/units/a.container/desired", 200),
        (by(3, "admin"), "PUT", "/v1/units/a.container", 403),
        // What its socket has said is less than it might.
        (by(3, "view"), "PUT", "/v1/units/a.container/desired", 403),
        (root(), "PUT", "/v1/units/a.container/desired", 200),
        (root(), "POST", "/v1/units/a.container/exec", 403),
    ] {
        let what = (asks.what.clone(), method, path);
        assert_eq!(status(&router, &asks, method, path).await, wanted, "{what:?}");
    }
    // A user's own certificate is worth what it says, through whichever host.
    let anna = asks("anna", peer(user("anna", Role::Admin)), &[], nothing);
    assert_eq!(status(&router, &anna, "POST", "/v1/users").await, 200);
}

/// Spelled out, so that a changed table shows.
#[tokio::test]
async fn a_role_is_what_it_is_meant_to_be() {
    let router = router();
    for (role, method, path, wanted) in [
        (Role::View, "GET", "/v1/units/a.container", 200),
        (Role::View, "HEAD", "/v1/units/a.container", 200),
        (Role::View, "PUT", "/v1/units/a.container/desired", 403),
        (Role::View, "POST", "/v1/units/a.container/exec", 403),
        (Role::Operate, "PUT", "/v1/units/a.container/desired", 200),
        (Role::Operate, "PUT", "/v1/units/a.container", 403),
        (Role::Operate, "DELETE", "/v1/units/a.container", 403),
        (Role::Operate, "POST", "/v1/units/a.container/exec", 403),
        (Role::Operate, "POST", "/v1/images", 403),
        (Role::Admin, "POST", "/v1/units/a.container/exec", 200),
        (Role::Admin, "PUT", "/v1/units/a.container", 200),
        (Role::Admin, "POST", "/v1/peer/raft/append", 403),
    ] {
        let asks = asks("user", peer(user("anna", role)), &[], (false, false, Some(role)));
        assert_eq!(status(&router, &asks, method, path).await, wanted, "{role} {method} {path}");
    }
}

#[tokio::test]
async fn what_has_no_rule_is_refused_to_everybody() {
    let router = router();
    let admin = asks("root", Via::Local { uid: 0 }, &[], (false, false, Some(Role::Admin)));
    for (method, path, wanted) in [
        ("GET", "/v1/new", 403),
        ("GET", "/v1/none", 404),
        ("GET", "/", 404),
        ("PATCH", "/v1/units/a.container", 404),
        ("GET", "/v1/units/", 404),
        ("GET", "/v1/units/../peer/raft/append", 404),
        ("GET", "/v1//units", 404),
        ("GET", "/V1/units", 404),
        ("OPTIONS", "/v1/units", 404),
    ] {
        assert_eq!(status(&router, &admin, method, path).await, wanted, "{method} {path}");
    }
    // An escaped slash is part of a name, not of the route.
    assert_eq!(status(&router, &admin, "GET", "/v1/units/a%2Flogs").await, 200);
    assert_eq!(machine(2).to_string().len(), 32);
}
