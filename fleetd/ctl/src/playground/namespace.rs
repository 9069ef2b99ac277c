//! A host's namespaces, and the process that holds them.
//!
//! The holder is this program again (`fleetctl playground hold`), so that the work is done by a
//! process with one thread, as a mount namespace demands. It makes the namespaces, says `ready` and
//! waits to be killed. Whoever else belongs to the host enters by its pidfd.

use super::cgroup::Cgroup;
use super::cli::Hold;
use super::process::Process;
use super::sys::{self, Entry};
use crate::failure::Failure;
use rustix::fs::CWD;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount,
    mount_bind, mount_change, move_mount, open_tree, unmount,
};
use rustix::thread::UnshareFlags;
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

const READY: &[u8] = b"ready\n";

/// Starts a holder in its cgroup and waits until the namespaces are there.
pub(super) fn start(
    name: &str,
    boot_id: Option<&Path>,
    cgroup: OwnedFd,
) -> Result<Process, Failure> {
    let failed = |e: &io::Error| Failure::io(format!("start the holder of {name}"), e);
    // Even if the file was replaced by a newer one, this is the program that runs.
    let mut command = Command::new("/proc/self/exe");
    command.arg0("fleetctl").args(["playground", "hold", name]).current_dir("/");
    if let Some(file) = boot_id {
        command.arg("--boot-id").arg(file);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    sys::enter(&mut command, Entry { cgroup, namespaces: None, directory: None, session: true });
    let mut child = command.spawn().map_err(|e| failed(&e))?;
    let process = Process::of(child.id()).map_err(|e| failed(&e))?;
    let (mut word, mut error) = (Vec::new(), String::new());
    if let Some(mut out) = child.stdout.take() {
        out.read_to_end(&mut word).map_err(|e| failed(&e))?;
    }
    if word == READY {
        return Ok(process);
    }
    if let Some(mut err) = child.stderr.take() {
        err.read_to_string(&mut error).map_err(|e| failed(&e))?;
    }
    let error = error.trim().trim_start_matches("fleetctl: ");
    Err(Failure::new(format!("start the holder of {name}: {error}")))
}

/// Has a program start on a host: in its namespaces, and in its cgroup so that it ends with it.
pub(super) fn enter(
    command: &mut Command,
    holder: &Process,
    cgroup: &Cgroup,
    session: bool,
) -> Result<(), Failure> {
    let namespaces = holder.open().map_err(|e| Failure::io("enter the host", &e))?;
    let directory = std::env::current_dir().ok();
    let directory = directory.and_then(|path| CString::new(path.as_os_str().as_bytes()).ok());
    let entry = Entry {
        cgroup: cgroup.entrance()?,
        namespaces: Some(namespaces),
        // Where it was called, or `/` for what outlives the caller.
        directory: directory.filter(|_| !session),
        session,
    };
    sys::enter(command, entry);
    Ok(())
}

/// The holder itself: returns only if it fails.
pub(super) fn hold(flags: &Hold) -> Result<u8, Failure> {
    let failed = |what: &str, e: rustix::io::Errno| Failure::io(what, &e.into());
    // As ps shows it: of itself it would be `exe`.
    rustix::thread::set_name(c"fleetctl").map_err(|e| failed("set the process's name", e))?;
    let mut kinds = UnshareFlags::NEWNET;
    if flags.boot_id.is_some() {
        kinds |= UnshareFlags::NEWNS | UnshareFlags::NEWUTS;
    }
    sys::unshare(kinds).map_err(|e| Failure::io("make namespaces", &e))?;
    if let Some(boot_id) = &flags.boot_id {
        let name = flags.hostname.as_bytes();
        rustix::system::sethostname(name).map_err(|e| failed("set the host's name", e))?;
        // What the machine unmounts is not held here; what is mounted here is not seen there.
        let slave = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
        mount_change("/", slave).map_err(|e| failed("make mounts the host's own", e))?;
        mount_own_sys()?;
        let target = "/proc/sys/kernel/random/boot_id";
        mount_bind(boot_id, target).map_err(|e| failed(&format!("mount {target}"), e))?;
    }
    crate::commands::print("ready\n")?;
    let null = File::options().read(true).write(true).open("/dev/null");
    let null = null.map_err(|e| Failure::io("open /dev/null", &e))?;
    rustix::stdio::dup2_stdout(&null).map_err(|e| failed("close standard output", e))?;
    rustix::stdio::dup2_stderr(&null).map_err(|e| failed("close standard error", e))?;
    loop {
        rustix::event::pause();
    }
}

/// A sysfs shows the links of the network namespace that it was mounted in. What is mounted below
/// the machine's, such as the cgroups, comes along.
fn mount_own_sys() -> Result<(), Failure> {
    let table = fs::read_to_string("/proc/self/mountinfo")
        .map_err(|e| Failure::io("read /proc/self/mountinfo", &e))?;
    let failed = |verb: &str, path: &str, e: rustix::io::Errno| {
        Failure::io(format!("{verb} {path}"), &e.into())
    };
    let mut kept = Vec::new();
    for point in below_sys(&table) {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_RECURSIVE;
        kept.push((open_tree(CWD, point, flags).map_err(|e| failed("open", point, e))?, point));
    }
    match unmount("/sys", UnmountFlags::DETACH) {
        // It was no mount.
        Ok(()) | Err(rustix::io::Errno::INVAL) => {}
        Err(e) => return Err(failed("unmount", "/sys", e)),
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("sysfs", "/sys", "sysfs", flags, None).map_err(|e| failed("mount", "/sys", e))?;
    for (tree, point) in kept {
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&tree, "", CWD, point, flags).map_err(|e| failed("mount", point, e))?;
    }
    Ok(())
}

/// The mount points below `/sys`, without those below another one.
fn below_sys(mountinfo: &str) -> Vec<&str> {
    let points = mountinfo.lines().filter_map(|line| line.split(' ').nth(4));
    let mut found: Vec<&str> = points.filter(|point| point.starts_with("/sys/")).collect();
    found.sort_unstable();
    found.dedup_by(|later, kept| {
        later.strip_prefix(&**kept).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topmost_mounts_below_sys_come_along() {
        let line = |point: &str| format!("31 23 0:28 / {point} rw - tmpfs tmpfs rw\n");
        let points = ["/sys", "/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/bpf", "/system"];
        let table: String = points.iter().map(|point| line(point)).collect();
        assert_eq!(below_sys(&table), ["/sys/fs/bpf", "/sys/fs/cgroup"]);
        let twice = [line("/sys/fs/cgroup"), line("/sys/fs/cgroup"), line("/sys/fs/cgroup2")];
        assert_eq!(below_sys(&twice.concat()), ["/sys/fs/cgroup", "/sys/fs/cgroup2"]);
    }
}
