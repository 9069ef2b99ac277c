//! The unix socket, served like the port: root, our own user, and the members of one group are
//! admins.
//!
//! The kernel says who connects, with the groups of that process, whatever the file's mode is.

use super::caller::Via;
use super::connection::Session;
use super::limits::Limits;
use super::listen::accept;
use crate::sys::socket::peer_groups;
use axum::Router;
use std::io;
use std::sync::Arc;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Like [`super::listen::serve`]. `group`: whose members get in, beside root and our own user.
pub async fn serve(
    listener: UnixListener,
    group: Option<u32>,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let limits = Arc::new(limits);
    let tasks = TaskTracker::new();
    let each = |stream: UnixStream, _| match admit(&stream, group) {
        Ok((uid, true)) => {
            let (router, limits) = (router.clone(), Arc::clone(&limits));
            let (stop, from) = (stop.clone(), format!("user id {uid}"));
            let via = Via::Local { uid };
            let session = Session { via, shown: None, router, limits, stop, from };
            tasks.spawn(session.serve(stream, ()));
        }
        Ok((uid, false)) => tracing::warn!("refuse a connection of user id {uid}"),
        Err(error) => tracing::warn!("read who connects: {error}"),
    };
    tokio::select! {
        () = accept(|cx| listener.poll_accept(cx), each) => {}
        () = stop.cancelled() => {}
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

/// The user id at the other end, and whether it gets in.
pub(super) fn admit(stream: &UnixStream, group: Option<u32>) -> io::Result<(u32, bool)> {
    let peer = stream.peer_cred()?;
    let uid = peer.uid();
    if uid == 0 || uid == nix::unistd::geteuid().as_raw() {
        return Ok((uid, true));
    }
    let Some(group) = group else { return Ok((uid, false)) };
    Ok((uid, peer.gid() == group || peer_groups(stream)?.contains(&group)))
}
