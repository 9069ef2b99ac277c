//! A supervisor with its container, for one test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use flotilla_tests::{Scratch, need, programs};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::{Value, json};

use crate::client::Client;
use crate::sys;

/// What a container needs that a test may change before it starts.
pub(crate) struct Plan {
    pub(crate) scratch: Scratch,
    /// Of the container and of its cgroup.
    pub(crate) name: String,
    pub(crate) config: Value,
    options: Vec<String>,
    handed: Vec<OwnedFd>,
}

const APPLETS: &[&str] = &[
    "sh", "cat", "sleep", "echo", "seq", "true", "false", "kill", "id", "stty", "ls", "head", "dd",
    "yes", "grep", "tr", "test", "tail", "wc", "ip", "readlink", "sed", "tty", "mkdir",
];

impl Plan {
    /// A container that runs a script with busybox's shell.
    pub(crate) fn script(script: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("supervise-{}-{number}", std::process::id());
        let scratch = Scratch::new();
        let root = scratch.path().join("bundle/rootfs");
        for folder in ["bin", "proc", "dev", "tmp"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::DirBuilder::new().mode(0o700).create(scratch.path().join("run")).unwrap();
        fs::copy(need::program("busybox").unwrap(), root.join("bin/busybox")).unwrap();
        for applet in APPLETS {
            symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        let namespaces: Vec<Value> = ["pid", "mount", "ipc", "uts", "network", "cgroup"]
            .map(|kind| json!({ "type": kind }))
            .into();
        let config = json!({
            "ociVersion": "1.2.0",
            "root": { "path": "rootfs" },
            "process": {
                "args": ["sh", "-c", script],
                "env": ["PATH=/bin"],
                "cwd": "/",
                "capabilities": { "bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"] },
            },
            "mounts": [
                { "destination": "/proc", "type": "proc", "source": "proc" },
                { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"] },
                { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
                  "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"] },
            ],
            "linux": { "cgroupsPath": format!("/{name}/payload"), "namespaces": namespaces },
        });
        Self { scratch, name, config, options: Vec::new(), handed: Vec::new() }
    }

    /// More of the command line.
    pub(crate) fn with(mut self, options: &[&str]) -> Self {
        self.options.extend(options.iter().map(|option| (*option).to_owned()));
        self
    }

    /// An option whose value ends in the number of a descriptor.
    pub(crate) fn hand(mut self, option: &str, before: &str, file: OwnedFd) -> Self {
        sys::inherit(file.as_fd());
        self.options.push(option.to_owned());
        self.options.push(format!("{before}{}", file.as_raw_fd()));
        self.handed.push(file);
        self
    }

    pub(crate) fn terminal(mut self) -> Self {
        self.config["process"]["terminal"] = true.into();
        self
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.scratch.path().join("bundle/rootfs")
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        self.scratch.path().join("run")
    }

    /// Starts it, whether that goes well or not.
    pub(crate) fn launch(self) -> Supervised {
        let bundle = self.scratch.path().join("bundle");
        fs::write(bundle.join("config.json"), self.config.to_string()).unwrap();
        let (ready, theirs) = std::io::pipe().unwrap();
        sys::inherit(theirs.as_fd());
        let child = Command::new(programs::path("ocirun"))
            .arg("supervise")
            .arg("--bundle")
            .arg(&bundle)
            .arg("--run-dir")
            .arg(self.run_dir())
            .args(["--cgroup", &format!("{}/supervisor", self.name)])
            .args(["--ready-fd", &theirs.as_raw_fd().to_string()])
            .args(&self.options)
            .arg(&self.name)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        drop(theirs);
        let mut line = String::new();
        BufReader::new(ready).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"));
        Supervised { run_dir: self.run_dir(), name: self.name, scratch: self.scratch, child, ready }
    }

    /// Starts it, which goes well.
    pub(crate) fn start(self) -> Supervised {
        let supervised = self.launch();
        assert!(supervised.ready["pid"].is_i64(), "{}", supervised.ready);
        supervised
    }
}

pub(crate) struct Supervised {
    pub(crate) run_dir: PathBuf,
    pub(crate) name: String,
    pub(crate) scratch: Scratch,
    pub(crate) child: Child,
    /// What came over `--ready-fd`.
    pub(crate) ready: Value,
}

impl Supervised {
    pub(crate) fn connect(&self) -> Client {
        Client::connect(&self.run_dir.join("supervise.sock"))
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.ready["pid"].as_i64().unwrap()).unwrap()
    }

    pub(crate) fn supervisor(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Blocks until the supervisor has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// The same, with the container's exit record.
    pub(crate) fn wait_record(&mut self) -> Value {
        let status = self.wait();
        assert!(status.success(), "{status}");
        self.record("exit.json")
    }

    pub(crate) fn record(&self, name: &str) -> Value {
        let text = fs::read(self.run_dir.join(name)).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// The lines of all log files in the run directory, oldest first, as (stream, flag, text).
    pub(crate) fn log(&self) -> Vec<(String, String, String)> {
        log_in(&self.run_dir)
    }

    /// The texts of one stream.
    pub(crate) fn texts(&self, stream: &str) -> Vec<String> {
        self.log().into_iter().filter(|line| line.0 == stream).map(|line| line.2).collect()
    }

    /// The names in the run directory.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&self.run_dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn cgroup(&self, part: &str) -> PathBuf {
        need::cgroup2().unwrap().join(&self.name).join(part)
    }

    /// How many descriptors the supervisor has open.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.supervisor())).unwrap().count()
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // What fleetd does for a supervisor that was killed, and for the cgroups around it.
        let payload = self.cgroup("payload");
        if payload.exists() {
            let _ = fs::write(payload.join("cgroup.kill"), "1");
            wait_until_empty(&payload);
            let _ = fs::remove_dir(&payload);
        }
        let _ = fs::remove_dir(self.cgroup("supervisor"));
        let _ = fs::remove_dir(self.cgroup(""));
    }
}

/// Blocks until no process is in a cgroup.
pub(crate) fn wait_until_empty(cgroup: &Path) {
    let events = fs::File::open(cgroup.join("cgroup.events")).unwrap();
    loop {
        let text = fs::read_to_string(cgroup.join("cgroup.events")).unwrap();
        if text.contains("populated 0") {
            return;
        }
        wait_for(events.as_fd(), PollFlags::POLLPRI);
    }
}

/// Blocks until something happens to a descriptor; fails the test after a time that only a broken
/// program needs.
pub(crate) fn wait_for(file: BorrowedFd<'_>, events: PollFlags) {
    let mut list = [PollFd::new(file, events)];
    assert_ne!(poll(&mut list, PollTimeout::from(60_000_u16)).unwrap(), 0, "nothing happened");
}

/// The lines of all log files in a directory, oldest first, as (stream, flag, text).
pub(crate) fn log_in(dir: &Path) -> Vec<(String, String, String)> {
    let mut names = vec![dir.join("log")];
    while dir.join(format!("log.{}", names.len())).exists() {
        names.push(dir.join(format!("log.{}", names.len())));
    }
    let mut lines = Vec::new();
    let mut last_time = String::new();
    for name in names.iter().rev() {
        let text = fs::read_to_string(name).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "{}: a torn line", name.display());
        for line in text.lines() {
            let parts: Vec<&str> = line.splitn(4, ' ').collect();
            let [time, stream, flag, text] = parts[..] else { panic!("no log line: {line:?}") };
            assert_eq!(time.len(), "2025-11-20T19:30:34.000000000Z".len(), "{line}");
            assert!(*time >= *last_time, "{line}: before {last_time}");
            last_time = time.to_owned();
            lines.push((stream.to_owned(), flag.to_owned(), text.to_owned()));
        }
    }
    lines
}
