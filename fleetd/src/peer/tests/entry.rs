//! Who gets in, and what is to be had there.

use super::fixture::*;
use crate::peer::limits::Limits;
use crate::peer::{Caller, Via};
use crate::pki::fixture as pki;
use crate::pki::{Identity, Peer, Role, joining};
use axum::routing::get as route;
use axum::{Extension, Router};
use fleetd_api::{Problem, ProblemKind};

#[tokio::test]
async fn those_with_a_certificate_of_the_fleet_get_in_and_are_known() {
    let fleet = Fleet::new();
    let who = |Extension(peer): Extension<Peer>, Extension(caller): Extension<Caller>| async move {
        format!("{} is {}", peer.identity, caller.who)
    };
    let router = Router::new().route("/view", route(who)).route("/v1/peer/x", route(who));
    let server = fleet.server(router, Limits::default()).await;
    for (identity, path) in [(user("anna", Role::View), "/view"), (host(2), "/v1/peer/x")] {
        let client = fleet.client(&identity);
        let answer = client.request(machine(1), &server.at(), get(path)).await.unwrap();
        assert_eq!(text(answer).await, format!("{identity} is {identity}"));
    }
}

/// What a client with these credentials gets told.
async fn refusal(server: &Server, credentials: &std::sync::Arc<crate::pki::Credentials>) -> String {
    let client = crate::peer::Client::new(credentials, crate::peer::client::Limits::default());
    let refused = client.request(machine(1), &server.at(), get("/view")).await;
    refused.unwrap_err().to_string()
}

#[tokio::test]
async fn strangers_do_not_get_in() {
    let (fleet, other) = (Fleet::new(), Fleet::new());
    let server = fleet.server(greeting(), Limits::default()).await;
    let at = format!("host {} at {}", machine(1), server.address);
    // Another fleet's host that trusts this one.
    let shows = pki::own(&other.authority, &host(2));
    let stranger = pki::credentials(&fleet.bundle, shows);
    let sentence = refusal(&server, &stranger).await;
    assert_eq!(
        sentence,
        format!(
            "ask {at}: the peer trusts no authority of our certificate (is it of another fleet?)"
        )
    );
    let old = pki::issued_at(&fleet.authority, &host(2), pki::now());
    assert!(old.certificate().is_some());
    let sentence = refusal(&server, &other.credentials(&host(2))).await;
    assert_eq!(
        sentence,
        format!(
            "connect to {at}: the peer's certificate is of no authority that this fleet trusts"
        )
    );
    let mut revoked = crate::pki::Revoked::default();
    revoked.revoke_host(machine(3));
    server.credentials.replace_trust(fleet.bundle.clone(), revoked);
    let sentence = refusal(&server, &fleet.credentials(&host(3))).await;
    assert_eq!(sentence, format!("ask {at}: the peer says that our certificate was revoked"));
}

#[tokio::test]
async fn an_expired_certificate_does_not_get_in() {
    let fleet = Fleet::new();
    let credentials = fleet.credentials(&host(1));
    let later = rustls::pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(
        pki::now() + 40 * pki::DAY,
    ));
    let clock = std::sync::Arc::new(move || later);
    let listener =
        crate::peer::listen::listen_by("127.0.0.1:0", &credentials, Limits::default(), clock);
    let server =
        Server::start(listener.await.unwrap(), credentials, greeting(), join(&Limits::default()));
    // By our clock the handshake is good; by the one after it, it is over.
    let mut raw = server.connect(&fleet.credentials(&host(2))).await;
    assert_eq!(raw.closed().await, "");
}

#[tokio::test]
async fn without_a_certificate_nobody_gets_in() {
    let fleet = Fleet::new();
    let server = fleet.server(greeting(), Limits::default()).await;
    let mut config = joining::client(fleet.authority.fingerprint()).unwrap();
    config.alpn_protocols.clear();
    match Raw::connect(server.address, config).await {
        // TLS 1.3: the client is done before the server has looked.
        Ok(mut raw) => {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut raw.0, GET.as_bytes()).await;
            assert_eq!(raw.closed().await, "");
        }
        Err(error) => {
            let sentence = crate::pki::refusal::explain(&error);
            assert!(sentence.contains("authority"), "{sentence}");
        }
    }
}

#[tokio::test]
async fn a_connection_to_join_has_the_route_to_join_and_nothing_else() {
    let fleet = Fleet::new();
    let seen = |Extension(via): Extension<Via>| async move { format!("{via:?}") };
    let server = fleet.server(greeting().route("/other", route(seen)), Limits::default()).await;
    let mut raw = server.connect_to_join(&fleet).await;
    let joined = raw.ask("POST /v1/join HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").await;
    assert!(joined.starts_with("HTTP/1.1 200 ") && joined.ends_with("\r\n\r\n3"), "{joined}");
    for path in ["/view", "/v1/peer/x", "/other", "/v1/join/../view", "//view"] {
        let answer = raw.ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
    // Nor has anybody else that route.
    let mut raw = server.connect(&fleet.credentials(&host(2))).await;
    let answer = raw.ask("POST /v1/join HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

#[tokio::test]
async fn a_long_body_of_somebody_who_joins_is_refused() {
    let fleet = Fleet::new();
    let limits = Limits { join_body: 100, ..Limits::default() };
    let server = fleet.server(greeting(), limits).await;
    let mut raw = server.connect_to_join(&fleet).await;
    let head = "POST /v1/join HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n";
    let answer = raw.ask(&format!("{head}{}", "x".repeat(101))).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_user_may_not_speak_for_others() {
    let fleet = Fleet::new();
    let server = fleet.server(greeting(), Limits::default()).await;
    let request = |user: &str| {
        let mut request = get("/view");
        request.headers_mut().insert("flotilla-on-behalf-of", user.parse().unwrap());
        request
    };
    let admin = fleet.client(&user("anna", Role::Admin));
    let answer = admin.request(machine(1), &server.at(), request("view/anna")).await.unwrap();
    assert_eq!(answer.status(), 403);
    let problem: Problem = serde_json::from_str(&text(answer).await).unwrap();
    assert_eq!(problem.kind, ProblemKind::Denied);
    assert_eq!(problem.message, "read header flotilla-on-behalf-of: only a host may send it");
    let host = fleet.client(&host(2));
    let answer = host.request(machine(1), &server.at(), request("view/anna")).await.unwrap();
    assert_eq!(answer.status(), 403);
    let answer = host.request(machine(1), &server.at(), request("view/uid-0")).await.unwrap();
    assert_eq!(text(answer).await, "hello");
}

#[tokio::test]
async fn another_host_at_the_address_is_named() {
    let fleet = Fleet::new();
    let server = fleet.server(greeting(), Limits::default()).await;
    let error = fleet.client(&host(2)).request(machine(7), &server.at(), get("/view")).await;
    let (meant, found, at) = (machine(7), Identity::Host(machine(1)), server.address);
    assert_eq!(
        error.unwrap_err().to_string(),
        format!("connect to host {meant} at {at}: host {meant} was meant, and {found} answered")
    );
}
