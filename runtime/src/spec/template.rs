//! The `config.json` that `ocirun spec` writes: a shell on a terminal, isolated as the
//! specification's own example is.

use super::linux::{Namespace, NamespaceKind};
use super::process::{Capabilities, Rlimit, User};
use super::{DeviceRule, Linux, Mount, Process, Resources, Root, Spec, VERSION};

const MASKED: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

const READ_ONLY: &[&str] =
    &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

const MOUNTS: &[(&str, &str, &str, &[&str])] = &[
    ("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]),
    ("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
    (
        "/dev/pts",
        "devpts",
        "devpts",
        &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    ),
    ("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
    ("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
    ("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
    ("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]),
];

/// The document; with `terminal` the shell gets one.
pub fn spec(terminal: bool) -> Spec {
    Spec {
        oci_version: VERSION.to_owned(),
        root: Some(Root { path: "rootfs".into(), readonly: true }),
        process: Some(process(terminal)),
        hostname: Some("ocirun".to_owned()),
        mounts: MOUNTS
            .iter()
            .map(|(destination, kind, source, options)| Mount {
                destination: destination.into(),
                kind: Some((*kind).to_owned()),
                source: Some((*source).to_owned()),
                options: options.iter().map(|&word| word.to_owned()).collect(),
                ..Mount::default()
            })
            .collect(),
        linux: Some(linux()),
        ..Spec::default()
    }
}

fn process(terminal: bool) -> Process {
    let capabilities: Vec<String> =
        ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"].map(str::to_owned).to_vec();
    Process {
        terminal,
        user: User::default(),
        args: vec!["sh".to_owned()],
        env: vec![
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            "TERM=xterm".to_owned(),
        ],
        cwd: "/".into(),
        capabilities: Some(Capabilities {
            bounding: capabilities.clone(),
            effective: capabilities.clone(),
            permitted: capabilities,
            ..Capabilities::default()
        }),
        rlimits: vec![Rlimit { kind: "RLIMIT_NOFILE".to_owned(), soft: 1024, hard: 1024 }],
        no_new_privileges: true,
        ..Process::default()
    }
}

fn linux() -> Linux {
    let kinds = [
        NamespaceKind::Pid,
        NamespaceKind::Network,
        NamespaceKind::Ipc,
        NamespaceKind::Uts,
        NamespaceKind::Mount,
        NamespaceKind::Cgroup,
    ];
    let nothing =
        DeviceRule { allow: false, access: Some("rwm".to_owned()), ..DeviceRule::default() };
    Linux {
        namespaces: kinds.map(|kind| Namespace { kind, path: None }).to_vec(),
        resources: Some(Resources { devices: vec![nothing], ..Resources::default() }),
        masked_paths: MASKED.iter().map(Into::into).collect(),
        readonly_paths: READ_ONLY.iter().map(Into::into).collect(),
        ..Linux::default()
    }
}
