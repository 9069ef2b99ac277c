//! The least that starting the benchmark's container takes: the system calls of its `config.json`, each once, known
//! beforehand, with no file parsed and no question asked. A program for a ratio, not a runtime: it checks
//! nothing, protects nothing, and holds for this one container only.
//!
//! `floor ROOTFS CGROUP [FILTER]`: the root, a path in cgroup2 to make, a compiled seccomp filter.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::AsFd;

use bench::sys;
use ocirun::cgroup::device_filter;
use ocirun::plan::devices::default_rules;
use ocirun::sys::bpf;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [root, cgroup, filter @ ..] = arguments.as_slice() else {
        eprintln!("usage: floor ROOTFS CGROUP [FILTER]");
        std::process::exit(2);
    };
    match start(root, cgroup, filter.first().map(String::as_str)) {
        Ok(code) => std::process::exit(code),
        Err(error) => {
            eprintln!("floor: {error}");
            std::process::exit(1);
        }
    }
}

/// The parent's side. Returns the program's exit code.
fn start(root: &str, cgroup: &str, filter: Option<&str>) -> io::Result<i32> {
    let root = CString::new(root)?;
    let filter = filter.map(std::fs::read).transpose()?;
    let cgroup_path = CString::new(cgroup)?;
    sys::make_directory(&cgroup_path, 0o755)?;
    let cgroup_directory = std::fs::File::open(cgroup)?;
    let devices = device_filter::compile(&default_rules()).map_err(io::Error::other)?;
    let devices = bpf::load_device_filter(&devices)?;
    bpf::attach_device_filter(cgroup_directory.as_fd(), devices.as_fd())?;

    const NAMESPACES: i32 = libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWCGROUP;
    let Some(child) = sys::clone_into(cgroup_directory.as_fd(), NAMESPACES)? else {
        let error = become_container(&root, filter.as_deref());
        eprintln!("floor: container: {error}");
        sys::exit(127);
    };
    let code = sys::wait(child.as_fd())?;
    std::fs::remove_dir(cgroup)?;
    Ok(code)
}

/// The child's side: returns only what went wrong.
fn become_container(root: &CStr, filter: Option<&[u8]>) -> io::Error {
    match set_up(root).and_then(|()| drop_privileges(filter)) {
        Ok(()) => sys::execute(c"/bin/true"),
        Err(error) => error,
    }
}

fn set_up(root: &CStr) -> io::Result<()> {
    sys::new_session()?;
    sys::set_host_name("bench")?;
    enter_root(root)?;
    mount_file_systems()?;
    make_devices()?;
    hide_paths()?;
    sys::mount(None, c"/", None, libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY, None)
}

fn enter_root(root: &CStr) -> io::Result<()> {
    sys::mount(None, c"/", None, libc::MS_REC | libc::MS_SLAVE, None)?;
    sys::mount(Some(root), root, None, libc::MS_BIND | libc::MS_REC, None)?;
    sys::change_directory(root)?;
    sys::pivot_root(c".", c".")?;
    sys::unmount_lazily(c".")?;
    sys::change_directory(c"/")
}

/// The mounts of `ocirun spec`.
fn mount_file_systems() -> io::Result<()> {
    const GUARDED: libc::c_ulong = libc::MS_NOSUID | libc::MS_NOEXEC | libc::MS_NODEV;
    const GUARDED_EXEC: libc::c_ulong = libc::MS_NOSUID | libc::MS_NOEXEC;
    const DEV: libc::c_ulong = libc::MS_NOSUID | libc::MS_STRICTATIME;
    const READ_ONLY: libc::c_ulong = GUARDED | libc::MS_RDONLY;
    const CGROUP: libc::c_ulong = READ_ONLY | libc::MS_RELATIME;
    let mount = |kind: &CStr, target: &CStr, flags, options: Option<&CStr>| {
        sys::mount(Some(kind), target, Some(kind), flags, options)
    };
    mount(c"proc", c"/proc", GUARDED, None)?;
    mount(c"tmpfs", c"/dev", DEV, Some(c"mode=755,size=65536k"))?;
    for directory in [c"/dev/pts", c"/dev/shm", c"/dev/mqueue"] {
        sys::make_directory(directory, 0o755)?;
    }
    let terminals = c"newinstance,ptmxmode=0666,mode=0620,gid=5";
    mount(c"devpts", c"/dev/pts", GUARDED_EXEC, Some(terminals))?;
    mount(c"tmpfs", c"/dev/shm", GUARDED, Some(c"mode=1777,size=65536k"))?;
    mount(c"mqueue", c"/dev/mqueue", GUARDED, None)?;
    mount(c"sysfs", c"/sys", READ_ONLY, None)?;
    mount(c"cgroup2", c"/sys/fs/cgroup", CGROUP, None)
}

/// The nodes and links that the specification demands.
fn make_devices() -> io::Result<()> {
    const NODES: [(&CStr, u32, u32); 6] = [
        (c"/dev/null", 1, 3),
        (c"/dev/zero", 1, 5),
        (c"/dev/full", 1, 7),
        (c"/dev/random", 1, 8),
        (c"/dev/urandom", 1, 9),
        (c"/dev/tty", 5, 0),
    ];
    const LINKS: [(&CStr, &CStr); 5] = [
        (c"/proc/self/fd", c"/dev/fd"),
        (c"/proc/self/fd/0", c"/dev/stdin"),
        (c"/proc/self/fd/1", c"/dev/stdout"),
        (c"/proc/self/fd/2", c"/dev/stderr"),
        (c"pts/ptmx", c"/dev/ptmx"),
    ];
    sys::set_umask(0);
    for (path, major, minor) in NODES {
        sys::make_device(path, major, minor)?;
    }
    sys::set_umask(0o022);
    LINKS.into_iter().try_for_each(|(target, path)| sys::symlink(target, path))
}

/// The masked and read-only paths of `ocirun spec`; those that this kernel does not have are passed over.
fn hide_paths() -> io::Result<()> {
    const FILES: [&CStr; 7] = [
        c"/proc/interrupts",
        c"/proc/kcore",
        c"/proc/keys",
        c"/proc/latency_stats",
        c"/proc/timer_list",
        c"/proc/timer_stats",
        c"/proc/sched_debug",
    ];
    const DIRECTORIES: [&CStr; 5] = [
        c"/proc/acpi",
        c"/proc/asound",
        c"/proc/scsi",
        c"/sys/devices/virtual/powercap",
        c"/sys/firmware",
    ];
    const READ_ONLY: [&CStr; 5] =
        [c"/proc/bus", c"/proc/fs", c"/proc/irq", c"/proc/sys", c"/proc/sysrq-trigger"];
    for file in FILES {
        if_there(sys::mount(Some(c"/dev/null"), file, None, libc::MS_BIND, None))?;
    }
    for directory in DIRECTORIES {
        let empty = Some(c"tmpfs");
        if_there(sys::mount(empty, directory, empty, libc::MS_RDONLY, Some(c"nr_blocks=1")))?;
    }
    let read_only = libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY;
    for path in READ_ONLY {
        if if_there(sys::mount(Some(path), path, None, libc::MS_BIND | libc::MS_REC, None))? {
            sys::mount(None, path, None, read_only, None)?;
        }
    }
    Ok(())
}

fn if_there(mounted: io::Result<()>) -> io::Result<bool> {
    match mounted {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        mounted => mounted.map(|()| true),
    }
}

/// CAP_KILL, CAP_NET_BIND_SERVICE, CAP_AUDIT_WRITE.
const CAPABILITIES: u64 = 1 << 5 | 1 << 10 | 1 << 29;

fn drop_privileges(filter: Option<&[u8]>) -> io::Result<()> {
    sys::limit_open_files(1024)?;
    for capability in (0..LAST_CAPABILITY + 1).filter(|number| CAPABILITIES >> number & 1 == 0) {
        sys::drop_bounding_capability(capability)?;
    }
    sys::become_root()?;
    sys::set_capabilities(CAPABILITIES)?;
    sys::set_no_new_privileges()?;
    sys::close_on_exec_from(3)?;
    filter.map_or(Ok(()), sys::load_filter)
}

/// CAP_CHECKPOINT_RESTORE, the newest since Linux 5.9.
const LAST_CAPABILITY: u32 = 40;
