//! `mounts`, in the order of the document.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::Init;
use super::inside::{self, Kind, Links};
use super::old_mount;
use crate::error::{Doing, Error, Result, describe};
use crate::plan::mount_options::MountOptions;
use crate::spec::Mount;
use crate::spec::linux::NamespaceKind;
use crate::sys::file;
use crate::sys::mount::{self, ATTR_RDONLY, MountAttr};
use crate::sys::until_exec::UntilExec;

/// A mount, as far as the parent could prepare it.
pub struct Prepared<'a> {
    pub mount: &'a Mount,
    pub options: MountOptions,
    pub content: Content,
}

pub enum Content {
    /// A detached tree of the host, with all options applied.
    Tree { tree: OwnedFd, directory: bool },
    /// A new file system, which only a process in the namespaces can make.
    New,
}

/// What later steps need of the mounts.
#[derive(Default)]
pub(super) struct Made {
    /// The container's own procfs.
    pub(super) proc: Option<UntilExec>,
    /// To become read-only when everything is in place.
    read_only: Vec<(PathBuf, UntilExec)>,
}

impl Made {
    /// A read-only tmpfs had to be writable as long as others were mounted in it.
    pub(super) fn finish(&self) -> Result<()> {
        let attr = MountAttr { set: ATTR_RDONLY, ..MountAttr::default() };
        self.read_only.iter().try_for_each(|(path, tree)| {
            mount::mount_setattr(tree.as_fd(), false, &attr)
                .doing(format_args!("make {} read-only", path.display()))
        })
    }
}

pub(super) fn make(root: BorrowedFd<'_>, init: &Init<'_>) -> Result<Made> {
    let mut made = Made::default();
    for prepared in &init.mounts {
        one(root, prepared, init, &mut made).map_err(|error| {
            error.within(format_args!("mount {}", prepared.mount.destination.display()))
        })?;
    }
    Ok(made)
}

fn one(
    root: BorrowedFd<'_>,
    prepared: &Prepared<'_>,
    init: &Init<'_>,
    made: &mut Made,
) -> Result<()> {
    let Prepared { mount: Mount { destination, kind, .. }, options, content } = prepared;
    let kind = kind.as_deref().unwrap_or_default();
    if let Content::Tree { tree, directory } = content {
        let place = if *directory { Kind::Directory } else { Kind::File };
        let target = inside::find_or_make(root, destination, place, links(kind, destination))?;
        return attach(tree.as_fd(), &target);
    }
    let target =
        inside::find_or_make(root, destination, Kind::Directory, links(kind, destination))?;
    let tree = match kind {
        "cgroup" | "cgroup2" => cgroup(options, init)?,
        _ if old_mount::is_needed(options) => {
            old_mount::mount(prepared, target.as_fd())?;
            // The target is what lies below it.
            let tree = inside::open(root, destination, libc::O_PATH, Links::Inside);
            return propagate(options, &tree.doing("open it again")?);
        }
        _ => new(kind, prepared, later_read_only(kind))?,
    };
    attach(tree.as_fd(), &target)?;
    propagate(options, &tree)?;
    if kind == "proc" {
        made.proc = Some(tree);
    } else if later_read_only(kind) && options.own.set & ATTR_RDONLY != 0 {
        made.read_only.push((destination.clone(), tree));
    }
    Ok(())
}

/// These must be what their name says: the runtime itself writes below them.
fn links(kind: &str, destination: &Path) -> Links {
    let exact = matches!(kind, "proc" | "sysfs") || destination == Path::new("/dev");
    if exact { Links::None } else { Links::Inside }
}

fn later_read_only(kind: &str) -> bool {
    kind == "tmpfs"
}

fn propagate(options: &MountOptions, tree: &UntilExec) -> Result<()> {
    let Some((propagation, recursive)) = options.propagation else { return Ok(()) };
    let attr = MountAttr { propagation, ..MountAttr::default() };
    mount::mount_setattr(tree.as_fd(), recursive, &attr).doing("set its propagation")
}

fn attach(tree: BorrowedFd<'_>, target: &UntilExec) -> Result<()> {
    mount::move_mount(tree, target.as_fd()).map_err(|error| match error.raw_os_error() {
        Some(libc::ENOTDIR | libc::EINVAL) => Error::io("attach it", &error)
            .hint("a directory can only be mounted on a directory, a file on a file"),
        _ => Error::io("attach it", &error),
    })
}

/// A detached mount of a new file system.
fn new(kind: &str, prepared: &Prepared<'_>, writable: bool) -> Result<UntilExec> {
    let fs =
        mount::fsopen(kind).map(UntilExec::from).map_err(|error| match error.raw_os_error() {
            Some(libc::ENODEV) => {
                Error::new(format_args!("the kernel has no file system of type {kind:?}"))
            }
            _ => Error::io(format_args!("open the file system {kind}"), &error),
        })?;
    let configured = configure(&fs, prepared).and_then(|()| mount::fsconfig_create(fs.as_fd()));
    configured.map_err(|error| refused(&fs, &error))?;
    let own = prepared.options.own;
    let hidden = if writable { ATTR_RDONLY } else { 0 };
    mount::fsmount(fs.as_fd(), own.set & !hidden).map(UntilExec::from).doing("mount it")
}

fn configure(fs: &UntilExec, prepared: &Prepared<'_>) -> io::Result<()> {
    if let Some(source) = prepared.mount.source.as_deref().filter(|source| !source.is_empty()) {
        mount::fsconfig_string(fs.as_fd(), "source", source)?;
    }
    prepared.options.data.iter().try_for_each(|(key, value)| match value {
        // Of a time when a devpts could be the host's; since Linux 4.7 each is new.
        None if key == "newinstance" => Ok(()),
        Some(value) => mount::fsconfig_string(fs.as_fd(), key, value),
        None => mount::fsconfig_flag(fs.as_fd(), key),
    })
}

/// The file system says itself what it did not like: `e tmpfs: Bad value for 'size'`.
fn refused(fs: &UntilExec, error: &io::Error) -> Error {
    let mut text = [0; 256];
    let told = match file::read(fs.as_fd(), &mut text) {
        Ok(length) if length > 2 => Some(String::from_utf8_lossy(&text[2..length]).into_owned()),
        _ => None,
    };
    let cause = describe(error);
    Error::new(match told {
        Some(told) => format!("{cause}: {}", told.trim()),
        None => cause,
    })
}

/// The container's own cgroup. In a cgroup namespace a new mount shows just that; without one it is
/// bound, so that the rest of the host's tree stays out of sight (CVE-2023-25809).
fn cgroup(options: &MountOptions, init: &Init<'_>) -> Result<UntilExec> {
    let linux = init.spec.linux();
    let own_namespace =
        linux.namespaces.iter().any(|namespace| namespace.kind == NamespaceKind::Cgroup);
    if own_namespace {
        let fs: UntilExec = mount::fsopen("cgroup2").doing("open the file system cgroup2")?.into();
        mount::fsconfig_create(fs.as_fd()).map_err(|error| refused(&fs, &error))?;
        return mount::fsmount(fs.as_fd(), options.own.set).map(UntilExec::from).doing("mount it");
    }
    let path = init.cgroup.as_deref().unwrap_or(Path::new("/nonexistent"));
    let tree = mount::open_tree_clone(file::here(), path, false)
        .doing(format_args!("open the cgroup {}", path.display()))?;
    let attr = MountAttr {
        set: options.own.set,
        clear: options.own.clear,
        propagation: libc::MS_PRIVATE,
        userns_fd: 0,
    };
    mount::mount_setattr(tree.as_fd(), false, &attr).doing("set its options")?;
    Ok(tree.into())
}
