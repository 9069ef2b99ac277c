//! A playground of the test's own, with hosts that are one fleet or each their own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub use crate::wait::eventually;
use crate::{Scratch, need, programs};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use serde_json::Value;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

/// The example server, on port 8080 of its host.
const HELLO: &str = "[Container]
Image=hello
Exec=/bin/hello-server
PublishPort=8080:8080
[Service]
Type=notify
";

pub fn needs() -> Result<(), String> {
    need::root()?;
    need::cgroup2()?;
    Ok(())
}

/// A kernel on which the playground's hosts can be cut off.
pub fn can_cut() -> Result<(), String> {
    let release =
        std::fs::read_to_string("/proc/sys/kernel/osrelease").map_err(|e| e.to_string())?;
    let mut numbers = release.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    match (numbers.next(), numbers.next()) >= (Some(6), Some(12)) {
        true => Ok(()),
        false => Err("needs Linux 6.12 or newer".to_owned()),
    }
}

/// Of each fleetd's log, where a test fails.
const LOG_LINES: usize = 40;

/// Removes everything when it is dropped.
pub struct Ground {
    name: String,
    hosts: Mutex<BTreeMap<String, String>>,
    /// Disks that [`Self::give_small_disk`] mounted.
    disks: Mutex<Vec<PathBuf>>,
}

impl Ground {
    /// Hosts that are each a fleet of its own.
    pub fn up(hosts: u8) -> Self {
        let ground = Self::named("");
        ground.play(&["up", "--separate", "--hosts", &hosts.to_string()]);
        ground
    }

    /// Hosts `h1` to `hN` that are one fleet and know each other, with the image `hello`.
    pub fn fleet(hosts: u8) -> Self {
        let ground = Self::named("");
        ground.play(&["up", "--hosts", &hosts.to_string()]);
        for number in 1..=hosts {
            let host = format!("h{number}");
            ground.import_hello(&host);
            eventually("every host knows all", || {
                let machines = ground.machines(&host);
                machines.len() == usize::from(hosts)
                    && machines.iter().all(|machine| machine["status"] == "alive")
            });
        }
        // Who leads places no unit on a host of which it has not heard that it has the image.
        for number in 1..=hosts {
            eventually("every host knows who has the image", || {
                ground.holders_of_hello(&format!("h{number}")) == usize::from(hosts)
            });
        }
        let voters = if hosts < 3 { 1 } else { 3 };
        eventually("the voters are chosen", || {
            let machines = ground.machines("h1");
            machines.iter().filter(|machine| machine["role"] != "host").count() == voters
        });
        ground
    }

    /// The machines that a host knows of; none if it cannot say.
    pub fn machines(&self, host: &str) -> Vec<Value> {
        let output = self.try_ctl(host, &["--json", "list-machines"]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// The units that a host knows of; none if it cannot say.
    pub fn units(&self, host: &str) -> Vec<Value> {
        let output = self.try_ctl(host, &["--json", "list-units"]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// A running unit's host and first process, as a host says.
    pub fn running(&self, ask: &str, unit: &str) -> Option<(String, u32)> {
        let units = self.units(ask);
        let unit = units.iter().find(|one| one["name"] == unit)?;
        if unit["state"]["active"] != "active" {
            return None;
        }
        let pid = u32::try_from(unit["state"]["pid"].as_u64()?).unwrap();
        Some((self.host_of(unit["state"]["machine"].as_str()?)?, pid))
    }

    /// `hN`, by the id of its machine: ids are asked for once.
    pub fn host_of(&self, machine: &str) -> Option<String> {
        let mut hosts = self.hosts.lock().unwrap();
        if !hosts.contains_key(machine) {
            for host in ["h1", "h2", "h3", "h4", "h5"] {
                let rows = self.machines(host);
                let pair = |row: &Value| {
                    let number = row["ip"].as_str()?.rsplit_once('.')?.1;
                    Some((row["id"].as_str()?.to_owned(), format!("h{number}")))
                };
                hosts.extend(rows.iter().filter_map(pair));
                if hosts.contains_key(machine) {
                    break;
                }
            }
        }
        hosts.get(machine).cloned()
    }

    /// Who leads, as this host says.
    pub fn leader(&self, ask: &str) -> Option<String> {
        let output = self.try_ctl(ask, &["--json", "fleet"]);
        let fleet: Value = serde_json::from_slice(&output.stdout).ok()?;
        self.host_of(fleet["leader"].as_str()?)
    }

    /// Writes a unit file and starts it by a host.
    pub fn start(&self, host: &str, name: &str, text: &str) -> Output {
        let scratch = Scratch::new();
        let path = scratch.path().join(name);
        std::fs::write(&path, text).unwrap();
        self.try_ctl(host, &["start", path.to_str().unwrap()])
    }

    /// None is there yet. `suffix` tells a test's playgrounds apart.
    pub fn named(suffix: &str) -> Self {
        own_var_lib();
        let name = format!("t{}{suffix}", std::process::id());
        Self { name, hosts: Mutex::default(), disks: Mutex::default() }
    }

    pub fn run_dir(&self) -> PathBuf {
        Path::new("/run/flotilla-playground").join(&self.name)
    }

    pub fn state_dir(&self) -> PathBuf {
        Path::new("/var/lib/flotilla-playground").join(&self.name)
    }

    pub fn cgroup(&self, host: &str) -> PathBuf {
        need::cgroup2().unwrap().join(format!("flotilla-playground-{}-{host}", self.name))
    }

    /// The cgroups that there are.
    pub fn cgroups(&self) -> Vec<PathBuf> {
        let all = ["switch", "h1", "h2", "h3", "h4", "h5"].map(|member| self.cgroup(member));
        all.into_iter().filter(|cgroup| cgroup.exists()).collect()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(programs::path("fleetctl"));
        command.args(["playground", "--name", &self.name]).args(arguments).stdin(Stdio::null());
        command
    }

    /// A command of the playground; what it prints.
    pub fn play(&self, arguments: &[&str]) -> String {
        said(arguments, &self.command(arguments).output().unwrap())
    }

    /// The one line that a command fails with.
    pub fn refused(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?} succeeded");
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(error.lines().count(), 1, "{error}");
        error.trim_end().to_owned()
    }

    /// fleetctl on a host; what it prints.
    pub fn ctl(&self, host: &str, arguments: &[&str]) -> String {
        said(arguments, &self.try_ctl(host, arguments))
    }

    pub fn try_ctl(&self, host: &str, arguments: &[&str]) -> Output {
        let socket = self.run_dir().join(host).join("fleetd.sock");
        let mut command = Command::new(programs::path("fleetctl"));
        command.arg("--socket").arg(socket).args(arguments).stdin(Stdio::null());
        command.output().unwrap()
    }

    /// The work of a thread in the host's network.
    pub fn inside<T: Send + 'static>(
        &self,
        host: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let namespace = File::open(format!("/proc/{}/ns/net", self.pid(host))).unwrap();
        let there = move || {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            work()
        };
        std::thread::spawn(there).join().unwrap()
    }

    /// The id of a host of a fleet, as it says.
    pub fn machine_of(&self, host: &str) -> String {
        let fleet: Value = serde_json::from_str(&self.ctl(host, &["--json", "fleet"])).unwrap();
        fleet["machine"].as_str().unwrap().to_owned()
    }

    /// Boots the host with what it has on a disk of its own of that size (`64m`). Gives where that is.
    pub fn give_small_disk(&self, host: &str, size: &str) -> PathBuf {
        self.play(&["kill", host]);
        let (disk, was) = (self.state_dir().join(host), self.state_dir().join("was"));
        std::fs::rename(&disk, &was).unwrap();
        std::fs::create_dir(&disk).unwrap();
        let size = format!("size={size},mode=0700");
        mount(Some("tmpfs"), &disk, Some("tmpfs"), MsFlags::empty(), Some(size.as_str())).unwrap();
        self.disks.lock().unwrap().push(disk.clone());
        let copy = ["-a", &format!("{}/.", was.display()), disk.to_str().unwrap()];
        said(&copy, &Command::new("cp").args(copy).output().unwrap());
        std::fs::remove_dir_all(was).unwrap();
        self.play(&["start", host]);
        disk
    }

    /// What each fleetd has said last, for whoever looks into a failure.
    fn print_logs(&self) {
        let hosts = std::fs::read_dir(self.state_dir()).into_iter().flatten().flatten();
        let mut logs: Vec<PathBuf> = hosts.map(|host| host.path().join("fleetd.log")).collect();
        logs.sort();
        for log in logs {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let last = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n  ");
            println!("{}:\n  {last}", log.display());
        }
    }

    /// A host's row of `list`.
    pub fn row(&self, host: &str) -> Value {
        let rows: Vec<Value> = serde_json::from_str(&self.play(&["list", "--json"])).unwrap();
        rows.into_iter().find(|row| row["host"] == host).unwrap()
    }

    pub fn state(&self, host: &str) -> String {
        self.row(host)["state"].as_str().unwrap().to_owned()
    }

    /// The process that holds the host's namespaces.
    pub fn pid(&self, host: &str) -> u64 {
        self.row(host)["pid"].as_u64().unwrap()
    }

    /// The id of the host's machine, which is on its disk.
    pub fn machine(&self, host: &str) -> String {
        let text = self.ctl(host, &["--json", "list-machines"]);
        let machines: Value = serde_json::from_str(&text).unwrap();
        machines[0]["id"].as_str().unwrap().to_owned()
    }

    /// The example server runs in a container of the host.
    pub fn start_hello(&self, host: &str) {
        self.import_hello(host);
        said(&["start"], &self.start(host, "hello.container", HELLO));
    }

    /// How many hosts have the image `hello`, as a host hears.
    fn holders_of_hello(&self, host: &str) -> usize {
        let output = self.try_ctl(host, &["--json", "image", "list"]);
        let images: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let hello = images.iter().find(|image| image["names"].to_string().contains("hello"));
        hello.and_then(|image| image["machines"].as_array()).map_or(0, Vec::len)
    }

    /// The image `hello`, with nothing but its server.
    pub fn import_hello(&self, host: &str) {
        let scratch = Scratch::new();
        let root = scratch.path().join("root");
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::copy(programs::path("hello-server"), root.join("bin/hello-server")).unwrap();
        self.ctl(host, &["image", "import", root.to_str().unwrap(), "hello"]);
    }

    /// Every process in the host's cgroups, with its program.
    pub fn processes(&self, host: &str) -> BTreeSet<(u32, String)> {
        let mut found = BTreeSet::new();
        let mut open = vec![self.cgroup(host)];
        while let Some(directory) = open.pop() {
            let Ok(pids) = std::fs::read_to_string(directory.join("cgroup.procs")) else {
                continue;
            };
            for pid in pids.lines().map(|pid| pid.parse().unwrap()) {
                let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                found.insert((pid, name.trim().to_owned()));
            }
            let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
            open.extend(entries.map(|entry| entry.path()).filter(|path| path.is_dir()));
        }
        found
    }

    pub fn programs(&self, host: &str) -> BTreeSet<String> {
        self.processes(host).into_iter().map(|(_, name)| name).collect()
    }

    /// Nothing is there.
    pub fn assert_gone(&self) {
        assert_eq!(self.cgroups(), Vec::<PathBuf>::new());
        for directory in [self.run_dir(), self.state_dir()] {
            assert!(!directory.exists(), "{} is left", directory.display());
        }
        let mounts = std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        assert!(!mounts.contains("flotilla-playground"), "{mounts}");
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.print_logs();
        }
        for disk in self.disks.lock().unwrap().iter() {
            // Its host has it until it ends.
            umount2(disk, MntFlags::MNT_DETACH).unwrap();
        }
        let output = self.command(&["down"]).output().unwrap();
        if !std::thread::panicking() {
            said(&["down"], &output);
            self.assert_gone();
        }
    }
}

/// The test's thread, and what it starts, get a `/var/lib` that can hold an overlay's upper directory
/// and is gone with them.
fn own_var_lib() {
    thread_local!(static DONE: Cell<bool> = const { Cell::new(false) });
    if !DONE.replace(true) {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let none: Option<&str> = None;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        mount(Some("tmpfs"), "/var/lib", Some("tmpfs"), MsFlags::empty(), none).unwrap();
    }
}

/// Whether a process has not ended: a zombie has, whoever reaps it.
pub fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

pub fn said(arguments: &[&str], output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout.clone()).unwrap()
}
