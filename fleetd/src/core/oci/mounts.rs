//! The mounts of every container, and those that the unit asks for.

use crate::core::unit::container::ContainerUnit;
use serde_json::{Value, json};

/// Bytes; what every engine gives.
const SHM: &str = "size=65536k";

/// A file that fleetd makes for the run and mounts read-only.
pub const RUN_FILES: [(&str, &str); 3] =
    [("hosts", "/etc/hosts"), ("hostname", "/etc/hostname"), ("resolv.conf", "/etc/resolv.conf")];

/// Where a Type=notify unit finds the directory of its socket.
pub const NOTIFY_DIR: &str = "/run/flotilla-notify";

/// All mounts, in order. `files` are destinations that come as descriptors and are mounted
/// read-only: those of [`RUN_FILES`], [`NOTIFY_DIR`], credentials.
pub fn mounts(unit: &ContainerUnit, files: &[&str]) -> Vec<Value> {
    let mut mounts = vec![
        mount("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]),
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", SHM]),
        mount(
            "/dev/pts",
            "devpts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", SHM]),
        mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        mount(
            "/sys/fs/cgroup",
            "cgroup",
            "cgroup",
            &["nosuid", "noexec", "nodev", "relatime", "ro"],
        ),
    ];
    let given = |path: &str| unit.volumes.iter().any(|volume| volume.target == *path);
    if unit.read_only {
        // As podman has it: what a program must be able to write lies in memory.
        for path in ["/run", "/tmp", "/var/tmp"].into_iter().filter(|path| !given(path)) {
            let options = ["nosuid", "nodev", "mode=1777"];
            mounts.push(mount(path, "tmpfs", "tmpfs", &options));
        }
    }
    for destination in files.iter().filter(|path| !given(path)) {
        mounts.push(bind(destination, &["ro", "nosuid", "nodev", "noexec"]));
    }
    for volume in &unit.volumes {
        let options: &[&str] = if volume.read_only { &["rro", "nodev"] } else { &["nodev"] };
        mounts.push(bind(&volume.target.to_string_lossy(), options));
    }
    mounts
}

fn mount(destination: &str, kind: &str, source: &str, options: &[&str]) -> Value {
    json!({ "destination": destination, "type": kind, "source": source, "options": options })
}

/// A bind mount whose source the supervisor gets as a descriptor (`--mount-fd`).
fn bind(destination: &str, options: &[&str]) -> Value {
    let mut all = vec!["rbind", "rprivate"];
    all.extend(options);
    mount(destination, "bind", "descriptor", &all)
}
