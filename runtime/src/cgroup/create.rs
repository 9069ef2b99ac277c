//! Makes a cgroup, switches on the controllers that it needs, and writes its limits.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use super::{Cgroup, destroy, location};
use crate::error::{Doing, Error, Result};
use crate::plan::limits::Setting;
use crate::sys::file;

/// Switched on where the host has them though no limit asks for them: engines show what they count.
const ACCOUNTING: [&str; 4] = ["cpu", "io", "memory", "pids"];

pub(super) fn create(relative: &Path, settings: &[Setting]) -> Result<Cgroup> {
    let (root, mount) = location::mount()?;
    let path = mount.join(relative);
    let made_parents = make(root.as_fd(), &mount, relative)?;
    let cgroup = Cgroup { path, made_parents, directory: None };
    limit(root.as_fd(), &mount, relative, cgroup, settings)
}

/// From here on a failure removes what was made.
fn limit(
    root: BorrowedFd<'_>,
    mount: &Path,
    relative: &Path,
    mut cgroup: Cgroup,
    settings: &[Setting],
) -> Result<Cgroup> {
    let result = switch_on(root, mount, relative, settings).and_then(|()| {
        let directory = file::openat(root, relative, libc::O_RDONLY | libc::O_DIRECTORY, 0)
            .doing(format_args!("open the cgroup {}", cgroup.path.display()))?;
        for setting in settings {
            write(directory.as_fd(), mount, setting)?;
        }
        Ok(directory)
    });
    match result {
        Ok(directory) => {
            cgroup.directory = Some(directory);
            Ok(cgroup)
        }
        Err(error) => {
            // The fault that stopped us is the one to tell; the cgroup is empty and new.
            let _ = destroy::destroy(&cgroup.path, &cgroup.made_parents);
            Err(error)
        }
    }
}

/// Makes the directory and the parents that it lacks; answers those.
fn make(root: BorrowedFd<'_>, mount: &Path, relative: &Path) -> Result<Vec<PathBuf>> {
    let doing = |path: &Path| format!("make the cgroup {}", mount.join(path).display());
    let mut made = Vec::new();
    match file::mkdirat(root, relative, 0o755) {
        Ok(()) => return Ok(made),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return adopt(root, mount, relative).map(|()| made);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io(doing(relative), &error)),
    }
    let mut ancestors: Vec<&Path> = relative.ancestors().collect();
    ancestors.retain(|path| !path.as_os_str().is_empty());
    for path in ancestors.iter().rev() {
        match file::mkdirat(root, path, 0o755) {
            Ok(()) if *path == relative => {}
            Ok(()) => made.push(mount.join(path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && *path != relative => {}
            Err(error) => {
                destroy::remove_parents(&made);
                return Err(Error::io(doing(path), &error));
            }
        }
    }
    Ok(made)
}

/// An engine may have made the cgroup before us. One with processes is somebody else's: its end
/// would be theirs.
fn adopt(root: BorrowedFd<'_>, mount: &Path, relative: &Path) -> Result<()> {
    let events = file::read_small(root, &relative.join("cgroup.events"))
        .doing(format_args!("read cgroup.events of {}", relative.display()))?;
    if String::from_utf8_lossy(&events).contains("populated 1") {
        return Err(Error::new(format_args!(
            "make the cgroup {}: it exists and has processes",
            mount.join(relative).display()
        )));
    }
    Ok(())
}

/// Switches controllers on in every parent, from the mount down.
fn switch_on(
    root: BorrowedFd<'_>,
    mount: &Path,
    relative: &Path,
    settings: &[Setting],
) -> Result<()> {
    let parent = relative.parent().unwrap_or(Path::new(""));
    let has = |list: &[u8], name: &str| {
        String::from_utf8_lossy(list).split_whitespace().any(|word| word == name)
    };
    let read = |path: PathBuf| {
        file::read_small(root, &path).doing(format_args!("read {}", mount.join(&path).display()))
    };
    let enabled = read(parent.join("cgroup.subtree_control"))?;
    let needed = settings.iter().filter_map(|s| Some((s.controller()?, s)));
    let mut missing: Vec<(&str, Option<&Setting>)> =
        needed.filter(|(name, _)| !has(&enabled, name)).map(|(name, s)| (name, Some(s))).collect();
    missing.extend(ACCOUNTING.iter().filter(|name| !has(&enabled, name)).map(|name| (*name, None)));
    if missing.is_empty() {
        return Ok(());
    }
    let offered = read(PathBuf::from("cgroup.controllers"))?;
    for (name, needed_by) in &missing {
        let Some(setting) = needed_by else { continue };
        if !has(&offered, name) {
            return Err(Error::new(format_args!(
                "set {}: the host's cgroup2 at {} has no {name} controller",
                setting.file,
                mount.display()
            )));
        }
    }
    missing.retain(|(name, _)| has(&offered, name));
    if missing.is_empty() {
        return Ok(());
    }
    let mut parents: Vec<&Path> = parent.ancestors().collect();
    parents.reverse();
    for path in parents {
        let control = path.join("cgroup.subtree_control");
        let switch = |names: &str| {
            file::openat(root, &control, libc::O_WRONLY, 0)
                .and_then(|file| file::write_whole(file.as_fd(), names.as_bytes()))
        };
        let all: Vec<String> = missing.iter().map(|(name, _)| format!("+{name}")).collect();
        if switch(&all.join(" ")).is_ok() {
            continue;
        }
        // One by one: what only counts may be refused (a threaded cgroup, a busy parent).
        for (name, needed_by) in &missing {
            let result = switch(&format!("+{name}"));
            if let (Err(error), Some(setting)) = (result, needed_by) {
                let place = mount.join(path);
                return Err(Error::io(
                    format_args!(
                        "set {}: switch the {name} controller on in {}",
                        setting.file,
                        place.display()
                    ),
                    &error,
                ));
            }
        }
    }
    Ok(())
}

/// Writes one limit to the cgroup's file.
pub(super) fn write(directory: BorrowedFd<'_>, place: &Path, setting: &Setting) -> Result<()> {
    let Setting { file: name, value } = setting;
    file::openat(directory, Path::new(name), libc::O_WRONLY, 0)
        .and_then(|file| file::write_whole(file.as_fd(), value.as_bytes()))
        .map_err(|error| {
            let fault = Error::io(format_args!("set {name} to {value}"), &error);
            match error.kind() {
                io::ErrorKind::NotFound => {
                    fault.hint(format_args!("the kernel has no such file at {}", place.display()))
                }
                _ => fault,
            }
        })
}
