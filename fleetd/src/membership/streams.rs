//! Gossip's streams: connections of the hosts' port that leave HTTP.

use crate::core::gossip::Node;
use crate::gossip::{Connect, Handle};
use crate::peer::Client;
use crate::peer::client::Upgraded;
use crate::peer::upgrade;
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

/// Where those of other hosts are answered.
pub fn router(gossip: Handle) -> Router {
    Router::new().route(PATH, post(answer)).with_state(gossip)
}

async fn answer(State(gossip): State<Handle>, request: Request) -> Response {
    upgrade::accept(request, PROTOCOL, |stream| async move {
        if let Err(error) = gossip.serve(stream).await {
            tracing::debug!("answer a host's gossip: {error}");
        }
    })
}
