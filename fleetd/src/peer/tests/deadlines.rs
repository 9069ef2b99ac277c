//! Those who are slow, too many, or make no sense. Time is tokio's, and runs when nothing else does.

use super::fixture::*;
use crate::peer::limits::Limits;
use crate::peer::listen::accept;
use crate::pki::Role;
use std::cell::RefCell;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, pause, sleep};

/// Long enough that no other deadline is taken for the one that is tested.
const LONG: Duration = Duration::from_secs(1_000_000);

fn only(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits {
        handshake: LONG,
        header: LONG,
        idle: LONG,
        body: LONG,
        piece: LONG,
        join: LONG,
        ..Limits::default()
    };
    change(&mut limits);
    limits
}

#[tokio::test]
async fn a_handshake_that_does_not_go_on_ends() {
    let fleet = Fleet::new();
    let limits = only(|limits| limits.handshake = Duration::from_secs(10));
    let server = fleet.server(greeting(), limits).await;
    let mut tcp = TcpStream::connect(server.address).await.unwrap();
    tcp.write_all(&[0x16, 3, 1]).await.unwrap();
    pause();
    let begun = Instant::now();
    let _ = tcp.read(&mut [0]).await;
    assert!(begun.elapsed() < LONG);
}

#[tokio::test]
async fn a_header_that_does_not_go_on_ends() {
    let fleet = Fleet::new();
    let limits = only(|limits| limits.header = Duration::from_secs(10));
    let server = fleet.server(greeting(), limits).await;
    let mut raw = server.connect(&fleet.credentials(&user("anna", Role::View))).await;
    assert!(raw.ask(GET).await.ends_with("hello"));
    raw.send("GET /view HTTP/1.1\r\nX: ").await;
    pause();
    let begun = Instant::now();
    assert_eq!(raw.closed().await, "");
    assert!(begun.elapsed() < LONG);
}

#[tokio::test]
async fn a_connection_that_is_not_used_ends() {
    let fleet = Fleet::new();
    let limits = only(|limits| limits.idle = Duration::from_secs(90));
    let server = fleet.server(greeting(), limits).await;
    let mut raw = server.connect(&fleet.credentials(&user("anna", Role::View))).await;
    assert!(raw.ask(GET).await.ends_with("hello"));
    pause();
    let begun = Instant::now();
    assert_eq!(raw.closed().await, "");
    assert!(begun.elapsed() < LONG);
}

#[tokio::test]
async fn a_body_that_does_not_go_on_ends() {
    for path in ["/view", "/stream"] {
        let fleet = Fleet::new();
        let limits = only(|limits| {
            limits.body = Duration::from_secs(30);
            limits.piece = Duration::from_secs(30);
        });
        let server = fleet.server(greeting(), limits).await;
        let mut raw = server.connect(&fleet.credentials(&user("anna", Role::View))).await;
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na");
        raw.send(&head).await;
        pause();
        let begun = Instant::now();
        let answer = raw.closed().await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{path}: {answer}");
        assert!(begun.elapsed() < LONG, "{path}");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_connection_to_join_ends_whatever_it_does() {
    let fleet = Fleet::new();
    let limits = only(|limits| limits.join = Duration::from_secs(30));
    let server = fleet.server(greeting(), limits).await;
    let mut raw = server.connect_to_join(&fleet).await;
    raw.send("POST /v1/join HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na").await;
    pause();
    let begun = Instant::now();
    raw.closed().await;
    assert!(begun.elapsed() < LONG);
}

#[tokio::test]
async fn one_address_has_as_many_connections_as_it_may() {
    let fleet = Fleet::new();
    let limits = Limits { connections_of_address: 2, ..Limits::default() };
    let server = fleet.server(greeting(), limits).await;
    let anna = fleet.credentials(&user("anna", Role::View));
    let mut first = server.connect(&anna).await;
    let mut second = server.connect(&anna).await;
    assert!(first.ask(GET).await.ends_with("hello"));
    assert!(second.ask(GET).await.ends_with("hello"));
    let config = || crate::pki::tls::client(&anna, crate::pki::Expected::AnyHost).unwrap();
    assert!(Raw::connect(server.address, config()).await.is_err());
    drop(first);
    // Its place is free as soon as the server has seen that it is closed.
    while Raw::connect(server.address, config()).await.is_err() {}
    assert!(second.ask(GET).await.ends_with("hello"));
}

#[tokio::test(start_paused = true)]
async fn a_failed_accept_is_not_the_end() {
    let results = RefCell::new(vec![
        Ok((2, ())),
        Err(io::Error::from_raw_os_error(libc::EMFILE)),
        Err(io::ErrorKind::ConnectionAborted.into()),
        Ok((1, ())),
    ]);
    let accepted = RefCell::new(Vec::new());
    let next = |_: &mut Context<'_>| match results.borrow_mut().pop() {
        Some(result) => Poll::Ready(result),
        None => Poll::Pending,
    };
    let done = async {
        while accepted.borrow().len() < 2 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        () = accept(next, |number, ()| accepted.borrow_mut().push(number)) => {}
        () = done => {}
    }
    assert_eq!(*accepted.borrow(), [1, 2]);
}

#[tokio::test]
async fn a_request_that_says_twice_where_it_ends_is_refused() {
    let fleet = Fleet::new();
    let server = fleet.server(greeting(), Limits::default()).await;
    let anna = fleet.credentials(&user("anna", Role::View));
    let hidden = "0\r\n\r\nGET /view HTTP/1.1\r\nHost: a\r\n\r\n";
    for framing in [
        "Content-Length: 5\r\nContent-Length: 44",
        "Content-Length: 44\r\nContent-Length: 44",
        "Content-Length: 44\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 44",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding : chunked",
        "Content-Length: +5",
        "Content-Length: 5, 5",
    ] {
        let mut raw = server.connect(&anna).await;
        raw.send(&format!("POST /view HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n{hidden}")).await;
        let answers = raw.closed().await;
        assert!(answers.starts_with("HTTP/1.1 400 "), "{framing}: {answers}");
        assert_eq!(answers.matches("HTTP/1.1").count(), 1, "{framing}: {answers}");
    }
}

#[tokio::test]
async fn requests_before_the_answer_are_refused() {
    let fleet = Fleet::new();
    let server = fleet.server(greeting(), Limits::default()).await;
    let mut raw = server.connect(&fleet.credentials(&user("anna", Role::View))).await;
    raw.send(&GET.repeat(3)).await;
    let answers = raw.closed().await;
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 1, "{answers}");
    assert_eq!(answers.matches("HTTP/1.1 400").count(), 1, "{answers}");
}

#[tokio::test]
async fn what_is_left_of_a_body_is_no_request() {
    let fleet = Fleet::new();
    let server = fleet.server(greeting(), Limits::default()).await;
    let mut raw = server.connect(&fleet.credentials(&user("anna", Role::View))).await;
    // There is no such route: nobody reads the body, which looks like a request.
    let head = format!("POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", GET.len());
    raw.send(&head).await;
    let answer = raw.answer().await;
    assert!(answer.contains("connection: close"), "{answer}");
    let _ = raw.0.write_all(GET.as_bytes()).await;
    assert_eq!(raw.closed().await, "");
}
