//! Settings of the container's own namespaces: sysctls and names.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use super::mounts::Made;
use crate::error::{Doing, Result};
use crate::plan::sysctl;
use crate::spec::Spec;
use crate::sys::until_exec::UntilExec;
use crate::sys::{file, mount, process};

/// Writes `linux.sysctl` through a procfs that nobody else could prepare (CVE-2025-52881).
pub(super) fn set_sysctls(sysctls: &BTreeMap<String, String>, made: &Made) -> Result<()> {
    if sysctls.is_empty() {
        return Ok(());
    }
    let own;
    let proc = match &made.proc {
        Some(proc) => proc,
        None => {
            own = private_proc()?;
            &own
        }
    };
    for (key, value) in sysctls {
        let path = Path::new("sys").join(sysctl::path(key));
        write(proc.as_fd(), &path, value).doing(format_args!("set the sysctl {key} to {value}"))?;
    }
    Ok(())
}

/// Writes a file of a procfs and of nothing that is mounted over it.
pub(super) fn write(proc: BorrowedFd<'_>, path: &Path, text: &str) -> std::io::Result<()> {
    let resolve = file::RESOLVE_BENEATH
        | file::RESOLVE_NO_XDEV
        | file::RESOLVE_NO_SYMLINKS
        | file::RESOLVE_NO_MAGICLINKS;
    let file = file::openat2(proc, path, libc::O_WRONLY, 0, resolve)?;
    file::write_whole(file.as_fd(), text.as_bytes())
}

/// A procfs of the own pid namespace that is attached nowhere.
pub(super) fn private_proc() -> Result<UntilExec> {
    let doing = "make a private procfs";
    let fs = mount::fsopen("proc").doing(doing)?;
    mount::fsconfig_create(fs.as_fd()).doing(doing)?;
    mount::fsmount(fs.as_fd(), 0).map(UntilExec::from).doing(doing)
}

pub(super) fn set_names(spec: &Spec) -> Result<()> {
    if let Some(name) = spec.hostname.as_deref().filter(|name| !name.is_empty()) {
        process::sethostname(name).doing(format_args!("set the hostname to {name}"))?;
    }
    if let Some(name) = spec.domainname.as_deref().filter(|name| !name.is_empty()) {
        process::setdomainname(name).doing(format_args!("set the domainname to {name}"))?;
    }
    Ok(())
}
