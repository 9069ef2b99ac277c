//! From the command line to a running container. What fails leaves nothing but `exit.json`.

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::log_file::{Dropped, LogFile, Place};
use super::notify::Notify;
use super::plumbing::{Ours, Plumbing};
use super::pump::Output;
use super::record::{self, Exit, ExitFile, Identity};
use super::stop::Stop;
use super::{Container, Supervisor, Watch, own};
use crate::cgroup::Cgroup;
use crate::error::{Doing, Error, Result};
use crate::hooks;
use crate::launch::{self, Launched, Start};
use crate::plan::container_id;
use crate::spec::{Spec, load};
use crate::sys::epoll::Epoll;
use crate::sys::{descriptor, socket};

const SOCKET: &str = "supervise.sock";

/// A longer `config.json` is refused.
const LONGEST_CONFIG: usize = 16 << 20;

/// What `ocirun supervise` is told. Numbers of descriptors are those that the caller left open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub id: String,
    /// With `config.json`.
    pub bundle: PathBuf,
    /// 0700, made by the caller for this run.
    pub run_dir: PathBuf,
    /// A detached mount in place of `root.path`.
    pub rootfs_fd: Option<RawFd>,
    /// In place of the network namespace's `path`.
    pub netns_fd: Option<RawFd>,
    /// Detached mounts in place of the `source` of the mounts at these destinations.
    pub mount_fds: Vec<(PathBuf, RawFd)>,
    /// The supervisor's own cgroup, relative to the cgroup2 mount.
    pub cgroup: Option<PathBuf>,
    /// Is told in one line how the start went.
    pub ready_fd: Option<RawFd>,
    /// A bound datagram socket that the program tells of its readiness by (sd_notify(3)).
    pub notify_fd: Option<RawFd>,
    /// The program has an stdin that clients can write to.
    pub stdin: bool,
    /// The run directory, where none is given.
    pub log_dir: Option<PathBuf>,
    /// In bytes.
    pub log_max_size: u64,
    /// With the one being written; at least 1.
    pub log_max_files: u32,
    /// For a `stop` that names none, and for a SIGTERM to the supervisor.
    pub stop_signal: i32,
    /// `None`: such a stop never kills.
    pub stop_timeout: Option<Duration>,
}

/// Descriptors that the caller left open for the container.
#[derive(Default)]
struct Handed {
    rootfs: Option<OwnedFd>,
    netns: Option<OwnedFd>,
    mounts: Vec<(PathBuf, OwnedFd)>,
    notify: Option<OwnedFd>,
}

/// What stands once the container runs.
struct Standing {
    container: Container,
    outputs: Vec<Option<Output>>,
    log: LogFile,
    listener: OwnedFd,
    signals: OwnedFd,
    epoll: Epoll,
    steps: Vec<Value>,
}

/// Starts the container and stays until it has ended. The error of a failed start has been given
/// to `ready_fd` as well, if there is one.
pub fn run(options: Options) -> Result<()> {
    let began = Instant::now();
    let (ready, handed) = adopt(&options)?;
    match start(options, handed, began) {
        Ok((mut supervisor, steps)) => {
            tell(ready, &json!({ "pid": supervisor.container.pid, "steps": steps }));
            own::let_go_of_stdio();
            supervisor.container.oom_score = own::protect_from_oom();
            supervisor.stay()
        }
        Err(error) => {
            tell(ready, &json!({ "error": error.to_string() }));
            Err(error)
        }
    }
}

/// Takes the descriptors that are named, and closes what else the caller left open.
fn adopt(options: &Options) -> Result<(Option<OwnedFd>, Handed)> {
    let mut numbers: Vec<RawFd> = options.mount_fds.iter().map(|(_, number)| *number).collect();
    let single = [options.rootfs_fd, options.netns_fd, options.ready_fd, options.notify_fd];
    numbers.extend(single.into_iter().flatten());
    for (index, number) in numbers.iter().enumerate() {
        if *number < 3 || numbers[..index].contains(number) {
            return Err(Error::new(format_args!(
                "use descriptor {number}: each must be 3 or more, and given once"
            )));
        }
    }
    let take = |number: RawFd| {
        let taken = descriptor::adopt(number).doing(format_args!("use descriptor {number}"))?;
        descriptor::set_close_on_exec(taken.as_fd(), true).doing("use a descriptor")?;
        Ok(taken)
    };
    let ready = options.ready_fd.map(take).transpose()?;
    let rootfs = options.rootfs_fd.map(take).transpose()?;
    let netns = options.netns_fd.map(take).transpose()?;
    let notify = options.notify_fd.map(take).transpose()?;
    let mounts = options
        .mount_fds
        .iter()
        .map(|(at, number)| Ok((at.clone(), take(*number)?)))
        .collect::<Result<_>>()?;
    own::close_all_but(&numbers)?;
    Ok((ready, Handed { rootfs, netns, mounts, notify }))
}

/// One line, then the end. The caller may have gone.
fn tell(ready: Option<OwnedFd>, line: &Value) {
    if let Some(ready) = ready {
        let _ = File::from(ready).write_all(format!("{line}\n").as_bytes());
    }
}

fn start(mut options: Options, handed: Handed, began: Instant) -> Result<(Supervisor, Vec<Value>)> {
    container_id::check(&options.id)?;
    for path in [Some(&mut options.bundle), options.log_dir.as_mut()].into_iter().flatten() {
        *path = std::path::absolute(&*path).doing(format_args!("find {}", path.display()))?;
    }
    let identity =
        Identity { boot_id: record::boot_id()?, id: options.id.clone(), pid: None, started: None };
    own::enter_run_dir(&options.run_dir)?;
    // From here on a failure is recorded.
    let exit_file = ExitFile::reserve()?;
    match stand(&options, &identity, handed, began) {
        Ok(standing) => {
            let steps = standing.steps;
            let supervisor = Supervisor {
                container: standing.container,
                stop: Stop {
                    signal: options.stop_signal,
                    timeout: options.stop_timeout,
                    kill_at: None,
                },
                epoll: standing.epoll,
                listener: standing.listener,
                signals: standing.signals,
                outputs: standing.outputs,
                log: standing.log,
                log_retry: None,
                exit_file,
                connections: BTreeMap::new(),
                beginnings: BTreeMap::new(),
                sessions: BTreeMap::new(),
                last_connection: 0,
                last_session: 0,
                successor: None,
                exit_line: None,
            };
            Ok((supervisor, steps))
        }
        Err(error) => {
            record::remove_started();
            // Where not even that can be written the caller has the error from us.
            let _ = exit_file.write(&Exit::of_failed_start(identity, &error));
            Err(error)
        }
    }
}

fn stand(
    options: &Options,
    identity: &Identity,
    handed: Handed,
    began: Instant,
) -> Result<Standing> {
    own::show_name();
    own::leave_terminal();
    if let Some(cgroup) = &options.cgroup {
        own::join_cgroup(cgroup)?;
    }
    let signals = own::take_signals()?;
    let config = options.bundle.join("config.json");
    let config = File::open(&config).doing(format_args!("open {}", config.display()))?;
    let spec = read_config(&config)?;
    let epoll = Epoll::new().doing("make an epoll descriptor")?;
    let mut log = LogFile::open(
        Place {
            dir: options.log_dir.clone().unwrap_or_else(|| PathBuf::from(".")),
            max_size: options.log_max_size,
            max_files: options.log_max_files,
        },
        Dropped::default(),
    )?;
    let listening = listen().and_then(|listener| {
        let prepared = step("supervise", began.elapsed());
        launch(options, &spec, config, identity, handed, &mut log)
            .map(|running| (listener, prepared, running))
            .inspect_err(|_| remove_socket())
    });
    match listening {
        Ok((listener, prepared, (container, outputs, mut steps))) => {
            steps.insert(0, prepared);
            Ok(Standing { container, outputs, log, listener, signals, epoll, steps })
        }
        Err(error) => {
            let state = hooks::State::new(&spec, &options.id, &options.bundle).stopped();
            for fault in hooks::run_all("poststop", &spec.hooks.poststop, &state) {
                log.say(&super::stamp(), &fault.to_string());
            }
            log.discard();
            Err(error)
        }
    }
}

type Running = (Container, Vec<Option<Output>>, Vec<Value>);

fn launch(
    options: &Options,
    spec: &Spec,
    config: File,
    identity: &Identity,
    handed: Handed,
    log: &mut LogFile,
) -> Result<Running> {
    let plumbing = Plumbing::new(spec, options.stdin)?;
    let notify = handed.notify.map(Notify::new).transpose()?;
    let mut launched = launch::launch(
        spec,
        launch::Options {
            id: &options.id,
            bundle: &options.bundle,
            rootfs: handed.rootfs,
            netns: handed.netns,
            mount_fds: handed.mounts,
            stdio: plumbing.stdio(),
            console: plumbing.console(),
            start: Start::Now,
            preserve_fds: 0,
            new_keyring: true,
            death_signal: Some(libc::SIGKILL),
            timed: true,
        },
    )?;
    launched.wait_exec()?;
    let identity = Identity {
        pid: Some(launched.pid),
        started: Some(record::micros(record::now())),
        ..identity.clone()
    };
    let state = hooks::State::new(spec, &options.id, &options.bundle).at("running", launched.pid);
    let attended = hooks::run("poststart", &spec.hooks.poststart, &state)
        .and_then(|()| record::write_started(&identity, launched.pid_start))
        .and_then(|()| plumbing.ours(options.stdin));
    let Ours { stdin, terminal, outputs } = match attended {
        Ok(ours) => ours,
        Err(error) => return Err(launched.give_up(error)),
    };
    for warning in &launched.warnings {
        log.say(&super::stamp(), warning);
    }
    let steps = launched.steps().iter().map(|(name, took)| step(name, *took)).collect();
    let Launched { pid, pidfd, cgroup, .. } = launched;
    // Without the descriptor of its directory, which only the clone needed.
    let cgroup = Cgroup::made(cgroup.path().to_owned(), cgroup.made_parents().to_vec());
    let poststop = (!spec.hooks.poststop.is_empty()).then(|| options.bundle.clone());
    let oom_score = None;
    let container = Container {
        identity,
        pid,
        pidfd,
        cgroup,
        config,
        stdin,
        terminal,
        notify,
        poststop,
        oom_score,
    };
    Ok((container, outputs, steps))
}

fn step(name: &str, took: Duration) -> Value {
    json!({ "step": name, "micros": record::micros(took) })
}

/// The whole document, from the file that was opened at the start.
pub(super) fn read_config(config: &File) -> Result<Spec> {
    let doing = "read config.json";
    let length = config.metadata().doing(doing)?.len();
    let length = usize::try_from(length).ok().filter(|&length| length <= LONGEST_CONFIG);
    let length = length
        .ok_or_else(|| Error::new(format_args!("{doing}: longer than {LONGEST_CONFIG} bytes")))?;
    let mut text = vec![0; length];
    config.read_exact_at(&mut text, 0).doing(doing)?;
    load::parse(&text).map_err(|error| error.within("parse config.json"))
}

fn listen() -> Result<OwnedFd> {
    let doing = format!("listen at {SOCKET}");
    let listener = socket::listen(Path::new(SOCKET)).doing(&doing)?;
    std::fs::set_permissions(SOCKET, Permissions::from_mode(0o600))
        .and_then(|()| descriptor::set_nonblocking(listener.as_fd()))
        .inspect_err(|_| remove_socket())
        .doing(&doing)?;
    Ok(listener)
}

/// Nobody can connect from now on.
pub(super) fn remove_socket() {
    let _ = std::fs::remove_file(SOCKET);
}

impl Supervisor {
    /// Watches over the container until it has ended, and records how.
    pub(super) fn stay(mut self) -> Result<()> {
        let watched = self.listen_to_all().and_then(|()| self.watch());
        if let Err(error) = &watched {
            self.say(&error.to_string());
            self.kill();
        }
        self.end()?;
        watched
    }

    fn listen_to_all(&self) -> Result<()> {
        self.listen_to(self.container.pidfd.as_fd(), Watch::Container)?;
        self.listen_to(self.listener.as_fd(), Watch::Listener)?;
        self.listen_to(self.signals.as_fd(), Watch::Signals)?;
        self.listen_to_program()?;
        for (number, output) in (0..).zip(&self.outputs) {
            if let Some(output) = output {
                self.listen_to(output.source.as_fd(), Watch::Output(number))?;
            }
        }
        for (number, session) in &self.sessions {
            self.listen_to(session.pidfd.as_fd(), Watch::Exec(*number))?;
        }
        for (number, connection) in &self.connections {
            let token = Watch::Connection(*number).token();
            self.epoll
                .add(connection.socket.as_fd(), connection.interest(), token)
                .doing("wait for events")?;
        }
        Ok(())
    }
}
