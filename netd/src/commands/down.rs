//! `netd down`: as if netd had never been here.

use super::{CommandError, socket, system};
use crate::cli::Arguments;
use crate::core::network::OURS;
use crate::link::{self, Refused};
use crate::lock;
use crate::netlink::{Connection, Family};
use crate::nft::Nftables;
use crate::store::{self, Journal, Saved};
use crate::{sys, sysctl};
use nix::sys::socket::{getsockopt, sockopt};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// How long a running netd may take to end.
const PATIENCE_MS: i32 = 10_000;

pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let path = socket(arguments);
    end_running(&path)?;
    if !arguments.state_dir.exists() {
        return Ok(());
    }
    let (journal, saved) = Journal::open(&arguments.state_dir, lock::PATIENCE)?;
    if let Some(saved) = saved {
        let this_boot = saved.header.boot_id == store::boot_id()?;
        if this_boot {
            remove_from_kernel(&saved)?;
        }
    }
    journal.remove()?;
    remove_if_there(&path)?;
    for dir in [&arguments.run_dir, &arguments.state_dir] {
        // They may be other programs' too: only an empty one goes.
        let _ = std::fs::remove_dir(dir);
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<(), CommandError> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(system(format!("remove {}", path.display()))(e))
        }
        _ => Ok(()),
    }
}

/// Ends the netd that listens on the socket, if there is one. The kernel knows its process.
fn end_running(path: &Path) -> Result<(), CommandError> {
    let Ok(stream) = UnixStream::connect(path) else { return Ok(()) };
    let peer = getsockopt(&stream, sockopt::PeerCredentials)
        .map_err(|e| system("find the running netd")(e.into()))?;
    let what = format!("end netd, process {}", peer.pid());
    let process = sys::pidfd::open(peer.pid()).map_err(system(&what))?;
    sys::pidfd::signal(&process, libc::SIGTERM).map_err(system(&what))?;
    if sys::pidfd::wait(&process, PATIENCE_MS).map_err(system(&what))? {
        Ok(())
    } else {
        Err(system(&what)(io::ErrorKind::TimedOut.into()))
    }
}

/// The rules last: until the links are gone, they guard them.
fn remove_from_kernel(saved: &Saved) -> Result<(), CommandError> {
    let header = &saved.header;
    let mut route = Connection::open(Family::Route).map_err(system("open netlink"))?;
    for link in link::links(&mut route)?.iter().filter(|l| l.group & OURS == header.groups()) {
        link::delete(&mut route, link.index, &link.name)?;
    }
    if let Some(device) = link::find_device(&mut route, &header.device)? {
        link::delete(&mut route, device, &header.device)?;
    }
    let open = |e| Refused::new("open netlink", e);
    Nftables::open(&header.table).map_err(open)?.remove()?;
    for (name, value) in &header.parameters {
        match sysctl::write(name, value) {
            // Its interface is gone.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => other.map_err(system(format!("restore {name}")))?,
        }
    }
    Ok(())
}
