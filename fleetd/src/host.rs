//! What fleetd finds out about its host at its start.

use crate::core::unit::HostFacts;
use crate::sentence::cause;
use std::net::{IpAddr, UdpSocket};

/// Of the running kernel: 32 hex digits.
pub fn boot_id() -> Result<String, String> {
    read("/proc/sys/kernel/random/boot_id").map(|id| id.replace('-', ""))
}

/// A new one: 32 hex digits (random(4)).
pub fn new_machine_id() -> Result<String, String> {
    read("/proc/sys/kernel/random/uuid").map(|id| id.replace('-', ""))
}

pub fn facts(machine_id: &str) -> Result<HostFacts, String> {
    Ok(HostFacts {
        machine_id: machine_id.to_owned(),
        boot_id: boot_id()?,
        hostname: read("/proc/sys/kernel/hostname")?,
        kernel_release: read("/proc/sys/kernel/osrelease")?,
        architecture: architecture().to_owned(),
        memory: memory()?,
        tasks: tasks()?,
    })
}

/// The address that others reach this host at: the source of a packet to anywhere. None is sent.
pub fn address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // RFC 5737: a documentation network, routed as the default is.
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

pub fn cpus() -> usize {
    // Configured, not only those that are online or ours: their directories are all there.
    let possible = read("/sys/devices/system/cpu/possible").unwrap_or_default();
    let last = possible.rsplit(['-', ',']).next().and_then(|last| last.parse::<usize>().ok());
    last.map_or(1, |last| last + 1)
}

fn read(path: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("read {path}: {}", cause(&e)))?;
    Ok(text.trim().to_owned())
}

/// systemd's names (systemd.unit(5), `%a`).
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "x86-64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// proc(5), `/proc/meminfo`: kibibytes.
fn memory() -> Result<u64, String> {
    let text = read("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    number.map(|kib| kib * 1024).ok_or_else(|| "read /proc/meminfo: no MemTotal".to_owned())
}

/// As systemd counts them: what both limits of the kernel allow.
fn tasks() -> Result<u64, String> {
    let limit = |path: &str| -> Result<u64, String> {
        read(path)?.parse().map_err(|e| format!("read {path}: {}", cause(&e)))
    };
    Ok(limit("/proc/sys/kernel/pid_max")?.min(limit("/proc/sys/kernel/threads-max")?))
}
