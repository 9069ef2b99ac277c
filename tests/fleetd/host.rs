//! A host of the test's own: a network namespace with netd and fleetd on it, their directories, and
//! the example image.

use crate::client::{Client, fetch};
use flotilla_tests::{Scratch, look_until, need, programs};
use nix::sched::{CloneFlags, unshare};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// The link with the host's own addresses on the containers' network.
const DEVICE: &str = "fl0";

/// The example server on port 8080 of the host, nothing else.
pub(crate) const HELLO: &str = "[Container]
Image=hello
Exec=/bin/hello-server
PublishPort=8080:8080
[Service]
Type=notify
TimeoutStopSec=10s
";

/// The same without a network of its own. It is active when it answers and ends when it is told to:
/// before, the first process of a namespace gets no signal that it does not handle.
pub(crate) fn on_host(more: &str) -> String {
    format!(
        "[Service]\nType=notify\n\
         [Container]\nImage=hello\nExec=/bin/hello-server\nNetwork=host\n{more}"
    )
}

pub(crate) fn needs() -> Result<(), String> {
    need::root()?;
    need::cgroup2()?;
    Ok(())
}

pub(crate) struct Host {
    pub(crate) scratch: Scratch,
    pub(crate) options: Vec<String>,
    fleetd: Option<Child>,
    netd: Option<Child>,
}

impl Host {
    /// Both daemons run, and the image `hello` is there.
    pub(crate) fn new() -> Self {
        let mut host = Self::without_daemons();
        host.start_netd();
        host.start_fleetd();
        host
    }

    /// The test's process gets a network namespace of its own before it has threads that matter.
    pub(crate) fn without_daemons() -> Self {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        flotilla_tests::sys::bring_loopback_up().unwrap();
        let scratch = Scratch::new();
        let host = Self {
            scratch,
            options: vec!["--allow-unenforced-limits".to_owned()],
            fleetd: None,
            netd: None,
        };
        for directory in [host.run_dir(), host.state_dir()] {
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o700)).unwrap();
        }
        host
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        self.scratch.path().join("run")
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.scratch.path().join("state")
    }

    pub(crate) fn cgroup(&self) -> PathBuf {
        need::cgroup2().unwrap().join(self.cgroup_name())
    }

    fn cgroup_name(&self) -> String {
        format!("flotilla-test-{}", std::process::id())
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(programs::path("fleetd"));
        command.args(arguments).arg("--run-dir").arg(self.run_dir());
        command.arg("--state-dir").arg(self.state_dir());
        command.arg("--cgroup-parent").arg(self.cgroup_name());
        command.arg("--netd-socket").arg(self.run_dir().join("netd.sock"));
        command.stdin(Stdio::null());
        command
    }

    /// What a fleetd that cannot start says.
    pub(crate) fn fleetd_output(&self) -> Output {
        self.command(&[]).args(&self.options).output().unwrap()
    }

    pub(crate) fn start_fleetd(&mut self) {
        let command = self.command(&[]);
        self.start_fleetd_by(command);
    }

    /// As a daemon that ignores these signals would start it, or a shell's background job.
    pub(crate) fn start_fleetd_with_ignored(&mut self, signals: &str) {
        let own = self.command(&[]);
        let mut command = Command::new("env");
        command.arg(format!("--ignore-signal={signals}")).arg(own.get_program());
        command.args(own.get_args()).stdin(Stdio::null());
        self.start_fleetd_by(command);
    }

    fn start_fleetd_by(&mut self, mut command: Command) {
        command.args(&self.options);
        self.fleetd = Some(self.started(command));
        let client = self.client();
        let images: Vec<fleetd_api::Image> = client.get("/v1/images");
        if images.is_empty() {
            let response = client.ask("POST", "/v1/images?name=hello", &hello_image()).unwrap();
            assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
        }
    }

    pub(crate) fn start_netd(&mut self) {
        let mut command = Command::new(programs::path("netd"));
        command.arg("--run-dir").arg(self.run_dir()).arg("--state-dir").arg(self.state_dir());
        command.args(["--device", DEVICE, "--subnet", "10.77.0.0/24"]);
        command.arg("--pool").arg(crate::kernel::POOL.to_string());
        command.arg("--resolv-conf").arg("/dev/null");
        self.netd = Some(self.started(command));
    }

    /// Waits until it says that it is ready.
    fn started(&self, mut command: Command) -> Child {
        let path = self.scratch.path().join("notify");
        let _ = std::fs::remove_file(&path);
        let notify = UnixDatagram::bind(&path).unwrap();
        notify.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut child = command.env("NOTIFY_SOCKET", &path).spawn().unwrap();
        let mut word = [0; 16];
        match notify.recv(&mut word) {
            Ok(length) => assert_eq!(&word[..length], b"READY=1"),
            Err(error) => panic!("{command:?}: {error}; {:?}", child.try_wait()),
        }
        child
    }

    pub(crate) fn kill_fleetd(&mut self) {
        kill(self.fleetd.take());
    }

    pub(crate) fn kill_netd(&mut self) {
        kill(self.netd.take());
    }

    pub(crate) fn fleetd_pid(&self) -> i32 {
        self.fleetd.as_ref().unwrap().id().cast_signed()
    }

    pub(crate) fn netd_pid(&self) -> i32 {
        self.netd.as_ref().unwrap().id().cast_signed()
    }

    /// The supervisor of the one run that there is.
    pub(crate) fn only_supervisor(&self) -> i32 {
        let run = Self::names(&self.run_dir().join("runs")).pop_first().unwrap();
        let processes = self.cgroup().join(run).join("supervisor/cgroup.procs");
        std::fs::read_to_string(processes).unwrap().trim().parse().unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.run_dir().join("fleetd.sock"))
    }

    /// What answers on a port of 127.0.0.1.
    pub(crate) fn fetch(&self, port: u16) -> std::io::Result<String> {
        fetch(([127, 0, 0, 1], port).into())
    }

    /// Waits until something holds that no event tells of.
    pub(crate) fn eventually(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        flotilla_tests::eventually(what, || holds(self));
    }

    /// Names in a directory of the host.
    pub(crate) fn names(directory: &Path) -> BTreeSet<String> {
        std::fs::read_dir(directory)
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    /// What there is of runs: directories, writable layers, cgroups, and links beside netd's pool.
    pub(crate) fn traces(&self) -> Vec<String> {
        let mut traces = Vec::new();
        for directory in [self.run_dir().join("runs"), self.state_dir().join("layers")] {
            let names = Self::names(&directory);
            traces.extend(names.iter().map(|name| directory.join(name).display().to_string()));
        }
        let cgroups = Self::names(&self.cgroup());
        let runs = cgroups.iter().filter(|name| self.cgroup().join(name).is_dir());
        traces.extend(runs.map(|name| format!("cgroup {name}")));
        if self.netd.is_some() {
            traces.extend(self.endpoints().into_iter().map(|id| format!("endpoint {id}")));
        }
        traces
    }

    fn endpoints(&self) -> Vec<String> {
        use std::io::{BufRead, BufReader, Write};
        let socket = self.run_dir().join("netd.sock");
        let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
        let request = netd_api::Request::from(netd_api::Call::List);
        writeln!(stream, "{}", serde_json::to_string(&request).unwrap()).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        match serde_json::from_str(&line).unwrap() {
            netd_api::Reply::Endpoints { endpoints } => {
                endpoints.into_iter().map(|endpoint| endpoint.spec.id.to_string()).collect()
            }
            other => panic!("list: {other:?}"),
        }
    }

    /// Nothing of any run is left, as soon as fleetd has cleared it.
    pub(crate) fn assert_clear(&self) {
        let traces = look_until(|| self.traces(), Vec::is_empty);
        assert!(traces.is_ok(), "left behind: {traces:#?}");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill_fleetd();
        let down = self.command(&["down"]).output().unwrap();
        self.kill_netd();
        let words = String::from_utf8_lossy(&down.stderr);
        if !std::thread::panicking() {
            assert!(down.status.success(), "fleetd down: {words}");
            assert!(!self.cgroup().exists(), "{} is left", self.cgroup().display());
        }
    }
}

fn kill(child: Option<Child>) {
    if let Some(mut child) = child {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// A root file system with the example server in it, as a tar archive.
fn hello_image() -> Vec<u8> {
    let server = std::fs::read(programs::path("hello-server")).unwrap();
    let passwd = b"root:x:0:0::/root:/bin/false\nweb:x:1000:1000::/srv:/bin/false\n";
    let mut tar = Vec::new();
    for (name, mode, content) in [
        ("bin/", 0o755, &[] as &[u8]),
        ("bin/hello-server", 0o755, &server),
        ("etc/", 0o755, &[]),
        ("etc/passwd", 0o644, passwd),
    ] {
        tar.extend(entry(name, mode, content));
    }
    // Busybox, where the machine has it, to look around with.
    if let Ok(busybox) = need::program("busybox") {
        tar.extend(entry("bin/busybox", 0o755, &std::fs::read(busybox).unwrap()));
    }
    tar.extend([0; 1024]);
    tar
}

/// One ustar entry (tar(5)).
fn entry(name: &str, mode: u32, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    let mut put =
        |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, &format!("{mode:07o}"));
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{:011o}", content.len()));
    put(136, "00000000000");
    put(148, "        ");
    put(156, if name.ends_with('/') { "5" } else { "0" });
    put(257, "ustar");
    put(263, "00");
    let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut bytes = header.to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}
