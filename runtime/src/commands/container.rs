//! What `create` and `run` share: from a bundle to a launched, recorded container.

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::Global;
use crate::cli::{Arguments, Flag, Kind};
use crate::error::{Doing, Error, Result};
use crate::hooks;
use crate::launch::{self, Launched, Start};
use crate::spec::{self, Spec};
use crate::store::{Entry, Record, record};
use crate::sys::{file, socket};

pub(super) const FLAGS: &[Flag] = &[
    ("bundle", "b", Kind::Value),
    ("console-socket", "", Kind::Value),
    ("pidfd-socket", "", Kind::Value),
    ("pid-file", "", Kind::Value),
    ("preserve-fds", "", Kind::Value),
    ("no-new-keyring", "", Kind::Switch),
    // Descendants that lose their parent go to the engine's subreaper, never to us.
    ("no-subreaper", "", Kind::Switch),
    ("detach", "d", Kind::Switch),
    ("keep", "", Kind::Switch),
    ("no-pivot", "", Kind::RefusedSwitch("the root is always changed with pivot_root")),
];

/// A container to be made.
pub(super) struct Request {
    pub(super) id: String,
    pub(super) bundle: PathBuf,
    pub(super) spec: Spec,
    text: Vec<u8>,
    preserve_fds: u32,
    new_keyring: bool,
    pid_file: Option<PathBuf>,
    pidfd_socket: Option<PathBuf>,
    console_socket: Option<PathBuf>,
}

impl Request {
    pub(super) fn read(arguments: &Arguments) -> Result<Self> {
        let preserve_fds = arguments.number("preserve-fds")?;
        check_preserved(preserve_fds)?;
        let bundle = arguments.path("bundle").unwrap_or_else(|| ".".into());
        let bundle = std::path::absolute(&bundle)
            .doing(format_args!("find the bundle {}", bundle.display()))?;
        let (text, spec) = spec::load::config_and_text(&bundle)?;
        spec::validate::spec(&spec)?;
        Ok(Self {
            id: arguments.id()?.to_owned(),
            bundle,
            spec,
            text,
            preserve_fds,
            new_keyring: !arguments.on("no-new-keyring"),
            pid_file: arguments.path("pid-file"),
            pidfd_socket: arguments.path("pidfd-socket"),
            console_socket: arguments.path("console-socket"),
        })
    }

    pub(super) fn has_terminal(&self) -> bool {
        self.spec.process.as_ref().is_some_and(|process| process.terminal)
    }

    pub(super) fn connect_console(&self) -> Result<Option<OwnedFd>> {
        connect_console(self.console_socket.as_deref())
    }

    /// Claims the id, launches and records. What fails leaves nothing.
    pub(super) fn make(
        &self,
        global: &Global,
        waits: bool,
        console: Option<BorrowedFd<'_>>,
    ) -> Result<(Entry, Launched)> {
        let entry = Entry::claim(&global.root, &self.id)?;
        match self.launch(&entry, global, waits, console) {
            Ok(launched) => Ok((entry, launched)),
            Err(error) => Err(self.undo(&entry, global, error)),
        }
    }

    fn launch(
        &self,
        entry: &Entry,
        global: &Global,
        waits: bool,
        console: Option<BorrowedFd<'_>>,
    ) -> Result<Launched> {
        entry.save_config(&self.text)?;
        let start = if waits { Start::OnConnect(entry.listen_for_start()?) } else { Start::Now };
        let options = launch::Options {
            id: &self.id,
            bundle: &self.bundle,
            rootfs: None,
            netns: None,
            mount_fds: Vec::new(),
            stdio: None,
            console,
            start,
            preserve_fds: self.preserve_fds,
            new_keyring: self.new_keyring,
            death_signal: None,
            timed: false,
        };
        let launched = launch::launch(&self.spec, options)?;
        for warning in &launched.warnings {
            global.log.warning(warning);
        }
        let recorded = self.record(&launched).and_then(|record| {
            entry.save(&record)?;
            if let Some(path) = &self.pid_file {
                write_pid_file(path, launched.pid)?;
            }
            send_pidfd(self.pidfd_socket.as_deref(), launched.pidfd.as_fd())
        });
        match recorded {
            Ok(()) => Ok(launched),
            Err(error) => Err(launched.give_up(error)),
        }
    }

    fn record(&self, launched: &Launched) -> Result<Record> {
        let root = self.spec.root.as_ref().map(|root| root.path.as_path());
        Ok(Record {
            version: 1,
            id: self.id.clone(),
            boot_id: record::boot_id()?,
            pid: launched.pid,
            pid_start: launched.pid_start,
            bundle: self.bundle.clone(),
            rootfs: self.bundle.join(root.unwrap_or(Path::new(""))),
            created: record::now(),
            cgroup: launched.cgroup.path().to_owned(),
            made_cgroups: launched.cgroup.made_parents().to_vec(),
            annotations: self.spec.annotations.clone(),
        })
    }

    /// After a failure: poststop hooks, and the id is free again. Process and cgroup are gone already.
    pub(super) fn undo(&self, entry: &Entry, global: &Global, error: Error) -> Error {
        let state = hooks::State::new(&self.spec, &self.id, &self.bundle).stopped();
        for fault in hooks::run_all("poststop", &self.spec.hooks.poststop, &state) {
            global.log.warning(&fault.to_string());
        }
        match entry.remove() {
            Ok(()) => error,
            Err(left) => error.hint(left),
        }
    }
}

/// All must be open: their numbers would else be taken by what we open, and passed on.
pub(super) fn check_preserved(count: u32) -> Result<()> {
    for number in 3..3 + count {
        if !file::is_open(number) {
            return Err(Error::new(format_args!(
                "--preserve-fds {count}: descriptor {number} is not open"
            )));
        }
    }
    Ok(())
}

pub(super) fn connect_console(path: Option<&Path>) -> Result<Option<OwnedFd>> {
    path.filter(|path| !path.as_os_str().is_empty())
        .map(|path| {
            socket::connect(path)
                .doing(format_args!("connect to the console socket {}", path.display()))
        })
        .transpose()
}

pub(super) fn send_pidfd(path: Option<&Path>, pidfd: BorrowedFd<'_>) -> Result<()> {
    let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else { return Ok(()) };
    socket::connect(path)
        .and_then(|socket| socket::send_descriptor(socket.as_fd(), b"pidfd", pidfd))
        .doing(format_args!("send the pidfd to {}", path.display()))
}

/// Whole or not at all: engines wait for the file and read it at once.
pub(super) fn write_pid_file(path: &Path, pid: i32) -> Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    let new = path.with_file_name(name);
    std::fs::File::create(&new)
        .and_then(|mut file| file.write_all(pid.to_string().as_bytes()))
        .and_then(|()| std::fs::rename(&new, path))
        .doing(format_args!("write the pid file {}", path.display()))
}
