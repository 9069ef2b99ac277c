//! `fleetd keep-cgroup`: the one process of `flotilla-workloads.service`.
//!
//! systemd delegates a cgroup to a service only while that service runs. This process keeps it
//! running, in a cgroup of its own below the delegated one (cgroup v2 allows no process beside
//! child cgroups that have controllers), and does nothing else: fleetd and netd come and go in
//! their own units. When the service is stopped (shutdown, mostly) it asks every supervisor to stop
//! its container and waits for them; what is left then is systemd's to kill.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// Our own place below the delegated cgroup.
const KEEPER: &str = "keeper";
/// Where the supervisor of each run is: see docs/design.md, "cgroups".
const SUPERVISOR: &str = "supervisor";

/// Runs until SIGTERM or SIGINT. `delegated` is the cgroup's directory.
pub fn run(delegated: &Path, ready: impl FnOnce() -> io::Result<()>) -> Result<(), String> {
    let fail = |what: String| move |e: io::Error| format!("{what}: {e}");
    let mut ends = SigSet::empty();
    ends.add(Signal::SIGTERM);
    ends.add(Signal::SIGINT);
    ends.thread_block().map_err(|e| format!("block SIGTERM: {e}"))?;
    let keeper = delegated.join(KEEPER);
    make_directory(&keeper).map_err(fail(format!("create cgroup {}", keeper.display())))?;
    fs::write(keeper.join("cgroup.procs"), "0")
        .map_err(fail(format!("move into cgroup {}", keeper.display())))?;
    offer_controllers(delegated)?;
    ready().map_err(fail("notify systemd".to_owned()))?;
    ends.wait().map_err(|e| format!("wait for SIGTERM: {e}"))?;
    stop_all(delegated).map_err(fail(format!("stop what runs in {}", delegated.display())))
}

fn make_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Every controller that was delegated is passed on, one by one: one that the kernel refuses
/// (cpu, with real-time tasks about) must not cost the others.
fn offer_controllers(delegated: &Path) -> Result<(), String> {
    let file = delegated.join("cgroup.controllers");
    let offered = fs::read_to_string(&file).map_err(|e| format!("read {}: {e}", file.display()))?;
    let control = delegated.join("cgroup.subtree_control");
    for controller in offered.split_whitespace() {
        if let Err(e) = fs::write(&control, format!("+{controller}")) {
            eprintln!("fleetd: enable {controller} in {}: {e}", control.display());
        }
    }
    Ok(())
}

/// Asks all supervisors at once, then waits for each.
fn stop_all(delegated: &Path) -> io::Result<()> {
    let supervisors = supervisors(delegated)?;
    for cgroup in &supervisors {
        for pid in processes(cgroup)? {
            match kill(pid, Signal::SIGTERM) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(e) => eprintln!("fleetd: end supervisor {pid}: {e}"),
            }
        }
    }
    supervisors.iter().try_for_each(|cgroup| wait_empty(cgroup))
}

fn supervisors(delegated: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(delegated)? {
        let cgroup = entry?.path().join(SUPERVISOR);
        if cgroup.is_dir() {
            found.push(cgroup);
        }
    }
    Ok(found)
}

/// None in a cgroup that went away meanwhile.
fn processes(cgroup: &Path) -> io::Result<Vec<Pid>> {
    let list = match fs::read_to_string(cgroup.join("cgroup.procs")) {
        Err(e) if gone(&e) => return Ok(Vec::new()),
        other => other?,
    };
    Ok(list.lines().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect())
}

/// Waits for the kernel's word that no process is left in the cgroup (cgroup-v2.rst,
/// `cgroup.events`: a change is POLLPRI).
fn wait_empty(cgroup: &Path) -> io::Result<()> {
    let mut events = match File::open(cgroup.join("cgroup.events")) {
        Err(e) if gone(&e) => return Ok(()),
        other => other?,
    };
    loop {
        let mut text = String::new();
        events.rewind()?;
        match events.read_to_string(&mut text) {
            Err(e) if gone(&e) => return Ok(()),
            other => other?,
        };
        if text.lines().any(|line| line == "populated 0") {
            return Ok(());
        }
        poll(&mut [PollFd::new(events.as_fd(), PollFlags::POLLPRI)], PollTimeout::NONE)?;
    }
}

fn gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV))
}
