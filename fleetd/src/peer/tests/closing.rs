//! When connections end that nobody has closed.

use super::fixture::*;
use crate::peer::limits::Limits;
use crate::peer::listen::listen_by;
use crate::peer::{Client, upgrade};
use crate::pki::fixture as pki;
use crate::pki::{Credentials, Revoked, Role};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::{get as route, post};
use rustls::pki_types::UnixTime;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

fn revoke(fleet: &Fleet, at: &Credentials, name: &str) {
    let mut revoked = Revoked::default();
    revoked.revoke_user(name.parse().unwrap());
    at.replace_trust(fleet.bundle.clone(), revoked);
}

#[tokio::test]
async fn a_user_who_is_revoked_while_connected_is_out() {
    let fleet = Fleet::new();
    let server = fleet.server(greeting(), Limits::default()).await;
    let mut anna = server.connect(&fleet.credentials(&user("anna", Role::View))).await;
    let mut berta = server.connect(&fleet.credentials(&user("berta", Role::View))).await;
    assert!(anna.ask(GET).await.ends_with("hello"));
    assert!(berta.ask(GET).await.ends_with("hello"));
    revoke(&fleet, &server.credentials, "anna");
    assert_eq!(anna.closed().await, "");
    assert!(berta.ask(GET).await.ends_with("hello"), "others stay");
}

/// Starts to answer and goes on when it is told to.
fn slow(begun: &Arc<Notify>, go: &Arc<Notify>) -> Router {
    let (begun, go) = (Arc::clone(begun), Arc::clone(go));
    let handler = || async move {
        begun.notify_one();
        go.notified().await;
        "done"
    };
    Router::new().route("/view", route(handler))
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_end() {
    let fleet = Fleet::new();
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let server = fleet.server(slow(&begun, &go), Limits::default()).await;
    let mut anna = server.connect(&fleet.credentials(&user("anna", Role::View))).await;
    anna.send(GET).await;
    begun.notified().await;
    revoke(&fleet, &server.credentials, "anna");
    go.notify_one();
    let answer = anna.closed().await;
    assert!(answer.ends_with("done"), "{answer}");
}

#[tokio::test]
async fn a_request_without_end_is_cut() {
    let fleet = Fleet::new();
    let endless =
        || async { Body::from_stream(futures_util::stream::pending::<std::io::Result<&str>>()) };
    let router = Router::new().route("/view", route(endless));
    let server = fleet.server(router, Limits::default()).await;
    let mut anna = server.connect(&fleet.credentials(&user("anna", Role::View))).await;
    anna.send(GET).await;
    assert!(anna.answer().await.starts_with("HTTP/1.1 200 "));
    revoke(&fleet, &server.credentials, "anna");
    tokio::time::pause();
    anna.closed().await;
}

#[tokio::test]
async fn a_stream_that_has_left_http_is_cut_too() {
    let fleet = Fleet::new();
    let carry = |request: Request| async {
        upgrade::accept(request, "echo", |stream| async move {
            let (mut reader, mut writer) = tokio::io::split(stream);
            let _ = tokio::io::copy(&mut reader, &mut writer).await;
        })
    };
    let server = fleet.server(Router::new().route("/view", post(carry)), Limits::default()).await;
    let client = fleet.client(&user("anna", Role::View));
    let request = Request::post("/view").body(Body::empty()).unwrap();
    let mut stream = client.upgrade(machine(1), &server.at(), request, "echo").await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    let mut bytes = [0; 5];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"hello");
    revoke(&fleet, &server.credentials, "anna");
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn a_connection_ends_with_its_certificate() {
    let fleet = Fleet::new();
    let seconds = Arc::new(AtomicU64::new(pki::now()));
    let clock = {
        let seconds = Arc::clone(&seconds);
        move || UnixTime::since_unix_epoch(Duration::from_secs(seconds.load(Ordering::Relaxed)))
    };
    let limits = Limits { idle: Duration::from_secs(100 * pki::DAY), ..Limits::default() };
    let credentials = fleet.credentials(&host(1));
    let listener =
        listen_by("127.0.0.1:0", &credentials, limits.clone(), Arc::new(clock)).await.unwrap();
    let server = Server::start(listener, credentials, greeting(), join(&limits));
    let mut anna = server.connect(&fleet.credentials(&user("anna", Role::View))).await;
    assert!(anna.ask(GET).await.ends_with("hello"));
    seconds.fetch_add(31 * pki::DAY, Ordering::Relaxed);
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    assert_eq!(anna.closed().await, "");
    assert!(begun.elapsed() < limits.idle, "it was closed for being idle");
}

#[tokio::test]
async fn a_client_lets_go_of_a_host_that_was_removed() {
    let fleet = Fleet::new();
    let server = fleet.server(greeting(), Limits::default()).await;
    let credentials = fleet.credentials(&user("anna", Role::View));
    let client = Client::new(&credentials, crate::peer::client::Limits::default());
    let answer = client.request(machine(1), &server.at(), get("/view")).await.unwrap();
    assert_eq!(text(answer).await, "hello");
    let mut revoked = Revoked::default();
    revoked.revoke_host(machine(1));
    credentials.replace_trust(fleet.bundle.clone(), revoked);
    let error = client.request(machine(1), &server.at(), get("/view")).await.unwrap_err();
    let sentence = error.to_string();
    assert!(sentence.ends_with("the peer's certificate was revoked"), "{sentence}");
}

#[tokio::test]
async fn a_new_certificate_of_ours_is_shown_on_new_connections() {
    let fleet = Fleet::new();
    let server = fleet.server(greeting(), Limits::default()).await;
    let relay = Relay::to(server.address).await;
    let credentials = fleet.credentials(&user("anna", Role::View));
    let client = Client::new(&credentials, crate::peer::client::Limits::default());
    let at = relay.address.to_string();
    for _ in 0..3 {
        text(client.request(machine(1), &at, get("/view")).await.unwrap()).await;
    }
    assert_eq!(relay.connections(), 1);
    credentials.replace_own(pki::own(&fleet.authority, &user("anna", Role::View)));
    // The connection's task hears of it when it runs next.
    while relay.connections() == 1 {
        text(client.request(machine(1), &at, get("/view")).await.unwrap()).await;
    }
}

#[tokio::test]
async fn the_end_of_the_server_is_in_order() {
    let fleet = Fleet::new();
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let server = fleet.server(slow(&begun, &go), Limits::default()).await;
    let anna = fleet.credentials(&user("anna", Role::View));
    let mut idle = server.connect(&anna).await;
    let mut busy = server.connect(&anna).await;
    busy.send(GET).await;
    begun.notified().await;
    server.stop.cancel();
    assert_eq!(idle.closed().await, "");
    assert!(!server.task.is_finished());
    let late = tokio::net::TcpStream::connect(server.address).await;
    assert!(late.is_err(), "nobody gets in any more");
    go.notify_one();
    assert!(busy.closed().await.ends_with("done"));
    server.task.await.unwrap();
}
