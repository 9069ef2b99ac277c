//! Keeps our own executable out of a container's reach (CVE-2019-5736).
//!
//! A process that enters a container has its executable at `/proc/PID/exe`, where somebody inside
//! could open it for writing once it is not running. So the process that enters runs from a
//! detached, read-only mount of the file: no name, no way to make it writable. It costs one exec, and
//! nothing where the file cannot be written anyway.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::error::{Doing, Result};
use crate::sys::process::Strings;
use crate::sys::{file, mount, process};

/// Comes back as a process whose executable cannot be written, with the same arguments.
pub fn executable(arguments: &[OsString]) -> Result<()> {
    let own = Path::new("/proc/self/exe");
    let opened =
        file::openat(file::here(), own, libc::O_RDONLY, 0).doing("open the own executable")?;
    let read_only = file::is_read_only(opened.as_fd()).doing("look at the own executable")?;
    // Not every file system knows the flag; not knowing is no.
    if read_only || file::is_immutable(opened.as_fd()).unwrap_or(false) {
        return Ok(());
    }
    let doing = "make a read-only mount of the own executable";
    let sealed = mount::open_tree_clone(file::here(), own, false).doing(doing)?;
    let attr = mount::MountAttr {
        set: mount::ATTR_RDONLY,
        propagation: libc::MS_PRIVATE,
        ..mount::MountAttr::default()
    };
    mount::mount_setattr(sealed.as_fd(), false, &attr).doing(doing)?;
    let arguments = Strings::new(arguments.iter().map(|word| word.as_bytes()));
    let environment = Strings::new(
        std::env::vars_os()
            .map(|(name, value)| [name.into_vec(), b"=".to_vec(), value.into_vec()].concat()),
    );
    let (arguments, environment) = (arguments.doing(doing)?, environment.doing(doing)?);
    Err(process::execveat(sealed.as_fd(), &arguments, &environment))
        .doing("execute the own executable again")
}
