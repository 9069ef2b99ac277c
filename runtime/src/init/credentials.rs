//! Who the program is, and what it may do.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use crate::error::{Doing, Error, Result};
use crate::plan::capabilities::{CapabilitySets, NAMES};
use crate::spec::process::User;
use crate::sys::{capability, file, identity};

/// Drops what is not granted and becomes the user.
pub(super) fn set(user: &User, sets: &CapabilitySets) -> Result<()> {
    narrow_bounding(sets.bounding)?;
    if user.uid != 0 {
        // Otherwise the kernel clears the permitted set when the user id leaves 0.
        identity::keep_capabilities().doing("keep capabilities")?;
    }
    identity::setgroups(&user.additional_gids).doing("set the additional groups")?;
    identity::setresgid(user.gid).map_err(|e| unmapped("gid", user.gid, &e))?;
    identity::setresuid(user.uid).map_err(|e| unmapped("uid", user.uid, &e))?;
    capability::set(capability::Sets {
        effective: sets.effective,
        permitted: sets.permitted,
        inheritable: sets.inheritable,
    })
    .doing("set the capabilities")?;
    capability::clear_ambient().doing("clear the ambient capabilities")?;
    for bit in bits(sets.ambient) {
        capability::raise_ambient(bit)
            .doing(format_args!("raise the ambient {}", NAMES[bit as usize]))?;
    }
    Ok(())
}

fn unmapped(what: &str, id: u32, error: &io::Error) -> Error {
    let fault = Error::io(format_args!("become {what} {id}"), error);
    match error.raw_os_error() {
        Some(libc::EINVAL) => fault.hint("the user namespace does not map it"),
        _ => fault,
    }
}

/// Takes out all that the kernel knows and the set does not have.
fn narrow_bounding(keep: u64) -> Result<()> {
    for bit in 0..64 {
        if keep >> bit & 1 == 1 {
            continue;
        }
        match capability::drop_from_bounding(bit) {
            // Behind the kernel's last one.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => break,
            result => result.doing(format_args!("drop capability {bit} from the bounding set"))?,
        }
    }
    Ok(())
}

fn bits(set: u64) -> impl Iterator<Item = u32> {
    (0..NAMES.len() as u32).filter(move |bit| set >> bit & 1 == 1)
}

/// The beginning of the container's /etc/passwd; nothing if it has none. The image owns the file:
/// it may be endless, or a pipe that nobody writes to.
pub(super) fn passwd() -> Vec<u8> {
    const LONGEST: usize = 1 << 20;
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
    let Ok(opened) = file::openat(file::here(), Path::new("/etc/passwd"), flags, 0) else {
        return Vec::new();
    };
    let is_file =
        file::fstat(opened.as_fd()).is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFREG);
    if !is_file {
        return Vec::new();
    }
    let mut text = vec![0; 4096];
    let mut filled = 0;
    while let Ok(length @ 1..) = file::read(opened.as_fd(), &mut text[filled..]) {
        filled += length;
        if filled == text.len() {
            if filled >= LONGEST {
                break;
            }
            text.resize(filled * 2, 0);
        }
    }
    text.truncate(filled);
    text
}
