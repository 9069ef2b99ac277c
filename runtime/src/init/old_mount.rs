//! mount(2), for what fsopen(2) and fsconfig(2) cannot say.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::PathBuf;

use super::mounts::Prepared;
use crate::error::{Doing, Error, Result};
use crate::plan::mount_options::MountOptions;
use crate::spec::Mount;
use crate::sys::mount;

/// fsconfig(2) takes no longer strings.
const LONGEST_STRING: usize = 255;

/// mount(2) cuts off what does not fit in a page, and says nothing.
const LONGEST_OPTIONS: usize = 4095;

/// An option that fsconfig(2) has no word for.
const IVERSION: &str = "iversion";

const FLAGS: [(u64, u64); 8] = [
    (mount::ATTR_RDONLY, libc::MS_RDONLY),
    (mount::ATTR_NOSUID, libc::MS_NOSUID),
    (mount::ATTR_NODEV, libc::MS_NODEV),
    (mount::ATTR_NOEXEC, libc::MS_NOEXEC),
    (mount::ATTR_NOATIME, libc::MS_NOATIME),
    (mount::ATTR_STRICTATIME, libc::MS_STRICTATIME),
    (mount::ATTR_NODIRATIME, libc::MS_NODIRATIME),
    // MS_NOSYMFOLLOW of linux/mount.h.
    (mount::ATTR_NOSYMFOLLOW, 0x100),
];

pub(super) fn is_needed(options: &MountOptions) -> bool {
    options.data.iter().any(|(key, value)| {
        key == IVERSION || value.as_ref().is_some_and(|value| value.len() > LONGEST_STRING)
    })
}

/// Mounts at `target`, by way of the host's /proc, which is still there.
pub(super) fn mount(prepared: &Prepared<'_>, target: BorrowedFd<'_>) -> Result<()> {
    let Prepared { mount: Mount { kind, source, .. }, options, .. } = prepared;
    let mut flags =
        FLAGS.iter().filter(|(attr, _)| options.own.set & attr != 0).map(|(_, ms)| ms).sum();
    let mut words = Vec::new();
    for (key, value) in &options.data {
        match value {
            Some(value) => words.push(format!("{key}={value}")),
            None if key == IVERSION => flags |= libc::MS_I_VERSION,
            None => words.push(key.clone()),
        }
    }
    let words = words.join(",");
    if words.len() > LONGEST_OPTIONS {
        return Err(Error::new(format_args!(
            "its options are {} bytes long; the kernel takes {LONGEST_OPTIONS}",
            words.len()
        ))
        .hint("bind a mount that is there already, or use shorter paths"));
    }
    let target = PathBuf::from(format!("/proc/self/fd/{}", target.as_raw_fd()));
    let kind = kind.as_deref().unwrap_or_default();
    let source = source.as_deref().unwrap_or(kind);
    mount::mount(source, &target, kind, flags, &words).doing("mount it")
}
