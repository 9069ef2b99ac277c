//! Gossip's streams: connections of the hosts' port that leave HTTP.

use crate::core::gossip::Node;
use crate::gossip::{Connect, Handle};
use crate::peer::client::Upgraded;
use crate::peer::upgrade;
use crate::peer::{Caller, Client, Who};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use std::io;

pub const PATH: &str = "/v1/peer/gossip";
const PROTOCOL: &str = "flotilla-gossip";

/// Opens them.
#[derive(Clone)]
pub struct Streams(pub Client);

impl Connect for Streams {
    type Stream = Upgraded;

    async fn connect(&self, to: &Node) -> io::Result<Upgraded> {
        let request = Request::post(PATH).body(Body::empty()).map_err(io::Error::other)?;
        let address = to.address.to_string();
        self.0.upgrade(to.host, &address, request, PROTOCOL).await.map_err(io::Error::other)
    }
}

/// Where those of other hosts are answered. `never_itself`: this host cannot be the one that asks.
pub fn router(gossip: Handle, never_itself: bool) -> Router {
    Router::new().route(PATH, post(answer)).with_state((gossip, never_itself))
}

async fn answer(
    State((gossip, never_itself)): State<(Handle, bool)>,
    request: Request,
) -> Response {
    let from = request.extensions().get::<Caller>().and_then(|caller| match caller.who {
        Who::Host(machine) => Some(machine),
        _ => None,
    });
    let own = gossip.seen().borrow().own.clone();
    if never_itself && from == Some(own.host) {
        tracing::warn!(
            "another machine says that it is this host, {}: it has a copy of the data directory",
            own.host
        );
    }
    upgrade::accept(request, PROTOCOL, |stream| async move {
        if let Err(error) = gossip.serve(stream).await {
            tracing::debug!("answer a host's gossip: {error}");
        }
    })
}
