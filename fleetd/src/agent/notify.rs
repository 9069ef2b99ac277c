//! `Type=notify`: listens for READY=1 of a container's program (sd_notify(3)).

use super::adopt::READY;
use super::context::Context;
use super::message::What;
use super::task::Task;
use crate::core::run::RunId;
use crate::sentence::Sentence;
use crate::sentence::cause;
use crate::sys::socket;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use tokio::io::Interest;
use tokio::net::UnixDatagram;

/// Of a run's directory; mounted into the container.
pub const DIRECTORY: &str = "notify";
/// The file in it.
const SOCKET: &str = "socket";

/// Listens until the program is ready or nobody waits for it. Called again for an adopted run: the directory is what
/// is mounted, so the container finds the new socket.
pub fn listen(context: &Arc<Context>, unit: &str, run: &RunId) -> Result<Task, String> {
    let path = context.place.run(run).join(DIRECTORY).join(SOCKET);
    let fail = |e: std::io::Error| format!("listen for readiness of {run}: {}", Sentence(&e));
    // An earlier fleetd's.
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(fail(e)),
        _ => {}
    }
    let socket = bind(&path).map_err(fail)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).map_err(fail)?;
    socket::pass_credentials(&socket).map_err(fail)?;
    let (context, unit, run) = (context.clone(), unit.to_owned(), run.clone());
    Ok(Task::spawn(async move {
        if let Err(e) = until_ready(&context, &run, &socket).await {
            tracing::warn!("listen for readiness of {run}: {}", cause(&e));
            return;
        }
        // Kept for a later fleetd; a run that is being cleared has no directory.
        let _ = std::fs::write(context.place.run(&run).join(READY), b"");
        context.tell(&unit, &run, What::Ready);
    }))
}

/// The path may be longer than an address: it is reached through the directory's descriptor.
fn bind(path: &std::path::Path) -> std::io::Result<UnixDatagram> {
    use std::os::fd::AsRawFd;
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    let directory = std::fs::File::open(directory)?;
    let near = std::path::Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string());
    UnixDatagram::bind(near.join(name))
}

async fn until_ready(context: &Context, run: &RunId, socket: &UnixDatagram) -> std::io::Result<()> {
    let mut bytes = vec![0; 4096];
    loop {
        let receive = || socket::receive_from(socket.as_fd(), &mut bytes);
        let (count, sender) = socket.async_io(Interest::READABLE, receive).await?;
        let text = String::from_utf8_lossy(bytes.get(..count).unwrap_or_default());
        let Some(pid) = sender.map(|credentials| credentials.pid()) else { continue };
        if !belongs(context, run, pid) {
            tracing::warn!("listen for readiness of {run}: process {pid} is not in the container");
            continue;
        }
        if text.lines().any(|line| line == "READY=1") {
            return Ok(());
        }
    }
}

/// Whether the process is in the run's payload (cgroups(7), /proc/pid/cgroup).
fn belongs(context: &Context, run: &RunId, pid: i32) -> bool {
    let payload = context.cgroups.payload_path(run.as_str());
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    groups.lines().filter_map(|line| line.strip_prefix("0::")).any(|path| {
        path.strip_prefix(payload.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}
