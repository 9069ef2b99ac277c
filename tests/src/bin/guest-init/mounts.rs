//! The file systems of the guest.
//!
//! The host's root is read through 9p and never written: a tmpfs lies over it. What must not be on
//! an overlay (the upper directories of containers) goes to a tmpfs of its own.

use std::fs::create_dir_all;
use std::os::unix::fs::symlink;

use nix::mount::{MsFlags, mount};

use crate::Result;

/// Where the folder is mounted that the host reads: regular files only.
const OUT: &str = "/flotilla/out";
/// The tests' scratch directories.
const SCRATCH: &str = "/flotilla/scratch";

/// Caching is safe: nothing that tests read is changed on the host meanwhile.
const ROOT_OPTIONS: &str = "trans=virtio,version=9p2000.L,msize=524288,cache=loose,access=any";
const OUT_OPTIONS: &str = "trans=virtio,version=9p2000.L,msize=524288,cache=none,access=any";

fn attach(source: &str, target: &str, kind: &str, flags: MsFlags, data: &str) -> Result<()> {
    create_dir_all(target).map_err(|e| format!("create {target}: {e}"))?;
    mount(Some(source), target, Some(kind), flags, Some(data))
        .map_err(|e| format!("mount {kind} on {target}: {e}").into())
}

fn shift(from: &str, to: &str) -> Result<()> {
    mount(Some(from), to, None::<&str>, MsFlags::MS_MOVE, None::<&str>)
        .map_err(|e| format!("move {from} to {to}: {e}").into())
}

/// What shows the kernel: before anything else can be done.
pub(crate) fn kernel_files() -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NODEV;
    attach("proc", "/proc", "proc", flags, "")?;
    attach("sysfs", "/sys", "sysfs", flags, "")?;
    attach("devtmpfs", "/dev", "devtmpfs", MsFlags::MS_NOSUID, "mode=0755")
}

/// Makes the host's root, below the layer of packages and a writable one, the root of this process.
pub(crate) fn root() -> Result<()> {
    attach("root", "/lower", "9p", MsFlags::MS_RDONLY, ROOT_OPTIONS)?;
    // A share of its own: layers of an overlay must not lie in one another.
    attach("layer", "/layer", "9p", MsFlags::MS_RDONLY, ROOT_OPTIONS)?;
    attach("tmpfs", "/upper", "tmpfs", MsFlags::empty(), "mode=0755")?;
    create_dir_all("/upper/data")?;
    create_dir_all("/upper/work")?;
    let options = "lowerdir=/layer:/lower,upperdir=/upper/data,workdir=/upper/work";
    attach("overlay", "/new", "overlay", MsFlags::empty(), options)?;
    for dir in ["/proc", "/sys", "/dev"] {
        let target = format!("/new{dir}");
        create_dir_all(&target)?;
        shift(dir, &target)?;
    }
    std::env::set_current_dir("/new")?;
    shift(".", "/")?;
    nix::unistd::chroot(".")?;
    std::env::set_current_dir("/")?;
    Ok(())
}

/// What programs expect besides. `modules` is the host's directory of this kernel's modules.
pub(crate) fn after_root(modules: &str) -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    attach("tmpfs", "/run", "tmpfs", flags, "mode=0755")?;
    attach("tmpfs", "/dev/shm", "tmpfs", flags, "mode=1777")?;
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    attach("devpts", "/dev/pts", "devpts", quiet, "mode=0620,ptmxmode=0666,gid=5")?;
    attach("mqueue", "/dev/mqueue", "mqueue", flags, "")?;
    // The shell's process substitution, among others, goes through these.
    for (link, target) in [("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")]
    {
        symlink(format!("/proc/self/{target}"), format!("/dev/{link}"))?;
    }
    attach("cgroup2", "/sys/fs/cgroup", "cgroup2", flags, "nsdelegate,memory_recursiveprot")?;
    attach("bpf", "/sys/fs/bpf", "bpf", flags, "mode=0700")?;
    attach("out", OUT, "9p", MsFlags::empty(), OUT_OPTIONS)?;
    attach("tmpfs", SCRATCH, "tmpfs", MsFlags::empty(), "mode=0755,size=75%")?;
    create_dir_all("/lib/modules")?;
    mount(Some(modules), "/lib/modules", None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .map_err(|e| format!("bind {modules}: {e}").into())
}
