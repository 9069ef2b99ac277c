//! Connections that are kept, and requests that are sent again or not.

use super::fixture::*;
use crate::peer::limits::Limits;
use crate::peer::{Client, client};
use crate::pki::{Expected, Role, tls};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use axum::routing::get as route;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

#[tokio::test]
async fn a_thousand_requests_use_few_connections() {
    let fleet = Fleet::new();
    let server = fleet.server(greeting(), Limits::default()).await;
    let relay = Relay::to(server.address).await;
    let at = relay.address.to_string();
    let limits = client::Limits { connections: 4, ..client::Limits::default() };
    let client = Client::new(&fleet.credentials(&user("anna", Role::View)), limits);
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let (client, at) = (client.clone(), at.clone());
        tasks.spawn(async move {
            for _ in 0..50 {
                let answer = client.request(machine(1), &at, get("/view")).await.unwrap();
                assert_eq!(text(answer).await, "hello");
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert!((1..=4).contains(&relay.connections()), "{} connections", relay.connections());
}

#[tokio::test]
async fn a_host_that_takes_all_connections_is_named() {
    let fleet = Fleet::new();
    let endless =
        || async { Body::from_stream(futures_util::stream::pending::<std::io::Result<&str>>()) };
    let server = fleet.server(Router::new().route("/view", route(endless)), Limits::default());
    let server = server.await;
    let limits = client::Limits { connections: 1, ..client::Limits::default() };
    let client = Client::new(&fleet.credentials(&user("anna", Role::View)), limits);
    let held = client.request(machine(1), &server.at(), get("/view")).await.unwrap();
    tokio::time::pause();
    let error = client.request(machine(1), &server.at(), get("/view")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "connect to host {} at {}: all 1 connections to it are in use",
            machine(1),
            server.address
        )
    );
    tokio::time::resume();
    // An answer that is not read to its end frees its place, too.
    drop(held);
    client.request(machine(1), &server.at(), get("/view")).await.unwrap();
}

#[tokio::test]
async fn connections_that_were_cut_meanwhile_are_made_again() {
    let fleet = Fleet::new();
    let server = fleet.server(greeting(), Limits::default()).await;
    let relay = Relay::to(server.address).await;
    let at = relay.address.to_string();
    let client = fleet.client(&user("anna", Role::View));
    for round in 1..=5 {
        let answer = client.request(machine(1), &at, get("/view")).await.unwrap();
        assert_eq!(text(answer).await, "hello");
        assert_eq!(relay.connections(), round);
        relay.cut();
    }
}

/// A host that answers the first request of a connection and closes at the second, which it has
/// read. Counts the requests that it has got.
async fn unreliable(fleet: &Fleet, partly: bool) -> (String, Arc<AtomicUsize>) {
    let config = tls::server(&fleet.credentials(&host(1)), Expected::Anyone).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(tcp).await.unwrap();
            let mut buffer = [0; 4096];
            for number in 0..2 {
                if stream.read(&mut buffer).await.unwrap() == 0 {
                    break;
                }
                counted.fetch_add(1, Ordering::SeqCst);
                let answer = match number {
                    0 => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                    _ if partly => "HTTP/1.1 200 O",
                    _ => "",
                };
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
            }
            let _ = stream.shutdown().await;
        }
    });
    (at, count)
}

async fn ask(client: &Client, at: &str, method: Method) -> Result<String, crate::peer::Error> {
    let request = Request::builder().method(method).uri("/view").body(Body::empty()).unwrap();
    Ok(text(client.request(machine(1), at, request).await?).await)
}

#[tokio::test]
async fn a_request_without_answer_is_sent_again_only_if_that_does_no_harm() {
    let fleet = Fleet::new();
    let client = fleet.client(&user("anna", Role::View));
    let (at, count) = unreliable(&fleet, false).await;
    assert_eq!(ask(&client, &at, Method::GET).await.unwrap(), "ok");
    assert_eq!(ask(&client, &at, Method::GET).await.unwrap(), "ok");
    assert_eq!(count.load(Ordering::SeqCst), 3, "the second was sent twice");

    let (at, count) = unreliable(&fleet, false).await;
    assert_eq!(ask(&client, &at, Method::POST).await.unwrap(), "ok");
    let error = ask(&client, &at, Method::POST).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!("ask host {} at {at}: connection closed before message completed", machine(1))
    );
    assert_eq!(count.load(Ordering::SeqCst), 2);

    let (at, count) = unreliable(&fleet, true).await;
    assert_eq!(ask(&client, &at, Method::GET).await.unwrap(), "ok");
    ask(&client, &at, Method::GET).await.unwrap_err();
    assert_eq!(count.load(Ordering::SeqCst), 2, "something of an answer was there");
}

#[tokio::test]
async fn an_answer_over_the_limit_is_not_read() {
    let fleet = Fleet::new();
    let long = || async { "x".repeat(1001) };
    let server = fleet.server(Router::new().route("/view", route(long)), Limits::default()).await;
    let client = fleet.client(&user("anna", Role::View));
    let ask = |most| {
        let limits = (most, Duration::from_secs(600));
        let (client, at) = (client.clone(), server.at());
        async move { client.ask(machine(1), &at, get("/view"), limits).await }
    };
    assert_eq!(ask(1001).await.unwrap().into_body().len(), 1001);
    let error = ask(1000).await.unwrap_err().to_string();
    assert!(error.ends_with("the answer is longer than 1000 bytes"), "{error}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    let fleet = Fleet::new();
    let never = || std::future::pending::<&str>();
    let server = fleet.server(Router::new().route("/view", route(never)), Limits::default()).await;
    let client = fleet.client(&user("anna", Role::View));
    let (at, limits) = (server.at(), (1000, Duration::from_secs(7)));
    let asked = tokio::spawn(async move {
        client.ask(machine(1), &at, get("/view"), limits).await.unwrap_err().to_string()
    });
    tokio::time::pause();
    let error = asked.await.unwrap();
    assert!(error.ends_with("there is no answer after 7 s"), "{error}");
}

#[tokio::test]
async fn a_host_that_is_not_there_is_named() {
    let fleet = Fleet::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = fleet.client(&host(2)).request(machine(1), &at, get("/view")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("connect to host {} at {at}: connection refused", machine(1))
    );
}
