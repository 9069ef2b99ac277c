//! The socket, and who may speak on it.

use crate::sentence::cause;
use axum::Router;
use axum::serve::Listener;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream, unix::SocketAddr};

/// After a failed accept, such as for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens at the path: 0600, in a private directory. A socket that an earlier fleetd left is taken
/// over; the lock on the directory says that it is none of a living one.
pub fn bind(path: &Path) -> Result<UnixListener, String> {
    let fail = |e: io::Error| format!("listen on {}: {}", path.display(), cause(&e));
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(fail(e)),
        _ => {}
    }
    // Nobody can connect before the mode is set: the directory is private.
    let listener = UnixListener::bind(path).map_err(fail)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(fail)?;
    Ok(listener)
}

pub async fn serve(listener: UnixListener, router: Router) -> io::Result<()> {
    axum::serve(Guarded(listener), router).await
}

/// Only root and our own user get in, whatever the file's mode has become.
struct Guarded(UnixListener);

impl Listener for Guarded {
    type Io = UnixStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (UnixStream, SocketAddr) {
        loop {
            match self.0.accept().await {
                Ok((stream, address)) => match stream.peer_cred() {
                    Ok(peer) if allowed(peer.uid()) => return (stream, address),
                    Ok(peer) => tracing::warn!("refuse a connection of user {}", peer.uid()),
                    Err(error) => tracing::warn!("read peer of a connection: {error}"),
                },
                Err(error) => {
                    tracing::warn!("accept a connection: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

fn allowed(uid: u32) -> bool {
    uid == 0 || uid == nix::unistd::geteuid().as_raw()
}
