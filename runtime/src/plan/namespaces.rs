//! Which namespaces are made and which are joined.

use std::path::Path;

use crate::error::{Error, Result};
use crate::spec::Linux;
use crate::spec::linux::NamespaceKind;

/// The `CLONE_NEW*` bit of a kind.
pub fn flag(kind: NamespaceKind) -> i32 {
    match kind {
        NamespaceKind::Cgroup => libc::CLONE_NEWCGROUP,
        NamespaceKind::Ipc => libc::CLONE_NEWIPC,
        NamespaceKind::Mount => libc::CLONE_NEWNS,
        NamespaceKind::Network => libc::CLONE_NEWNET,
        NamespaceKind::Pid => libc::CLONE_NEWPID,
        NamespaceKind::Time => libc::CLONE_NEWTIME,
        NamespaceKind::User => libc::CLONE_NEWUSER,
        NamespaceKind::Uts => libc::CLONE_NEWUTS,
    }
}

/// The name of a kind in the document.
pub fn name(kind: NamespaceKind) -> &'static str {
    match kind {
        NamespaceKind::Cgroup => "cgroup",
        NamespaceKind::Ipc => "ipc",
        NamespaceKind::Mount => "mount",
        NamespaceKind::Network => "network",
        NamespaceKind::Pid => "pid",
        NamespaceKind::Time => "time",
        NamespaceKind::User => "user",
        NamespaceKind::Uts => "uts",
    }
}

/// A container's namespaces.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Namespaces<'a> {
    /// `CLONE_NEW*` bits of those to make.
    pub new: i32,
    /// Those to join.
    pub joined: Vec<(NamespaceKind, &'a Path)>,
}

impl<'a> Namespaces<'a> {
    /// Of each kind one at most.
    pub fn of(linux: &'a Linux) -> Result<Self> {
        let mut seen = 0;
        let mut namespaces = Self::default();
        for (index, namespace) in linux.namespaces.iter().enumerate() {
            let bit = flag(namespace.kind);
            if seen & bit != 0 {
                return Err(Error::new(format_args!(
                    "linux.namespaces[{index}]: a second {} namespace",
                    name(namespace.kind)
                )));
            }
            seen |= bit;
            match namespace.path.as_deref().filter(|path| !path.as_os_str().is_empty()) {
                Some(path) => namespaces.joined.push((namespace.kind, path)),
                None => namespaces.new |= bit,
            }
        }
        Ok(namespaces)
    }

    /// Whether the container has a namespace of this kind that is not the host's by being left out.
    pub fn has(&self, kind: NamespaceKind) -> bool {
        self.new & flag(kind) != 0 || self.joined.iter().any(|(joined, _)| *joined == kind)
    }

    pub fn makes(&self, kind: NamespaceKind) -> bool {
        self.new & flag(kind) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::linux::Namespace;

    fn linux(list: &[(NamespaceKind, Option<&str>)]) -> Linux {
        Linux {
            namespaces: list
                .iter()
                .map(|(kind, path)| Namespace { kind: *kind, path: path.map(Into::into) })
                .collect(),
            ..Linux::default()
        }
    }

    #[test]
    fn an_empty_path_means_a_new_namespace() {
        let linux = linux(&[
            (NamespaceKind::Pid, None),
            (NamespaceKind::Uts, Some("")),
            (NamespaceKind::Network, Some("/proc/1/ns/net")),
        ]);
        let namespaces = Namespaces::of(&linux).unwrap();
        assert_eq!(namespaces.new, libc::CLONE_NEWPID | libc::CLONE_NEWUTS);
        assert!(
            namespaces.has(NamespaceKind::Network) && !namespaces.makes(NamespaceKind::Network)
        );
    }

    #[test]
    fn a_second_namespace_of_a_kind_is_an_error() {
        let linux = linux(&[(NamespaceKind::Pid, None), (NamespaceKind::Pid, Some("/x"))]);
        let error = Namespaces::of(&linux).unwrap_err().to_string();
        assert_eq!(error, "linux.namespaces[1]: a second pid namespace");
    }
}
