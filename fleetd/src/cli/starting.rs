//! A start that waits for space on its disk is answered for: whoever asks is told so.

use crate::agent::place::Place;
use crate::http::{self, starting};
use crate::notify_systemd::notify;
use crate::peer::{self, Limits};
use crate::sentence::cause;
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How often the disk is looked at. A start as it should be is over by then.
const LOOK: Duration = Duration::from_secs(1);

/// What `start` comes to. While it waits the socket is there, for nothing but that answer.
pub(super) async fn answered_for<T>(
    place: &Place,
    start: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let mut start = pin!(start);
    loop {
        if let Ok(started) = timeout(LOOK, &mut start).await {
            return started;
        }
        if starting::waits_for_space(&place.state_dir) {
            break;
        }
    }
    let listener = http::bind(&place.socket())?;
    // systemd would end what does not become ready, and start it again.
    tell("READY=1\nSTATUS=The disk is full: fleetd waits for space");
    let stop = CancellationToken::new();
    let router = starting::router(place.state_dir.clone());
    let server = peer::local::serve(listener, None, router, Limits::default(), stop.clone());
    let server = tokio::spawn(server);
    let started = start.await;
    stop.cancel();
    let _ = server.await;
    tell("STATUS=");
    started
}

fn tell(message: &str) {
    if let Err(error) = notify(message) {
        tracing::warn!("notify systemd: {}", cause(&error));
    }
}
