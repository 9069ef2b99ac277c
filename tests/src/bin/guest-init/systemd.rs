//! Hands the guest over to Debian's systemd, with one service of ours that runs the tests.
//!
//! A minimal boot: what the host's administrator has enabled is hidden, and of what systemd itself
//! starts, what looks for hardware is masked.

use std::fs::{create_dir_all, write};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::mount::{MsFlags, mount};

use crate::Result;

const SYSTEMD: &str = "/usr/lib/systemd/systemd";
const SERVICE: &str = "flotilla-tests.service";

/// They wait for devices, for a network or for a clock that this machine does not have.
const MASKED: &[&str] = &[
    "systemd-udevd.service",
    "systemd-udev-trigger.service",
    "systemd-timesyncd.service",
    "systemd-networkd.service",
    "systemd-resolved.service",
    "systemd-modules-load.service",
    "systemd-binfmt.service",
    "systemd-random-seed.service",
    "systemd-remount-fs.service",
    "systemd-pstore.service",
    "e2scrub_reap.service",
];

/// Becomes systemd, which runs `command` with `environment` and powers off when it has ended.
pub(crate) fn become_systemd(command: &[String], environment: &[String]) -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    create_dir_all("/etc/systemd/system")?;
    mount(Some("tmpfs"), "/etc/systemd/system", Some("tmpfs"), flags, Some("mode=0755"))
        .map_err(|e| format!("hide /etc/systemd/system: {e}"))?;
    for unit in MASKED {
        symlink("/dev/null", format!("/etc/systemd/system/{unit}"))?;
    }
    // Without it systemd takes this for a first boot and enables everything there is.
    write("/etc/machine-id", "f1071a00000000000000000000000001\n")?;
    write("/etc/fstab", "")?;
    write(format!("/etc/systemd/system/{SERVICE}"), service(command, environment))?;
    let mut systemd = Command::new(SYSTEMD);
    systemd.env_clear().args([&format!("--unit={SERVICE}"), "--log-target=kmsg"]);
    Err(format!("exec {SYSTEMD}: {}", systemd.exec()).into())
}

fn service(command: &[String], environment: &[String]) -> String {
    let quote = |words: &[String]| {
        words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" ")
    };
    let (command, environment) = (quote(command), quote(environment));
    format!(
        "[Unit]
Description=Flotilla's system tests
DefaultDependencies=no
Requires=sysinit.target
After=sysinit.target systemd-journald.service
SuccessAction=poweroff-force
FailureAction=poweroff-force

[Service]
Type=oneshot
Environment={environment}
ExecStart={command}
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
TasksMax=infinity
LimitNOFILE=1024:524288
"
    )
}
