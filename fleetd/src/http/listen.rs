//! The socket.

use crate::sentence::cause;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tokio::net::UnixListener;

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
