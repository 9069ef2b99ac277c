//! Where cgroup2 is on this host, and where in it a container's cgroup is.
//!
//! A container may have made cgroups inside its own and moved its processes there (systemd does, and
//! engines that run in a container): [`of_process`] finds them.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use crate::error::{Doing, Error, Result};
use crate::sys::file;

/// Opens the cgroup2 mount, and says where it is.
pub(crate) fn mount() -> Result<(OwnedFd, PathBuf)> {
    // Where it is on nearly every host, and on a hybrid one.
    for usual in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new) {
        if let Ok(root) = file::openat(file::here(), usual, DIRECTORY, 0)
            && file::file_system(root.as_fd()).ok() == Some(file::CGROUP2_SUPER_MAGIC)
        {
            return Ok((root, usual.to_owned()));
        }
    }
    let table = file::read_whole(file::here(), Path::new("/proc/self/mountinfo"), 64 << 20)
        .doing("read /proc/self/mountinfo")?;
    let path = find(&String::from_utf8_lossy(&table)).ok_or_else(|| {
        Error::new("find the cgroup2 mount: none in /proc/self/mountinfo")
            .hint("mount -t cgroup2 none /sys/fs/cgroup")
    })?;
    let root = file::openat(file::here(), &path, DIRECTORY, 0)
        .doing(format_args!("open {}", path.display()))?;
    Ok((root, path))
}

const DIRECTORY: i32 = libc::O_RDONLY | libc::O_DIRECTORY;

/// The mount point of cgroup2 in the text of `/proc/PID/mountinfo` (proc_pid_mountinfo(5)).
fn find(table: &str) -> Option<PathBuf> {
    table.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let point = mount.split(' ').nth(4)?;
        file_system.starts_with("cgroup2 ").then(|| PathBuf::from(point))
    })
}

/// `linux.cgroupsPath` relative to the mount: absolute and relative paths both are.
///
/// Without one: `/ID`. A step upwards is refused: the path of a container may come from its image's
/// author (an annotation).
pub fn relative(configured: Option<&str>, id: &str) -> Result<PathBuf> {
    let fault = |why: &str| Err(Error::new(format_args!("linux.cgroupsPath: {why}")));
    let text = match configured.unwrap_or_default() {
        "" => id,
        text => text,
    };
    if text.contains('\0') {
        return fault("has a NUL in it");
    }
    if !text.starts_with('/') && text.matches(':').count() == 2 {
        return fault(
            "slice:prefix:name is for --systemd-cgroup, which is not there yet; give a path",
        );
    }
    let mut path = PathBuf::new();
    for component in Path::new(text).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return fault("must be without .."),
        }
    }
    if path.as_os_str().is_empty() {
        return fault("is the root of all cgroups");
    }
    Ok(path)
}

/// Where below `container`, a cgroup's absolute path, the process is; empty for the cgroup itself.
///
/// The number may be another process's by now: then the answer is where that one is, or an error,
/// but never a place outside of the container's cgroup.
pub(super) fn of_process(container: &Path, pid: i32) -> Result<PathBuf> {
    let table = PathBuf::from(format!("/proc/{pid}/cgroup"));
    let text = file::read_whole(file::here(), &table, 1 << 20)
        .doing(format_args!("read {}", table.display()))?;
    let (_, mount) = mount()?;
    inside(&String::from_utf8_lossy(&text), &mount, container).ok_or_else(|| {
        Error::new(format_args!(
            "find the cgroup of process {pid}: it is not inside {}",
            container.display()
        ))
    })
}

/// The line of cgroup2 in the text of `/proc/PID/cgroup` (cgroups(7)), relative to `container`.
fn inside(table: &str, mount: &Path, container: &Path) -> Option<PathBuf> {
    let path = Path::new(table.lines().find_map(|line| line.strip_prefix("0::/"))?);
    let plain = path.components().all(|component| matches!(component, Component::Normal(_)));
    let found = mount.join(path);
    plain.then(|| found.strip_prefix(container).ok().map(Path::to_owned)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_is_found_on_a_hybrid_host() {
        let table = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                     38 31 0:35 / /sys/fs/cgroup/pids rw shared:1 - cgroup cgroup rw,pids\n\
                     41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:2 - cgroup2 cgroup2 rw\n";
        assert_eq!(find(table), Some(PathBuf::from("/sys/fs/cgroup/unified")));
        assert_eq!(find("1 2 0:3 / / rw - ext4 /dev/vda rw\n"), None);
    }

    #[test]
    fn a_path_stays_below_the_mount() {
        let path = |text: &str| relative(Some(text), "id");
        assert_eq!(path("/a/b").unwrap(), Path::new("a/b"));
        assert_eq!(path("a//./b").unwrap(), Path::new("a/b"));
        assert_eq!(relative(None, "id").unwrap(), Path::new("id"));
        assert_eq!(path("").unwrap(), Path::new("id"));
        for bad in ["/", ".", "../a", "a/../../b", "/..", "a\0", "system.slice:x:y"] {
            assert!(path(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_process_is_inside_of_the_containers_cgroup_or_nowhere() {
        let (mount, container) = (Path::new("/sys/fs/cgroup"), Path::new("/sys/fs/cgroup/a/c"));
        let place = |text: &str| inside(text, mount, container);
        let hybrid = "5:pids:/a/c/no\n1:name=systemd:/\n0::/a/c/init.scope\n";
        assert_eq!(place(hybrid), Some(PathBuf::from("init.scope")));
        assert_eq!(place("0::/a/c/b/d\n"), Some(PathBuf::from("b/d")));
        assert_eq!(place("0::/a/c\n"), Some(PathBuf::new()));
        for outside in [
            "0::/\n",
            "0::/a\n",
            "0::/a/cc\n",
            "0::/a/c/../b\n",
            "0::/../a/c/b\n",
            "0::a/c/b\n",
            "1:name=systemd:/a/c/b\n",
            "",
        ] {
            assert_eq!(place(outside), None, "{outside:?}");
        }
    }
}
