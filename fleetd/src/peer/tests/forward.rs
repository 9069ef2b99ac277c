//! Requests that go on to another host.

use super::fixture::*;
use crate::peer::client::{Client, Limits as ClientLimits};
use crate::peer::limits::Limits;
use crate::peer::{Caller, forward, upgrade};
use crate::pki::{Identity, Role};
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get as route, post};
use axum::{Extension, Router};
use fleetd_api::Problem;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// A host that asks for one of its own users.
fn asks() -> Identity {
    host(3)
}

fn with_user(mut request: Request) -> Request {
    request.headers_mut().insert("flotilla-on-behalf-of", "operate/uid-7".parse().unwrap());
    request
}

/// Hands everything on from one host to another, which may be known later.
fn gate(client: Client, number: u32, to: Arc<Mutex<String>>) -> Router {
    let hand_on = move |request: Request| {
        let (client, address) = (client.clone(), to.lock().unwrap().clone());
        async move {
            let answer = forward(&client, machine(number), &address, request).await;
            answer.unwrap_or_else(IntoResponse::into_response)
        }
    };
    Router::new().route("/view", any(hand_on))
}

/// Host 1 hands on to host 2, which has these routes.
async fn pair(fleet: &Fleet, router: Router) -> (Server, Server) {
    let far = fleet.server_of(2, router, Limits::default()).await;
    let client = fleet.client(&host(1));
    let near = gate(client, 2, Arc::new(Mutex::new(far.at())));
    (fleet.server(near, Limits::default()).await, far)
}

#[tokio::test]
async fn the_other_host_knows_who_asks_and_nothing_of_the_connection() {
    let fleet = Fleet::new();
    let seen = |Extension(caller): Extension<Caller>, headers: HeaderMap, body: Bytes| async move {
        let mut names: Vec<&str> = headers.keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        format!("{} {} {} {}", caller.who, caller.hops, body.len(), names.join(","))
    };
    let (near, _far) = pair(&fleet, Router::new().route("/view", post(seen))).await;
    let mut raw = near.connect(&fleet.credentials(&asks())).await;
    let answer = raw
        .ask(
            "POST /view HTTP/1.1\r\nHost: a\r\nFlotilla-On-Behalf-Of: operate/uid-7\r\nX-Kept: 1\r\nX-Dropped: 1\r\nKeep-Alive: 1\r\n\
             TE: trailers\r\nConnection: x-dropped, keep-alive\r\nContent-Length: 3\r\n\r\nabc",
        )
        .await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let names = "content-length,flotilla-hops,flotilla-on-behalf-of,host,x-kept";
    assert_eq!(body, format!("user uid-7 (operate) by host {} 1 3 {names}", machine(1)));
}

#[tokio::test]
async fn a_stream_comes_through_as_it_is_made_and_ends_with_its_reader() {
    let fleet = Fleet::new();
    let (lines, receiver) = mpsc::channel::<&'static str>(1);
    let receiver = Arc::new(Mutex::new(Some(receiver)));
    let events = move || async move {
        let receiver = receiver.lock().unwrap().take().unwrap();
        Body::from_stream(futures_util::stream::unfold(receiver, async |mut receiver| {
            receiver.recv().await.map(|line| (std::io::Result::Ok(line), receiver))
        }))
    };
    let (near, _far) = pair(&fleet, Router::new().route("/view", route(events))).await;
    let client = fleet.client(&asks());
    let answer = client.request(machine(1), &near.at(), with_user(get("/view"))).await.unwrap();
    let mut stream = answer.into_body().into_data_stream();
    for line in ["one\n", "two\n"] {
        lines.send(line).await.unwrap();
        let piece = futures_util::TryStreamExt::try_next(&mut stream).await.unwrap();
        assert_eq!(piece.unwrap(), line);
    }
    drop(stream);
    lines.closed().await;
}

#[tokio::test]
async fn an_upgrade_comes_through() {
    let fleet = Fleet::new();
    let echo = |request: Request| async {
        upgrade::accept(request, "echo", |stream| async move {
            let (mut reader, mut writer) = tokio::io::split(stream);
            let _ = tokio::io::copy(&mut reader, &mut writer).await;
            let _ = writer.shutdown().await;
        })
    };
    let (near, _far) = pair(&fleet, Router::new().route("/view", post(echo))).await;
    let client = fleet.client(&asks());
    let request = with_user(Request::post("/view").body(Body::empty()).unwrap());
    let mut stream = client.upgrade(machine(1), &near.at(), request, "echo").await.unwrap();
    for word in ["hello", "again"] {
        stream.write_all(word.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let mut bytes = [0; 5];
        stream.read_exact(&mut bytes).await.unwrap();
        assert_eq!(bytes, word.as_bytes());
    }
    // The end of one direction comes through, too.
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    // What the other host refuses is its answer.
    let request = with_user(Request::post("/view").body(Body::empty()).unwrap());
    let error = client.upgrade(machine(1), &near.at(), request, "other").await.unwrap_err();
    assert!(error.to_string().ends_with("it has no Upgrade: echo"), "{error}");
}

async fn problem(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let problem: Problem = serde_json::from_str(&text(response).await).unwrap();
    (status, problem.message)
}

#[tokio::test]
async fn a_loop_is_cut() {
    let fleet = Fleet::new();
    let to_one = Arc::new(Mutex::new(String::new()));
    let two = gate(fleet.client(&host(2)), 1, Arc::clone(&to_one));
    let two = fleet.server_of(2, two, Limits::default()).await;
    let one = gate(fleet.client(&host(1)), 2, Arc::new(Mutex::new(two.at())));
    let one = fleet.server(one, Limits::default()).await;
    *to_one.lock().unwrap() = one.at();
    let client = Client::new(&fleet.credentials(&asks()), ClientLimits::default());
    let answer = client.request(machine(1), &one.at(), with_user(get("/view"))).await.unwrap();
    let (to, at) = (machine(1), one.address);
    assert_eq!(
        problem(answer).await,
        (503, format!("hand a request on to host {to} at {at}: 3 hosts have handed it on already"))
    );
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_named() {
    let fleet = Fleet::new();
    let (near, far) = pair(&fleet, greeting()).await;
    far.stop.cancel();
    far.task.await.unwrap();
    let client = fleet.client(&asks());
    let answer = client.request(machine(1), &near.at(), with_user(get("/view"))).await.unwrap();
    let sentence = format!("connect to host {} at {}: connection refused", machine(2), far.address);
    assert_eq!(problem(answer).await, (503, sentence));
}

#[tokio::test]
async fn nothing_is_handed_on_for_nobody() {
    let fleet = Fleet::new();
    let error = forward(&fleet.client(&host(1)), machine(2), "127.0.0.1:1", get("/view")).await;
    let sentence = error.unwrap_err().to_string();
    assert!(sentence.ends_with("somebody unknown asks, who has to ask it himself"), "{sentence}");
}

#[tokio::test]
async fn nobody_shows_a_users_certificate_for_him() {
    let fleet = Fleet::new();
    let (near, _far) = pair(&fleet, greeting()).await;
    let anna = fleet.client(&user("anna", Role::Admin));
    let answer = anna.request(machine(1), &near.at(), get("/view")).await.unwrap();
    let (status, sentence) = problem(answer).await;
    assert_eq!(status, 403);
    assert!(sentence.ends_with("user anna (admin) asks, who has to ask it himself"), "{sentence}");
}
