//! `Type=notify`: the socket that a container's program says READY=1 to (sd_notify(3)). Its supervisor
//! reads it, and tells whoever asks.

use super::context::Context;
use super::message::What;
use super::supervisor::Supervisor;
use super::task::Task;
use crate::core::run::RunId;
use crate::sentence::Sentence;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Of a run's directory; mounted into the container.
pub const DIRECTORY: &str = "notify";
/// The file in it.
const SOCKET: &str = "socket";

/// Between two attempts to ask a supervisor that cannot be reached.
const RETRY: Duration = Duration::from_millis(100);

/// The socket of a new run, for its supervisor.
pub fn bind(context: &Context, run: &RunId) -> Result<OwnedFd, String> {
    let directory = context.place.run(run).join(DIRECTORY);
    let fail = |e: std::io::Error| format!("listen for readiness of {run}: {}", Sentence(&e));
    let socket = bind_in(&directory).map_err(fail)?;
    let everyone = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(directory.join(SOCKET), everyone).map_err(fail)?;
    Ok(socket.into())
}

/// The path may be longer than an address: it is reached through the directory's descriptor.
fn bind_in(directory: &Path) -> std::io::Result<UnixDatagram> {
    let directory = std::fs::File::open(directory)?;
    let near = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string());
    UnixDatagram::bind(near.join(SOCKET))
}

/// Tells the agent once the program is ready. Its supervisor may have no connection left for us, or
/// fleetd no descriptor: then it is asked again, for as long as the run lives.
pub fn listen(context: &Arc<Context>, unit: &str, run: &RunId) -> Task {
    let (context, unit, run) = (context.clone(), unit.to_owned(), run.clone());
    Task::spawn(async move {
        let directory = context.place.run(&run);
        loop {
            let asked = match Supervisor::connect(&directory).await {
                Ok(mut supervisor) => supervisor.ready().await,
                Err(error) => Err(error),
            };
            match asked {
                Ok(()) => return context.tell(&unit, &run, What::Ready),
                Err(error) => tracing::debug!("wait for readiness of {run}: {error}"),
            }
            if !context.cgroups.populated(run.as_str()) {
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
    })
}
