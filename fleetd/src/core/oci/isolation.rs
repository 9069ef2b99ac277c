//! What of the kernel a container is kept from: capabilities and paths of `/proc` and `/sys`.

use serde_json::{Value, json};

/// What root in a container may do: its own files and users, low ports, and no more. No raw
/// sockets and no device nodes: those who need them will ask for them by `AddCapability=`.
const CAPABILITIES: &[&str] = &[
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// The sets of capabilities(7). Another user than root holds none, and can get no more than these
/// by a set-uid program. Nothing is inheritable (CVE-2022-29162).
pub(super) fn capabilities(root: bool) -> Value {
    let held: &[&str] = if root { CAPABILITIES } else { &[] };
    json!({"bounding": CAPABILITIES, "permitted": held, "effective": held})
}

/// Not to be read: they tell of other containers, of the host's keys, load and power.
const MASKED: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// Not to be written: they change the host.
pub(super) const READ_ONLY: &[&str] =
    &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

pub(super) fn masked(thermal: &[String]) -> Vec<&str> {
    MASKED.iter().copied().chain(thermal.iter().map(String::as_str)).collect()
}
