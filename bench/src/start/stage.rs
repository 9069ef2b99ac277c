//! Where the runs take place: a mount namespace of our own, with a memory file system for the bundle and the
//! runtimes' state. It is gone with this process; only the cgroup is removed by hand.

use std::fs;
use std::path::{Path, PathBuf};

use crate::sys;

use super::contender::our_program;

const CGROUP2: &str = "/sys/fs/cgroup";

/// Covered by the memory file system; any directory that every host has.
const FOLDER: &str = "/mnt";

/// Which of the two bundles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Devices {
    /// All are forbidden but the usual ones.
    Ruled,
    /// The document says nothing about devices.
    Free,
}

pub(super) struct Stage {
    /// Below the cgroup2 mount, begins with a slash.
    cgroup: String,
}

impl Stage {
    pub(super) fn set() -> Result<Stage, String> {
        let doing = |what: &'static str| move |error| format!("{what}: {error}");
        sys::unshare(libc::CLONE_NEWNS)
            .map_err(|error| format!("make a mount namespace: {error}; it needs root"))?;
        sys::mount(None, c"/", None, libc::MS_REC | libc::MS_PRIVATE, None)
            .map_err(doing("make mounts private"))?;
        sys::mount(Some(c"cgroup2"), c"/sys/fs/cgroup", Some(c"cgroup2"), 0, None)
            .map_err(doing("mount cgroup2 at /sys/fs/cgroup"))?;
        sys::mount(Some(c"tmpfs"), c"/mnt", Some(c"tmpfs"), 0, None)
            .map_err(doing("mount a tmpfs at /mnt"))?;
        let stage = Stage { cgroup: format!("/flotilla-bench-{}", std::process::id()) };
        stage.fill().map_err(doing("prepare the root"))?;
        let program = our_program("nothing")?;
        fs::copy(&program, stage.rootfs().join("bin/true")).map_err(doing("copy `nothing`"))?;
        fs::create_dir(stage.cgroup_path()).map_err(doing("make a cgroup"))?;
        Ok(stage)
    }

    fn fill(&self) -> std::io::Result<()> {
        for folder in ["bin", "proc", "sys", "dev"] {
            fs::create_dir_all(self.rootfs().join(folder))?;
        }
        fs::create_dir(self.bundle(Devices::Ruled))?;
        fs::create_dir(self.bundle(Devices::Free))
    }

    /// Removes the cgroup with what failed runs left in it. The mounts end with this process.
    pub(super) fn strike(self) -> Result<(), String> {
        let path = self.cgroup_path();
        let doing = |error| format!("remove {}: {error}", path.display());
        for entry in fs::read_dir(&path).map_err(doing)?.flatten() {
            if entry.path().is_dir() {
                fs::remove_dir(entry.path()).map_err(doing)?;
            }
        }
        fs::remove_dir(&path).map_err(doing)
    }

    pub(super) fn bundle(&self, devices: Devices) -> PathBuf {
        Path::new(FOLDER).join(match devices {
            Devices::Ruled => "bundle",
            Devices::Free => "bundle-without-device-rules",
        })
    }

    pub(super) fn rootfs(&self) -> PathBuf {
        Path::new(FOLDER).join("rootfs")
    }

    /// A compiled seccomp filter.
    pub(super) fn filter(&self) -> PathBuf {
        Path::new(FOLDER).join("filter")
    }

    /// What strace writes.
    pub(super) fn counted(&self) -> PathBuf {
        Path::new(FOLDER).join("counted")
    }

    /// Where a runtime keeps its state.
    pub(super) fn state(&self, contender: &str) -> PathBuf {
        Path::new(FOLDER).join("state").join(contender)
    }

    /// `linux.cgroupsPath`.
    pub(super) fn cgroups_path(&self) -> String {
        format!("{}/container", self.cgroup)
    }

    /// The floor's cgroup.
    pub(super) fn cgroup(&self, contender: &str) -> PathBuf {
        self.cgroup_path().join(contender)
    }

    fn cgroup_path(&self) -> PathBuf {
        Path::new(CGROUP2).join(self.cgroup.trim_start_matches('/'))
    }
}
