//! The namespaces that a container joins, opened and judged before there is a process.

use std::fmt::Write as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::clone::file_name;
use crate::error::{Doing, Error, Result};
use crate::plan::namespaces::{Namespaces, flag, name};
use crate::plan::sysctl;
use crate::spec::linux::NamespaceKind;
use crate::spec::{Linux, Spec};
use crate::sys::file;

pub(super) type Opened = Vec<(NamespaceKind, OwnedFd)>;

/// Opens the namespaces to join: those that the parent wears while it clones, and those that the
/// child joins itself. From inside a new user namespace none of the host's could be joined.
pub(super) fn join(
    namespaces: &mut Namespaces<'_>,
    mut netns: Option<OwnedFd>,
    new_user: bool,
) -> Result<(Opened, Opened)> {
    if netns.is_some() {
        if !namespaces.has(NamespaceKind::Network) {
            return Err(Error::new(
                "join the network namespace: a descriptor was given, but linux.namespaces has no network",
            ));
        }
        if namespaces.makes(NamespaceKind::Network) {
            namespaces.new &= !flag(NamespaceKind::Network);
            namespaces.joined.push((NamespaceKind::Network, Path::new("")));
        }
    }
    let (mut worn, mut joined) = (Vec::new(), Vec::new());
    for (kind, path) in &namespaces.joined {
        let opened = match netns.take_if(|_| *kind == NamespaceKind::Network) {
            Some(netns) => netns,
            None => open_namespace(*kind, path)?,
        };
        let by_parent = matches!(kind, NamespaceKind::Pid | NamespaceKind::Time) || new_user;
        if by_parent { &mut worn } else { &mut joined }.push((*kind, opened));
    }
    Ok((worn, joined))
}

fn open_namespace(kind: NamespaceKind, path: &Path) -> Result<OwnedFd> {
    let doing = format!("open the {} namespace {}", name(kind), path.display());
    let opened = file::openat(file::here(), path, libc::O_RDONLY, 0).doing(&doing)?;
    match file::namespace_type(opened.as_fd()) {
        Ok(found) if found == flag(kind) => Ok(opened),
        Ok(_) => Err(Error::new(format_args!("{doing}: it is of another type"))),
        Err(_) => Err(Error::new(format_args!("{doing}: it is no namespace"))),
    }
}

/// Refuses settings of a joined namespace that is our own: they would change the host. A path or a
/// descriptor alone does not tell.
pub(super) fn check_settings<'a>(
    spec: &Spec,
    joined: impl Iterator<Item = &'a (NamespaceKind, OwnedFd)>,
) -> Result<()> {
    for (kind, namespace) in joined {
        if let Some(setting) = setting_of(spec, *kind)
            && is_own(*kind, namespace.as_fd())?
        {
            return Err(Error::new(format_args!(
                "{setting}: the {} namespace is the runtime's own: it would change the host",
                name(*kind)
            )));
        }
    }
    Ok(())
}

/// A setting of the document that a namespace of this kind has.
fn setting_of(spec: &Spec, kind: NamespaceKind) -> Option<String> {
    let names = [("hostname", &spec.hostname), ("domainname", &spec.domainname)];
    names
        .into_iter()
        .find(|(_, value)| {
            kind == NamespaceKind::Uts && value.as_ref().is_some_and(|value| !value.is_empty())
        })
        .map(|(field, _)| field.to_owned())
        .or_else(|| {
            let mut keys = spec.linux().sysctl.keys();
            let key = keys.find(|key| sysctl::owner(&sysctl::path(key)) == Some(kind))?;
            Some(format!("linux.sysctl[{key:?}]"))
        })
}

fn is_own(kind: NamespaceKind, namespace: BorrowedFd<'_>) -> Result<bool> {
    let path = format!("/proc/self/ns/{}", file_name(kind));
    let doing = format!("look at {path}");
    let own = file::openat(file::here(), Path::new(&path), libc::O_PATH, 0).doing(&doing)?;
    let (own, other) =
        (file::fstat(own.as_fd()).doing(&doing)?, file::fstat(namespace).doing(&doing)?);
    Ok((own.st_dev, own.st_ino) == (other.st_dev, other.st_ino))
}

/// The text for `/proc/self/timens_offsets`.
pub(super) fn time_offsets(linux: &Linux) -> String {
    linux.time_offsets.iter().fold(String::new(), |mut text, (clock, offset)| {
        let _ = writeln!(text, "{clock} {} {}", offset.secs, offset.nanosecs);
        text
    })
}
