//! A bundle with busybox in it, and what is done with it.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use flotilla_tests::{Scratch, need, programs};
use serde_json::{Value, json};

const APPLETS: &[&str] = &[
    "cat", "echo", "env", "grep", "head", "hostname", "id", "ls", "mkdir", "mount", "ps", "pwd",
    "readlink", "rm", "sh", "sleep", "stat", "stty", "tail", "test", "touch", "tr", "true", "tty",
    "umount", "unshare", "wc",
];

static COUNT: AtomicU32 = AtomicU32::new(0);

/// One container's bundle and state directory. When it goes, nothing of the container may be left.
pub(crate) struct Bundle {
    scratch: Scratch,
    pub(crate) config: Value,
    pub(crate) id: String,
}

impl Bundle {
    /// What `ocirun spec` writes, over a root file system with busybox.
    pub(crate) fn new() -> Result<Self, String> {
        need::root()?;
        let cgroups = need::cgroup2()?;
        let busybox = need::program("busybox")?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("flotilla-test-{}-{number}", std::process::id());
        assert!(!cgroups.join(&id).exists(), "a cgroup of an earlier test is left");
        let scratch = Scratch::new();
        let mut bundle = Self { scratch, config: Value::Null, id };
        let bin = bundle.root().join("bin");
        fs::create_dir_all(&bin).unwrap();
        fs::copy(busybox, bin.join("busybox")).unwrap();
        for applet in APPLETS {
            symlink("busybox", bin.join(applet)).unwrap();
        }
        let made = bundle.ocirun(&["spec", "--bundle", bundle.path().to_str().unwrap()]);
        assert!(made.status.success(), "{made:?}");
        let text = fs::read(bundle.path().join("config.json")).unwrap();
        let mut config: Value = serde_json::from_slice(&text).unwrap();
        config["process"]["terminal"] = json!(false);
        bundle.config = config;
        Ok(bundle)
    }

    pub(crate) fn path(&self) -> &Path {
        self.scratch.path()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.path().join("rootfs")
    }

    pub(crate) fn state_root(&self) -> PathBuf {
        self.path().join("state")
    }

    /// Where the container's cgroup is while there is one.
    pub(crate) fn cgroup(&self) -> PathBuf {
        need::cgroup2().unwrap().join(&self.id)
    }

    pub(crate) fn set_script(&mut self, script: &str) {
        self.config["process"]["args"] = json!(["/bin/sh", "-c", script]);
    }

    /// One element more of a list of the document.
    pub(crate) fn push(&mut self, pointer: &str, value: Value) {
        self.config.pointer_mut(pointer).unwrap().as_array_mut().unwrap().push(value);
    }

    pub(crate) fn write_config(&self) {
        fs::write(self.path().join("config.json"), self.config.to_string()).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(programs::path("ocirun"));
        command.arg("--root").arg(self.state_root()).args(arguments).stdin(Stdio::null());
        command.current_dir(self.path());
        command
    }

    /// Runs a command of ocirun that leaves nobody behind who holds its output.
    pub(crate) fn ocirun(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs one that leaves a container behind; what it says goes to a file.
    pub(crate) fn quietly(&self, arguments: &[&str]) -> Result<(), String> {
        let said = self.path().join("said");
        let status = self
            .command(arguments)
            .stdout(Stdio::null())
            .stderr(File::create(&said).unwrap())
            .status()
            .unwrap();
        let text = fs::read_to_string(&said).unwrap();
        if status.success() { Ok(()) } else { Err(text) }
    }

    /// `run` with the document as it is.
    pub(crate) fn run(&self) -> Output {
        self.write_config();
        self.ocirun(&["run", &self.id])
    }

    /// What a script in the container prints; it must succeed.
    pub(crate) fn prints(&mut self, script: &str) -> String {
        self.set_script(script);
        let output = self.run();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{script}: {output:?}");
        text.trim_end().to_owned()
    }

    /// The one line that a failing `run` says.
    pub(crate) fn fault(&self) -> String {
        let output = self.run();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        text.trim_end().strip_prefix("ocirun: ").unwrap().to_owned()
    }

    /// A container that sleeps; its pid in the host.
    pub(crate) fn start_sleeping(&mut self) -> i64 {
        self.config["process"]["args"] = json!(["/bin/sleep", "1000"]);
        self.write_config();
        self.quietly(&["run", "--detach", &self.id]).unwrap();
        self.state()["pid"].as_i64().unwrap()
    }

    pub(crate) fn exec(&self, arguments: &[&str]) -> Output {
        self.ocirun(&[&["exec"], arguments].concat())
    }

    pub(crate) fn state(&self) -> Value {
        let output = self.ocirun(&["state", &self.id]);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn delete(&self) {
        let output = self.ocirun(&["delete", "--force", &self.id]);
        assert!(output.status.success(), "{output:?}");
    }

    /// No cgroup and no state; what a failed or finished container leaves.
    pub(crate) fn assert_nothing_left(&self) {
        assert!(!self.cgroup().exists(), "its cgroup is left");
        let states = fs::read_dir(self.state_root()).map(Iterator::count).unwrap_or(0);
        assert_eq!(states, 0, "its state is left");
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let _ = self.command(&["delete", "--force", &self.id]).output();
        if !std::thread::panicking() {
            self.assert_nothing_left();
        }
    }
}

/// The mounts of this process's namespace.
pub(crate) fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).trim_end().to_owned()
}
