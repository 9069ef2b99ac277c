//! Debian's podman, through its conmon.

use flotilla_tests::{Scratch, need, programs, require};
use std::path::Path;
use std::process::{Command, Output};

/// One podman with storage of its own. This process adopts what outlives the command that started
/// it, as conmon does and the `podman container cleanup` that conmon starts.
struct Podman {
    scratch: Scratch,
}

impl Podman {
    fn new() -> Result<Self, String> {
        need::virtual_machine()?;
        need::root()?;
        need::program("podman")?;
        nix::sys::prctl::set_child_subreaper(true).map_err(|e| format!("adopt orphans: {e}"))?;
        let podman = Self { scratch: Scratch::new() };
        podman.import(&need::program("busybox")?);
        Ok(podman)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let at = |name: &str| self.scratch.path().join(name);
        let mut command = Command::new("podman");
        command
            .env("TMPDIR", self.scratch.path())
            .arg("--root")
            .arg(at("root"))
            .arg("--runroot")
            .arg(at("run"))
            .arg("--tmpdir")
            .arg(at("tmp"))
            .arg("--runtime")
            .arg(programs::path("ocirun"))
            .args(["--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=file"])
            .args(arguments);
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("podman starts")
    }

    /// Standard output of a call that must succeed.
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(
            output.status.success(),
            "podman {arguments:?}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("podman writes UTF-8")
    }

    /// An image `box` with busybox and nothing else.
    fn import(&self, busybox: &Path) {
        let bin = self.scratch.path().join("image/bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::copy(busybox, bin.join("busybox")).unwrap();
        for applet in ["sh", "cat", "id", "sleep", "true", "echo"] {
            std::os::unix::fs::symlink("busybox", bin.join(applet)).unwrap();
        }
        let archive = self.scratch.path().join("image.tar");
        let tar = Command::new("tar")
            .arg("-cf")
            .arg(&archive)
            .arg("-C")
            .arg(self.scratch.path().join("image"))
            .arg(".")
            .status()
            .unwrap();
        assert!(tar.success());
        self.ok(&["import", archive.to_str().unwrap(), "box"]);
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let output = self.output(&["rm", "--all", "--force", "--time=0"]);
        if !output.status.success() && !std::thread::panicking() {
            panic!("podman rm: {}", String::from_utf8_lossy(&output.stderr));
        }
        // A cleanup that still runs would make its directories anew after they were removed.
        while nix::sys::wait::wait().is_ok() {}
        // Podman's own cgroups and the runtime's empty state directory outlive every container.
        let cgroups = need::cgroup2().expect("podman ran with cgroup2");
        for cgroup in ["libpod_parent/conmon", "libpod_parent", "podman_probe"] {
            let _ = std::fs::remove_dir(cgroups.join(cgroup));
        }
        let _ = std::fs::remove_dir("/run/ocirun");
    }
}

const RUN: &[&str] = &["run", "--network=none", "--log-driver=k8s-file"];

fn run<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    RUN.iter().copied().chain(arguments.iter().copied()).collect()
}

#[test]
fn podman_runs_a_container_and_gets_its_output_and_status() {
    let podman = require!(Podman::new());
    let output =
        podman.output(&run(&["--rm", "box", "sh", "-c", "echo out; echo err >&2; exit 7"]));
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "out\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "err\n");
}

#[test]
fn podman_execs_into_a_detached_container_and_stops_it() {
    let podman = require!(Podman::new());
    podman.ok(&run(&["--detach", "--name=c", "--hostname=inside", "box", "sleep", "1000"]));
    assert_eq!(podman.ok(&["exec", "c", "cat", "/proc/sys/kernel/hostname"]), "inside\n");
    assert_eq!(podman.ok(&["exec", "--user=7:8", "c", "id", "-u"]), "7\n");
    assert_eq!(podman.output(&["exec", "c", "sh", "-c", "exit 3"]).status.code(), Some(3));
    assert_eq!(podman.ok(&["inspect", "--format={{.State.Status}}", "c"]), "running\n");
    podman.ok(&["kill", "--signal=KILL", "c"]);
    assert_eq!(podman.ok(&["wait", "c"]), "137\n");
    podman.ok(&["rm", "c"]);
}

#[test]
fn podman_sets_limits_that_hold_inside() {
    let podman = require!(Podman::new());
    require!(need::controller("memory"));
    let limits = podman.ok(&run(&[
        "--rm",
        "--memory=64m",
        "--pids-limit=33",
        "box",
        "sh",
        "-c",
        "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max",
    ]));
    assert_eq!(limits, "67108864\n33\n");
}

#[test]
fn podman_gives_a_terminal() {
    let podman = require!(Podman::new());
    let text = podman.ok(&run(&[
        "--rm",
        "--tty",
        "box",
        "sh",
        "-c",
        "test -t 0 && test -t 1 && echo terminal",
    ]));
    assert_eq!(text.trim_end(), "terminal");
}

#[test]
fn podman_reports_a_program_that_is_not_there() {
    let podman = require!(Podman::new());
    let output = podman.output(&run(&["--rm", "box", "/no/such"]));
    // 127: podman recognizes the runtime's words for a missing program.
    assert_eq!(output.status.code(), Some(127), "{}", String::from_utf8_lossy(&output.stderr));
}
