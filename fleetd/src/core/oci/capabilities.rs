//! The capabilities of a container unless its unit says otherwise: the fourteen that Docker gives,
//! so that images made for it work (capabilities(7) on each).

pub const DEFAULT: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    // Nodes of devices can be made; the device filter of the cgroup still decides on their use.
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    // ping, and what needs packet sockets: within the container's own network namespace.
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// On the host's own network packet sockets would read and forge the host's traffic.
pub const NOT_ON_HOST_NETWORK: &str = "CAP_NET_RAW";
