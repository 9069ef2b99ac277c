//! The first process of the virtual machine's guest.
//!
//! From a bare kernel to a machine that runs system tests: modules, the host's file system under a
//! writable overlay, cgroup v2 with every controller, then one command; when it has ended, power
//! off. What to do is in `/config` of the initramfs, one `key value` a line:
//!
//! - `env NAME=VALUE`, `modules DIR`: for the command, and its `/lib/modules`;
//! - `run WORD`: the command and its arguments;
//! - `systemd yes`: systemd becomes the first process and runs the command.
//!
//! It is linked statically, since it runs before there is a file system, and talks to the console.

mod mounts;
mod systemd;

use std::error::Error;
use std::fs::File;
use std::process::Command;

use nix::kmod::{ModuleInitFlags, finit_module};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::wait::{WaitPidFlag, waitpid};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() {
    if let Err(error) = boot() {
        eprintln!("guest-init: {error}");
    }
    nix::unistd::sync();
    let Err(error) = reboot(RebootMode::RB_POWER_OFF);
    eprintln!("guest-init: power off: {error}");
}

fn boot() -> Result<()> {
    let config = std::fs::read_to_string("/config").map_err(|e| format!("read /config: {e}"))?;
    let values = |key: &str| -> Vec<String> {
        let key = format!("{key} ");
        config.lines().filter_map(|line| Some(line.strip_prefix(&key)?.to_owned())).collect()
    };
    let environment = values("env");
    let words = values("run");
    mounts::kernel_files()?;
    load_modules()?;
    mounts::root()?;
    mounts::after_root(values("modules").first().ok_or("no modules in /config")?)?;
    flotilla_tests::sys::bring_loopback_up().map_err(|e| format!("bring lo up: {e}"))?;
    nix::unistd::sethostname("flotilla-vm")?;
    setrlimit(Resource::RLIMIT_NOFILE, 1024, 524_288)?;
    if !values("systemd").is_empty() {
        return systemd::become_systemd(&words, &environment);
    }
    enable_controllers()?;
    run(&words, &environment)
}

/// Runs the command to its end. As the first process this one is the parent of every orphan.
fn run(words: &[String], environment: &[String]) -> Result<()> {
    let (program, arguments) = words.split_first().ok_or("no command in /config")?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().current_dir("/");
    command.envs(environment.iter().filter_map(|line| line.split_once('=')));
    let child = command.spawn().map_err(|e| format!("run {program}: {e}"))?;
    let id = i32::try_from(child.id())?;
    loop {
        let status = waitpid(None, None::<WaitPidFlag>)?;
        if status.pid().is_some_and(|pid| pid.as_raw() == id) {
            println!("guest-init: {program}: {status:?}");
            return Ok(());
        }
    }
}

/// Loads what the initramfs brings, in the order of its names.
fn load_modules() -> Result<()> {
    let entries = std::fs::read_dir("/modules").map_err(|e| format!("read /modules: {e}"))?;
    let mut paths = entries.map(|e| Ok(e?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        let load = || -> Result<()> {
            Ok(finit_module(File::open(&path)?, c"", ModuleInitFlags::empty())?)
        };
        load().map_err(|e| format!("load {}: {e}", path.display()))?;
    }
    Ok(())
}

/// Offers every controller to the cgroups below the root.
fn enable_controllers() -> Result<()> {
    let root = std::path::Path::new("/sys/fs/cgroup");
    for controller in std::fs::read_to_string(root.join("cgroup.controllers"))?.split_whitespace() {
        std::fs::write(root.join("cgroup.subtree_control"), format!("+{controller}"))
            .map_err(|e| format!("enable the controller {controller}: {e}"))?;
    }
    Ok(())
}
