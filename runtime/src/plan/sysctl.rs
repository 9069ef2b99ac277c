//! `linux.sysctl`: which settings belong to a namespace of the container's own.

use crate::error::{Error, Result};
use crate::plan::namespaces::Namespaces;
use crate::spec::linux::NamespaceKind;

const IPC: &[&str] = &[
    "kernel/msgmax",
    "kernel/msgmnb",
    "kernel/msgmni",
    "kernel/sem",
    "kernel/shmall",
    "kernel/shmmax",
    "kernel/shmmni",
    "kernel/shm_rmid_forced",
    "kernel/auto_msgmni",
    "kernel/msg_next_id",
    "kernel/sem_next_id",
    "kernel/shm_next_id",
];

/// The path below `/proc/sys` of a key such as `net.ipv4.ip_forward` or `net/ipv4/conf/eth0.1/x`.
///
/// As in sysctl(8): the first of `.` and `/` is the separator, and the other is its replacement.
pub fn path(key: &str) -> String {
    match key.find(['.', '/']) {
        Some(first) if key.as_bytes()[first] == b'.' => key
            .chars()
            .map(|c| match c {
                '.' => '/',
                '/' => '.',
                c => c,
            })
            .collect(),
        _ => key.to_owned(),
    }
}

/// The kind of namespace that has the setting at a path below `/proc/sys`.
pub fn owner(path: &str) -> Option<NamespaceKind> {
    if path.starts_with("net/") {
        Some(NamespaceKind::Network)
    } else if IPC.contains(&path) || path.starts_with("fs/mqueue/") {
        Some(NamespaceKind::Ipc)
    } else if path == "kernel/domainname" || path == "kernel/hostname" {
        Some(NamespaceKind::Uts)
    } else {
        None
    }
}

/// Refuses a setting that would change the host, and one that could be read as two.
pub fn check(key: &str, value: &str, namespaces: &Namespaces<'_>) -> Result<()> {
    let refuse = |why: &str| Err(Error::new(format_args!("linux.sysctl[{key:?}]: {why}")));
    let path = path(key);
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@,".contains(c);
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) || !key.chars().all(plain) {
        return refuse("no name of a sysctl");
    }
    if value.contains(['\n', '\0']) {
        return refuse("a value has one line");
    }
    let Some(owner) = owner(&path) else {
        return refuse("not a setting of a namespace: it would change the host");
    };
    if !namespaces.has(owner) {
        return refuse(match owner {
            NamespaceKind::Network => "needs a network namespace of the container's own",
            NamespaceKind::Ipc => "needs an ipc namespace of the container's own",
            _ => "needs a uts namespace of the container's own",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_exchanged_as_in_sysctl() {
        assert_eq!(path("net.ipv4.conf.eth0/1.rp_filter"), "net/ipv4/conf/eth0.1/rp_filter");
        assert_eq!(path("net/ipv4/conf/eth0.1/rp_filter"), "net/ipv4/conf/eth0.1/rp_filter");
    }

    #[test]
    fn only_settings_of_private_namespaces_pass() {
        let own = Namespaces { new: libc::CLONE_NEWNET | libc::CLONE_NEWIPC, joined: vec![] };
        check("net.ipv4.ip_forward", "1", &own).unwrap();
        check("kernel.shmmax", "1", &own).unwrap();
        check("fs.mqueue.msg_max", "1", &own).unwrap();
        for bad in [
            "kernel.hostname",
            "kernel.core_pattern",
            "vm.swappiness",
            "net",
            "net..x",
            "net/../vm/x",
            "net.ipv4.ip_forward=1",
            "net.x+kernel.y",
            "",
            ".",
            "kernel.shmmax\n",
        ] {
            assert!(check(bad, "1", &own).is_err(), "{bad:?}");
        }
        assert!(check("net.ipv4.ip_forward", "1\n2", &own).is_err());
        assert!(check("net.ipv4.ip_forward", "1", &Namespaces::default()).is_err());
    }
}
