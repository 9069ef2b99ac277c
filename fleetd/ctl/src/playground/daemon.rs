//! netd and fleetd of a host: their command lines, and how long they are waited for.
//!
//! They answer when their socket can be connected to. They are not given a `NOTIFY_SOCKET`: fleetd
//! starts itself again when it joins a fleet, and would not find whoever waited the first time.

use super::cgroup::Cgroup;
use super::cli::Daemon;
use super::namespace;
use super::plan::Place;
use super::process::{Process, wait_for};
use crate::failure::Failure;
use rustix::event::PollFlags;
use rustix::fs::inotify;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A slow machine with many hosts takes its time.
const PATIENCE: Duration = Duration::from_secs(120);

/// A daemon that was started and has not said that it is ready.
pub(super) struct Starting {
    what: String,
    process: Process,
    pidfd: OwnedFd,
    /// Tells of what comes into the run directory or changes there (inotify(7)).
    watch: OwnedFd,
    socket: PathBuf,
    log: PathBuf,
}

/// Starts a daemon on a host. It writes to a log on the host's disk.
pub(super) fn start(
    place: &Place,
    daemon: Daemon,
    programs: &Path,
    holder: &Process,
    cgroup: &Cgroup,
) -> Result<Starting, Failure> {
    let what = format!("start {daemon} of {}", place.host);
    let failed = |e: io::Error| Failure::io(&what, &e);
    let log = place.state.join(format!("{daemon}.log"));
    let output = File::options().append(true).create(true).open(&log).map_err(failed)?;
    let socket = match daemon {
        Daemon::Netd => place.netd_socket(),
        Daemon::Fleetd => place.socket(),
    };
    let watch = watch(&place.run).map_err(failed)?;
    let program = programs.join(daemon.to_string());
    let mut command = Command::new(&program);
    command.args(arguments(place, daemon, programs)).env_remove("NOTIFY_SOCKET");
    command.stdin(Stdio::null()).stderr(output.try_clone().map_err(failed)?).stdout(output);
    namespace::enter(&mut command, holder, cgroup, true)?;
    let child = command.spawn().map_err(|e| Failure::io(&what, &e))?;
    let process = Process::of(child.id()).map_err(|e| Failure::io(&what, &e))?;
    let pidfd = process.open_child().map_err(|e| Failure::io(&what, &e))?;
    Ok(Starting { what, process, pidfd, watch, socket, log })
}

impl Starting {
    pub(super) fn process(&self) -> Process {
        self.process
    }

    /// Waits until it answers.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let failed = |e: io::Error| Failure::io(&self.what, &e);
        let begin = Instant::now();
        // One that a predecessor left refuses.
        while UnixStream::connect(&self.socket).is_err() {
            let either = [(self.watch.as_fd(), PollFlags::IN), (self.pidfd.as_fd(), PollFlags::IN)];
            let left = PATIENCE.saturating_sub(begin.elapsed());
            match wait_for(&either, Some(left)).map_err(failed)? {
                Some(0) => drain(&self.watch).map_err(failed)?,
                Some(_) => return Err(ended(&self.what, &self.log)),
                None => {
                    let time = PATIENCE.as_secs();
                    let message = format!("{}: it does not answer after {time} s", self.what);
                    return Err(Failure::new(message).hint(format!("see {}", self.log.display())));
                }
            }
        }
        Ok(())
    }
}

/// A socket that is bound comes or is renamed to its name; that it can be connected to shows, at the
/// latest, when its mode is set.
fn watch(directory: &Path) -> io::Result<OwnedFd> {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    let events =
        inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO | inotify::WatchFlags::ATTRIB;
    inotify::add_watch(&watch, directory, events)?;
    Ok(watch)
}

/// Takes the events: that there were some is all that matters.
fn drain(watch: &OwnedFd) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match rustix::io::read(watch, &mut buffer) {
            Err(rustix::io::Errno::AGAIN) => return Ok(()),
            other => other?,
        };
    }
}

/// With the last words of its log.
fn ended(what: &str, log: &Path) -> Failure {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
    Failure::new(format!("{what}: it has ended: {last}"))
}

fn arguments(place: &Place, daemon: Daemon, programs: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    let mut option = |name: &str, value: OsString| arguments.extend([name.into(), value]);
    option("--run-dir", place.run.clone().into());
    option("--state-dir", place.state.clone().into());
    match daemon {
        Daemon::Netd => {
            option("--subnet", place.host.subnet().into());
            // The machine's name servers cannot be reached from here.
            option("--resolv-conf", "/dev/null".into());
            option("--pool", "2".into());
        }
        Daemon::Fleetd => {
            option("--cgroup-parent", place.cgroup.clone().into());
            option("--netd-socket", place.netd_socket().into());
            option("--runtime", programs.join("ocirun").into());
            arguments.push("--allow-unenforced-limits".into());
        }
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Host, Name};
    use super::*;

    #[test]
    fn each_daemon_has_its_hosts_directories() {
        let name: Name = "x".parse().unwrap();
        let host: Host = "h2".parse().unwrap();
        let line = |daemon| {
            let words = arguments(&name.place(host), daemon, Path::new("/p"));
            words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
        };
        let both = "--run-dir /run/flotilla-playground/x/h2 \
                    --state-dir /var/lib/flotilla-playground/x/h2 ";
        assert_eq!(
            line(Daemon::Netd),
            format!("{both}--subnet 10.91.2.0/24 --resolv-conf /dev/null --pool 2")
        );
        assert_eq!(
            line(Daemon::Fleetd),
            format!(
                "{both}--cgroup-parent flotilla-playground-x-h2 \
                 --netd-socket /run/flotilla-playground/x/h2/netd.sock --runtime /p/ocirun \
                 --allow-unenforced-limits"
            )
        );
    }
}
