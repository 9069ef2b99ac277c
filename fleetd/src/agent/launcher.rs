//! What every supervisor is started from: ocirun's executable, out of reach, and a mount namespace
//! with little in it (docs/design.md, "Descriptors, not paths").

use crate::agent::cgroup::Cgroups;
use crate::agent::place::Place;
use crate::sentence::cause;
use crate::sys::{mount, spawn};
use nix::mount::{MntFlags, MsFlags};
use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

pub struct Launcher {
    /// A read-only mount of the file and nothing else: what is executed from it cannot be written,
    /// not even through /proc (CVE-2019-5736).
    program: OwnedFd,
    namespace: OwnedFd,
    null: File,
}

impl Launcher {
    /// `runtime`: the path of ocirun.
    pub fn prepare(runtime: &Path, place: &Place, cgroups: &Cgroups) -> Result<Self, String> {
        let shown = runtime.display();
        let program = mount::clone_tree(runtime, false)
            .map_err(|e| format!("open {shown}: {} (--runtime names ocirun)", cause(&e)))?;
        mount::make_read_only(&program)
            .map_err(|e| format!("make {shown} read-only: {}", cause(&e)))?;
        let null = File::options().read(true).write(true).open("/dev/null");
        let null = null.map_err(|e| format!("open /dev/null: {}", cause(&e)))?;
        let namespace = namespace(place, cgroups)?;
        Ok(Self { program, namespace, null })
    }

    /// One that starts nothing.
    #[cfg(test)]
    pub fn idle() -> Self {
        let null = || File::options().read(true).write(true).open("/dev/null").unwrap();
        Self { program: null().into(), namespace: null().into(), null: null() }
    }

    /// Starts a supervisor with these arguments in its cgroup.
    pub fn start(
        &self,
        arguments: &[String],
        cgroup: &File,
        stderr: &File,
        keep: &[BorrowedFd],
    ) -> Result<spawn::Child, String> {
        let arguments: Result<Vec<CString>, _> =
            arguments.iter().map(|argument| CString::new(argument.as_str())).collect();
        let arguments = arguments.map_err(|e| format!("start supervisor: {}", cause(&e)))?;
        let arguments: Vec<&CStr> = arguments.iter().map(CString::as_c_str).collect();
        spawn::spawn(&spawn::Spawn {
            program: self.program.as_fd(),
            arguments: &arguments,
            // Nothing of the host's environment reaches a container, not even by way of ocirun.
            environment: &[],
            cgroup: cgroup.as_fd(),
            mounts: Some(self.namespace.as_fd()),
            null: self.null.as_fd(),
            stderr: stderr.as_fd(),
            keep,
        })
        .map_err(|e| format!("start supervisor: {}", cause(&e)))
    }

    pub fn null(&self) -> BorrowedFd<'_> {
        self.null.as_fd()
    }
}

/// Makes the namespace in a thread of its own, which ends; the descriptor keeps it.
fn namespace(place: &Place, cgroups: &Cgroups) -> Result<OwnedFd, String> {
    let root = place.run_dir.join("root");
    super::place::make_private(&root)?;
    let with_those_below = MsFlags::MS_BIND | MsFlags::MS_REC;
    let kept = [
        (PathBuf::from("/proc"), with_those_below),
        // ocirun opens /dev/null and /dev/ptmx.
        (PathBuf::from("/dev"), with_those_below),
        (cgroups.mount.clone(), with_those_below),
        (place.state_dir.clone(), with_those_below),
        // Without the new root, which lies in it.
        (place.run_dir.clone(), MsFlags::MS_BIND),
    ];
    std::thread::scope(|scope| {
        scope
            .spawn(|| make_namespace(&root, &kept))
            .join()
            .unwrap_or_else(|_| Err("make mount namespace: the thread panicked".to_owned()))
    })
}

fn make_namespace(root: &Path, kept: &[(PathBuf, MsFlags)]) -> Result<OwnedFd, String> {
    let none: Option<&str> = None;
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)
        .map_err(|e| format!("unshare mount namespace: {}", e.desc()))?;
    let step = |what: &str, path: &Path| {
        let text = format!("{what} {}", path.display());
        move |e: nix::Error| format!("{text}: {}", e.desc())
    };
    nix::mount::mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(step("make private", Path::new("/")))?;
    let mounted = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    nix::mount::mount(Some("none"), root, Some("tmpfs"), mounted, Some("mode=0755,size=1m"))
        .map_err(step("mount tmpfs on", root))?;
    for (path, flags) in kept {
        let inside = root.join(path.strip_prefix("/").unwrap_or(path));
        std::fs::create_dir_all(&inside)
            .map_err(|e| format!("create {}: {}", inside.display(), cause(&e)))?;
        nix::mount::mount(Some(path), &inside, none, *flags, none).map_err(step("bind", path))?;
    }
    std::env::set_current_dir(root)
        .map_err(|e| format!("enter {}: {}", root.display(), cause(&e)))?;
    // pivot_root(2), NOTES: the old root comes to lie on the new one and is taken off it.
    nix::unistd::pivot_root(".", ".").map_err(step("pivot to", root))?;
    nix::mount::umount2(".", MntFlags::MNT_DETACH).map_err(step("detach", Path::new("/")))?;
    let namespace = File::open("/proc/thread-self/ns/mnt");
    Ok(namespace.map_err(|e| format!("open mount namespace: {}", cause(&e)))?.into())
}
