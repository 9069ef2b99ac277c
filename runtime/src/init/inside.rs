//! Paths of the container, resolved inside its root by descriptor.
//!
//! An image decides what is in the root: every component may be a symbolic link, and somebody who
//! shares a volume may exchange it at any moment. So a path is walked once, by the kernel, with
//! `RESOLVE_IN_ROOT`, and from then on there is only its descriptor (CVE-2021-30465, CVE-2026-41579).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Component, Path, PathBuf};

use crate::error::{Doing, Error, Result};
use crate::sys::file;
use crate::sys::until_exec::UntilExec;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    /// A place for a bind mount of anything but a directory.
    File,
}

/// How symbolic links in a path are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    /// Followed inside the root.
    Inside,
    /// Refused: `/proc`, `/sys` and `/dev` must be what their name says (CVE-2019-19921).
    None,
}

/// A place that is there; `None` if it is not.
pub(super) fn find(
    root: BorrowedFd<'_>,
    path: &Path,
    links: Links,
) -> io::Result<Option<UntilExec>> {
    match open(root, path, libc::O_PATH, links) {
        Ok(place) => Ok(Some(place)),
        Err(e) if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Opens what is there.
pub(super) fn open(
    root: BorrowedFd<'_>,
    path: &Path,
    flags: i32,
    links: Links,
) -> io::Result<UntilExec> {
    let resolve = match links {
        Links::Inside => file::RESOLVE_IN_ROOT,
        Links::None => file::RESOLVE_IN_ROOT | file::RESOLVE_NO_SYMLINKS,
    };
    file::openat2(root, &relative(path), flags, 0, resolve).map(UntilExec::from)
}

/// A place to mount on, made if it is not there.
pub(super) fn find_or_make(
    root: BorrowedFd<'_>,
    path: &Path,
    kind: Kind,
    links: Links,
) -> Result<UntilExec> {
    match find(root, path, links) {
        Ok(Some(place)) => return Ok(place),
        Ok(None) => {}
        Err(e) if e.raw_os_error() == Some(libc::ELOOP) && links == Links::None => {
            return Err(Error::new("it is a symbolic link in the root file system"));
        }
        Err(e) => return Err(Error::io("open it", &e)),
    }
    let path = relative(path);
    let (parent, name) = match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => (parent, Path::new(name)),
        _ => return Err(Error::new("it is no path in the container")),
    };
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    let parent = match open(root, parent, flags, links) {
        Ok(parent) => parent,
        // It too, then.
        Err(_) => directory(root, parent)?,
    };
    make(parent.as_fd(), name, kind)
}

/// Makes a directory and its parents, if it is not there.
pub(super) fn make_directory(root: BorrowedFd<'_>, path: &Path) -> Result<()> {
    if path == Path::new("/") {
        return Ok(());
    }
    match find(root, path, Links::Inside) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => directory(root, &relative(path))
            .map(drop)
            .map_err(|e| e.within(format_args!("make {}", path.display()))),
        Err(e) => Err(Error::io(format_args!("open {}", path.display()), &e)),
    }
}

/// Opens a directory, making it and its parents where they are not there.
fn directory(root: BorrowedFd<'_>, path: &Path) -> Result<UntilExec> {
    let mut done = PathBuf::from(".");
    let mut current = open(root, &done, libc::O_PATH | libc::O_DIRECTORY, Links::Inside)
        .doing("open the root")?;
    for component in path.components() {
        let Component::Normal(name) = component else { continue };
        done.push(name);
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        current = match open(root, &done, flags, Links::Inside) {
            Ok(next) => next,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                make(current.as_fd(), Path::new(name), Kind::Directory)?
            }
            Err(e) => return Err(Error::io(format_args!("open /{}", path.display()), &e)),
        };
    }
    Ok(current)
}

/// Makes one name in an open directory and opens exactly that.
fn make(parent: BorrowedFd<'_>, name: &Path, kind: Kind) -> Result<UntilExec> {
    let doing = format!("make {:?} in its directory", name.display().to_string());
    match kind {
        Kind::Directory => {
            match file::mkdirat(parent, name, 0o755) {
                // Somebody was faster; what it is, opening tells.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                result => result.doing(&doing)?,
            }
            let resolve = file::RESOLVE_BENEATH | file::RESOLVE_NO_SYMLINKS;
            file::openat2(parent, name, libc::O_PATH | libc::O_DIRECTORY, 0, resolve)
                .map(UntilExec::from)
                .doing(&doing)
        }
        Kind::File => {
            // Not for writing: the descriptor lives until exec, and a writer would keep the root from
            // becoming read-only.
            let flags = libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW | libc::O_RDONLY;
            file::openat(parent, name, flags, 0o644).map(UntilExec::from).doing(&doing)
        }
    }
}

/// As openat2 wants it: without the leading slash.
fn relative(path: &Path) -> PathBuf {
    let relative: PathBuf = path
        .components()
        .filter(|c| matches!(c, Component::Normal(_) | Component::ParentDir))
        .collect();
    if relative.as_os_str().is_empty() { PathBuf::from(".") } else { relative }
}
