//! `linux.maskedPaths` and `linux.readonlyPaths`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::inside::{self, Links};
use crate::error::{Doing, Error, Result};
use crate::spec::Linux;
use crate::sys::file;
use crate::sys::mount::{self, ATTR_NODEV, ATTR_NOEXEC, ATTR_NOSUID, ATTR_RDONLY, MountAttr};
use crate::sys::until_exec::UntilExec;

/// Paths that are not there need no mask.
pub(super) fn apply(root: BorrowedFd<'_>, linux: &Linux, null: &OwnedFd) -> Result<()> {
    for path in &linux.readonly_paths {
        read_only(root, path)
            .map_err(|error| error.within(format_args!("make {} read-only", path.display())))?;
    }
    let mut files = Stamp::new(null);
    let empty;
    let mut directories = None;
    let mut masked = Vec::new();
    for path in &linux.masked_paths {
        let step = |error: Error| error.within(format_args!("mask {}", path.display()));
        let found = inside::find(root, path, Links::Inside).doing("open it").map_err(step)?;
        let Some(place) = found else { continue };
        let stat = file::fstat(place.as_fd()).doing("look at it").map_err(step)?;
        masked.push((path, place, stat.st_mode & libc::S_IFMT == libc::S_IFDIR));
    }
    if masked.iter().any(|(_, _, directory)| *directory) {
        empty = empty_directory().map_err(|error| error.within("make an empty directory"))?;
        directories = Some(Stamp::new(&empty));
    }
    for (path, place, directory) in &masked {
        let stamp = if *directory { directories.as_mut() } else { Some(&mut files) };
        let Some(stamp) = stamp else { continue };
        stamp
            .put(place.as_fd())
            .doing("cover it")
            .map_err(|error| error.within(format_args!("mask {}", path.display())))?;
    }
    Ok(())
}

/// One mount for many places: attached at the first, copied from there to the others. (A mount that
/// is not attached can be copied only since Linux 6.15.)
struct Stamp<'a> {
    mount: &'a OwnedFd,
    attached: bool,
}

impl<'a> Stamp<'a> {
    fn new(mount: &'a OwnedFd) -> Self {
        Self { mount, attached: false }
    }

    fn put(&mut self, place: BorrowedFd<'_>) -> std::io::Result<()> {
        if self.attached {
            let copy: UntilExec =
                mount::open_tree_clone(self.mount.as_fd(), Path::new(""), false)?.into();
            return mount::move_mount(copy.as_fd(), place);
        }
        self.attached = true;
        mount::move_mount(self.mount.as_fd(), place)
    }
}

fn empty_directory() -> Result<OwnedFd> {
    let fs: UntilExec = mount::fsopen("tmpfs").doing("open the file system tmpfs")?.into();
    mount::fsconfig_string(fs.as_fd(), "nr_inodes", "1").doing("set nr_inodes")?;
    mount::fsconfig_string(fs.as_fd(), "mode", "755").doing("set mode")?;
    mount::fsconfig_create(fs.as_fd()).doing("create it")?;
    mount::fsmount(fs.as_fd(), ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC)
        .doing("mount it")
}

fn read_only(root: BorrowedFd<'_>, path: &Path) -> Result<()> {
    let Some(place) = inside::find(root, path, Links::Inside).doing("open it")? else {
        return Ok(());
    };
    let copy: UntilExec =
        mount::open_tree_clone(place.as_fd(), Path::new(""), true).doing("copy its mount")?.into();
    let attr = MountAttr { set: ATTR_RDONLY, ..MountAttr::default() };
    mount::mount_setattr(copy.as_fd(), true, &attr).doing("set its options")?;
    mount::move_mount(copy.as_fd(), place.as_fd()).doing("cover it")
}
