//! What is mounted inside, in order.

use super::{Input, NOTIFY_SOCKET};
use crate::core::unit::container::Volume;
use serde_json::{Value, json};

pub(super) fn mounts(input: &Input<'_>) -> Vec<Value> {
    let mut mounts = kernel();
    if input.unit.read_only {
        mounts.extend(["/run", "/tmp", "/var/tmp"].map(scratch));
    }
    for name in ["resolv.conf", "hosts", "hostname"] {
        mounts.push(file(&input.files_dir.join(name), &format!("/etc/{name}")));
    }
    mounts.extend(volumes(&input.unit.volumes));
    if let Some(socket) = input.notify_socket {
        mounts.push(file(socket, NOTIFY_SOCKET));
    }
    mounts
}

fn mount(kind: &str, destination: &str, options: &[&str]) -> Value {
    json!({"type": kind, "source": kind, "destination": destination, "options": options})
}

fn kernel() -> Vec<Value> {
    vec![
        mount("proc", "/proc", &["nosuid", "noexec", "nodev"]),
        mount("tmpfs", "/dev", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount(
            "devpts",
            "/dev/pts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        mount("tmpfs", "/dev/shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
        mount("mqueue", "/dev/mqueue", &["nosuid", "noexec", "nodev"]),
        mount("sysfs", "/sys", &["nosuid", "noexec", "nodev", "ro"]),
        mount("cgroup", "/sys/fs/cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]),
    ]
}

/// Quadlet's `ReadOnlyTmpfs=`, which is on by default: a read-only program can still write where
/// programs expect to.
fn scratch(destination: &str) -> Value {
    mount("tmpfs", destination, &["nosuid", "nodev", "mode=1777"])
}

/// One of our own files: read-only, since what a program appends to it would fill the host's /run.
fn file(source: &std::path::Path, destination: &str) -> Value {
    json!({
        "type": "bind",
        "source": source,
        "destination": destination,
        "options": ["bind", "ro", "nosuid", "nodev", "noexec", "rprivate"],
    })
}

/// A volume below another one comes after it.
fn volumes(volumes: &[Volume]) -> impl Iterator<Item = Value> {
    let mut sorted: Vec<&Volume> = volumes.iter().collect();
    sorted.sort_by_key(|v| v.target.components().count());
    sorted.into_iter().map(|volume| {
        let access = if volume.read_only { "ro" } else { "rw" };
        json!({
            "type": "bind",
            "source": volume.source,
            "destination": volume.target,
            "options": ["rbind", access, "rprivate"],
        })
    })
}
