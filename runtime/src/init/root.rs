//! The container's root: attached, finished, entered.

use std::os::fd::BorrowedFd;

use crate::error::{Doing, Result};
use crate::spec::Spec;
use crate::sys::file;
use crate::sys::mount::{self, MountAttr};

/// Attaches the detached root on top of the old one, in a mount namespace from which nothing gets
/// out to the host's.
pub(super) fn attach(root: BorrowedFd<'_>) -> Result<()> {
    mount::set_propagation(c"/", libc::MS_REC | libc::MS_SLAVE)
        .doing("cut the mount namespace off from the host's")?;
    mount::move_mount_to_root(root).doing("attach the root file system")
}

/// Read-only and propagation, once everything is mounted below it.
pub(super) fn finish(root: BorrowedFd<'_>, spec: &Spec) -> Result<()> {
    let readonly = spec.root.as_ref().is_some_and(|root| root.readonly);
    let propagation = spec.linux().rootfs_propagation.as_deref().unwrap_or_default();
    let (name, recursive) = match propagation.strip_prefix('r') {
        Some(name) => (name, true),
        None => (propagation, false),
    };
    let attr = MountAttr {
        set: if readonly { mount::ATTR_RDONLY } else { 0 },
        propagation: match name {
            "shared" => libc::MS_SHARED,
            "unbindable" => libc::MS_UNBINDABLE,
            // A slave of the host, or private, it is already.
            _ => 0,
        },
        ..MountAttr::default()
    };
    if attr.propagation != 0 && recursive {
        let all = MountAttr { propagation: attr.propagation, ..MountAttr::default() };
        mount::mount_setattr(root, true, &all).doing("set linux.rootfsPropagation")?;
    }
    if attr.set != 0 || attr.propagation != 0 {
        mount::mount_setattr(root, false, &attr).doing("make the root read-only")?;
    }
    Ok(())
}

/// From here on the host's file system is out of reach.
pub(super) fn enter(root: BorrowedFd<'_>) -> Result<()> {
    file::fchdir(root).doing("enter the root file system")?;
    mount::pivot_root_here().doing("pivot_root")?;
    // The old root lies on top of the new one now, at the same place.
    mount::detach_here().doing("detach the host's file system")?;
    file::chdir(c"/").doing("enter /")
}
