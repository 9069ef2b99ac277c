//! Makes the container's first process, in its namespaces and its cgroup, with one clone.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::prepare::{Prepared, Remains};
use crate::error::{Doing, Error, Result};
use crate::init;
use crate::plan::namespaces;
use crate::spec::linux::NamespaceKind;
use crate::sys::{file, process};

/// Clones; the child goes to [`init::run`] and does not come back.
pub(super) fn clone(
    prepared: Prepared<'_>,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<(process::Child, Remains)> {
    let Prepared { new_namespaces, worn, time_offsets, mut init, remains, .. } = prepared;
    // The cgroup namespace's root is the cgroup that its maker is in, and at the clone that is still
    // ours: the child unshares it later. A time namespace is for children only, and its
    // offsets can be set only before the first is in it.
    let later = libc::CLONE_NEWCGROUP | libc::CLONE_NEWTIME;
    init.unshare_cgroup = new_namespaces & libc::CLONE_NEWCGROUP != 0;

    let mut wardrobe = Wardrobe::default();
    for (kind, namespace) in &worn {
        wardrobe.wear(*kind, namespace.as_fd())?;
    }
    if new_namespaces & libc::CLONE_NEWTIME != 0 {
        wardrobe.remember(NamespaceKind::Time)?;
        process::unshare(libc::CLONE_NEWTIME).doing("make the time namespace")?;
        if !time_offsets.is_empty() {
            file::openat(file::here(), Path::new("/proc/self/timens_offsets"), libc::O_WRONLY, 0)
                .and_then(|file| file::write_whole(file.as_fd(), time_offsets.as_bytes()))
                .doing("set linux.timeOffsets")?;
        }
    }
    let cloned = process::clone(new_namespaces & !later, cgroup);
    let child = match cloned {
        Ok(None) => init::run(init),
        Ok(Some(child)) => child,
        Err(error) => {
            wardrobe.restore()?;
            return Err(refused(&error));
        }
    };
    if let Err(error) = wardrobe.restore() {
        let _ = process::pidfd_send_signal(child.pidfd.as_fd(), libc::SIGKILL);
        let _ = process::wait(child.pidfd.as_fd());
        return Err(error);
    }
    Ok((child, remains))
}

fn refused(error: &std::io::Error) -> Error {
    let fault = Error::io("clone the container's first process", error);
    match error.raw_os_error() {
        Some(libc::EPERM) => {
            fault.hint("new namespaces need CAP_SYS_ADMIN: run as root, or in a user namespace")
        }
        Some(libc::EBUSY) => fault.hint("the cgroup may not have processes: one of its parents is not threaded, or has controllers on and processes of its own"),
        Some(libc::ENOSPC) => fault.hint("see /proc/sys/user/max_*_namespaces"),
        _ => fault,
    }
}

/// Namespaces that this process wears while it clones, and puts off again: its child is born in
/// them. So the pid namespace of another container is joined without a process in between.
#[derive(Default)]
pub(crate) struct Wardrobe {
    own: Vec<(NamespaceKind, OwnedFd)>,
}

impl Wardrobe {
    pub(crate) fn wear(&mut self, kind: NamespaceKind, namespace: BorrowedFd<'_>) -> Result<()> {
        self.remember(kind)?;
        process::setns(namespace, namespaces::flag(kind))
            .doing(format_args!("join the {} namespace", namespaces::name(kind)))
    }

    fn remember(&mut self, kind: NamespaceKind) -> Result<()> {
        let path = format!("/proc/self/ns/{}", file_name(kind));
        let own = file::openat(file::here(), Path::new(&path), libc::O_RDONLY, 0)
            .doing(format_args!("open {path}"))?;
        self.own.push((kind, own));
        Ok(())
    }

    pub(crate) fn restore(self) -> Result<()> {
        for (kind, own) in self.own.iter().rev() {
            process::setns(own.as_fd(), namespaces::flag(*kind))
                .doing(format_args!("return to the own {} namespace", namespaces::name(*kind)))?;
        }
        Ok(())
    }
}

/// The name below `/proc/PID/ns`.
pub(super) fn file_name(kind: NamespaceKind) -> &'static str {
    match kind {
        NamespaceKind::Mount => "mnt",
        NamespaceKind::Network => "net",
        kind => namespaces::name(kind),
    }
}
