//! What a request costs. Run by hand: `docs/peer.md` has the command.

use super::fixture::*;
use crate::peer::limits::Limits;
use crate::pki::Role;
use std::time::{Duration, Instant};

const COUNT: usize = 2000;

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
    println!("{what}: median {:?}, p99 {:?} of {}", at(50), at(99), times.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn requests_and_handshakes() {
    let fleet = Fleet::new();
    let limits = Limits { connections_of_address: 100_000, ..Limits::default() };
    let server = fleet.server(greeting(), limits).await;
    let identity = user("anna", Role::View);
    let client = fleet.client(&identity);
    let mut kept = Vec::new();
    for _ in 0..COUNT {
        let begun = Instant::now();
        text(client.request(machine(1), &server.at(), get("/view")).await.unwrap()).await;
        kept.push(begun.elapsed());
    }
    report("request, kept connection", kept);
    let mut fresh = Vec::new();
    for _ in 0..COUNT / 4 {
        let client = fleet.client(&identity);
        let begun = Instant::now();
        text(client.request(machine(1), &server.at(), get("/view")).await.unwrap()).await;
        fresh.push(begun.elapsed());
    }
    report("request, new connection", fresh);
}
