//! What a test needs of the machine it runs on. Each answers with the reason to skip.

use std::path::{Path, PathBuf};

/// What a skipped test prints before its reason, at the start of a line.
pub const SKIPPED: &str = "SKIPPED: ";

pub fn root() -> Result<(), String> {
    if nix::unistd::geteuid().is_root() { Ok(()) } else { Err("needs root".to_owned()) }
}

/// Where cgroup2 is mounted, found in `/proc/self/mountinfo` (proc(5)).
pub fn cgroup2() -> Result<PathBuf, String> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").map_err(|e| e.to_string())?;
    table
        .lines()
        .find_map(|line| {
            let (mount, fs) = line.split_once(" - ")?;
            let point = mount.split(' ').nth(4)?;
            fs.starts_with("cgroup2 ").then(|| PathBuf::from(point))
        })
        .ok_or_else(|| "needs a cgroup2 mount".to_owned())
}

/// A cgroup v2 controller that the root cgroup offers.
pub fn controller(name: &str) -> Result<(), String> {
    let file = cgroup2()?.join("cgroup.controllers");
    let offered = std::fs::read_to_string(file).map_err(|e| e.to_string())?;
    if offered.split_whitespace().any(|c| c == name) {
        Ok(())
    } else {
        Err(format!("needs the {name} controller on cgroup v2"))
    }
}

/// A program of the machine, such as a peer.
pub fn program(name: &str) -> Result<PathBuf, String> {
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin"]
        .iter()
        .map(|dir| Path::new(dir).join(name))
        .find(|path| path.exists())
        .ok_or_else(|| format!("needs {name}"))
}

/// The disposable kernel of the virtual machine.
pub fn virtual_machine() -> Result<(), String> {
    if std::env::var_os("FLOTILLA_VM").is_some() {
        Ok(())
    } else {
        Err("runs in the virtual machine only".to_owned())
    }
}

/// systemd as the first process of a disposable machine. The runner boots one for the test program
/// `systemd`.
pub fn systemd() -> Result<(), String> {
    virtual_machine()?;
    // As sd_booted(3) finds out.
    if Path::new("/run/systemd/system").is_dir() {
        Ok(())
    } else {
        Err("needs systemd as the first process".to_owned())
    }
}
