//! Where a batch runs: what is set up around it.
//!
//! With `--isolated yes` on a host, as root: mount and network namespaces and a `/run` of its own.
//! What a test does to mounts, links, addresses and rules then never touches the machine of whoever
//! runs it, and what it forgets is gone with the run. In every place this process adopts the orphans of the
//! tests, which is how the batch finds processes that were left behind.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use crate::arguments::Arguments;
use crate::sys;

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, String> {
    if arguments.is("isolated") && nix::unistd::geteuid().is_root() {
        isolate()?;
    }
    nix::sys::prctl::set_child_subreaper(true).map_err(|e| format!("adopt orphans: {e}"))?;
    let own = std::env::current_exe().map_err(|e| format!("find this program: {e}"))?;
    let mut command = Command::new(own);
    command.arg("batch").args(arguments.words());
    sys::dies_with_parent(&mut command);
    let child = command.spawn().map_err(|e| format!("start the batch: {e}"))?;
    let status = reap_until(child.id())?;
    status.success().then_some(ExitCode::SUCCESS).ok_or(format!("the batch: {status}"))
}

fn isolate() -> Result<(), String> {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)
        .map_err(|e| format!("make namespaces: {e}"))?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .map_err(|e| format!("make mounts private: {e}"))?;
    mount(
        Some("tmpfs"),
        "/run",
        Some("tmpfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some("mode=0755"),
    )
    .map_err(|e| format!("mount a private /run: {e}"))?;
    sys::bring_loopback_up().map_err(|e| format!("bring lo up: {e}"))
}

/// Waits for every child until the one that matters has ended.
fn reap_until(id: u32) -> Result<ExitStatus, String> {
    loop {
        match waitpid(None, None::<WaitPidFlag>) {
            Ok(WaitStatus::Exited(pid, code)) if pid.as_raw().cast_unsigned() == id => {
                return Ok(ExitStatus::from_raw(code << 8));
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid.as_raw().cast_unsigned() == id => {
                return Ok(ExitStatus::from_raw(signal as i32));
            }
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(format!("wait for children: {error}")),
        }
    }
}
