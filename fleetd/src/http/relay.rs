//! `POST /v1/relay/ID`: a way to another host of the fleet for who cannot reach it.
//!
//! Bytes and nothing else: inside goes the caller's own TLS, from end to end, so that this host
//! neither sees nor changes what is said, and does not have to be believed about who says it.

use super::Shared;
use super::problem::{Answer, Result};
use crate::core::machine_id::MachineId;
use crate::net::TcpStream;
use crate::peer::upgrade;
use crate::sentence::cause;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use fleetd_api::{Problem, ProblemKind, RELAY};
use std::time::Duration;
use tokio::io::copy_bidirectional;

const CONNECT: Duration = Duration::from_secs(5);

pub(super) async fn connect(
    State(api): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response> {
    let problem = |kind, text: String| Answer(Problem::new(kind, text));
    let machine: MachineId =
        id.parse().map_err(|e| problem(ProblemKind::Invalid, format!("find machine: {e}")))?;
    // Only hosts of the fleet: it is no way to anywhere else.
    let links = api.links.as_ref();
    let address = links.and_then(|links| links.address_of(machine)).ok_or_else(|| {
        let text = format!("find machine {machine}: it is not known where it is");
        problem(ProblemKind::NotFound, text)
    })?;
    let failed = |why: String| {
        problem(ProblemKind::Unavailable, format!("connect to host {machine} at {address}: {why}"))
    };
    let far = tokio::time::timeout(CONNECT, TcpStream::connect(&address)).await;
    let mut far = far
        .map_err(|_| failed(format!("there is no answer after {CONNECT:?}")))?
        .map_err(|e| failed(cause(&e)))?;
    Ok(upgrade::accept(request, RELAY, |mut near| async move {
        // How it ends is for the two ends to know.
        let _ = copy_bidirectional(&mut near, &mut far).await;
    }))
}
