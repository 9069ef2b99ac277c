//! The command line of QEMU for one boot.

use std::path::Path;
use std::process::{Command, Stdio};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accelerator {
    /// The processor runs the guest.
    Kvm,
    /// QEMU translates the guest's instructions: slower, but works everywhere.
    Tcg,
}

impl Accelerator {
    /// KVM where the processor offers it and we may use it.
    pub(crate) fn available() -> Self {
        let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let offered = flags
            .lines()
            .find(|line| line.starts_with("flags"))
            .is_some_and(|line| line.split_whitespace().any(|flag| flag == "vmx" || flag == "svm"));
        let allowed = std::fs::File::options().read(true).write(true).open("/dev/kvm").is_ok();
        if offered && allowed { Self::Kvm } else { Self::Tcg }
    }
}

pub(crate) struct Boot<'a> {
    pub(crate) kernel: &'a Path,
    pub(crate) initramfs: &'a Path,
    /// The host's folder that the guest writes to.
    pub(crate) out: &'a Path,
    /// A file for what the guest prints.
    pub(crate) console: &'a Path,
}

/// What every guest's kernel is told: cgroup v2 only, and a fault ends the guest at once.
const KERNEL_LINE: &str = "console=ttyS0 quiet panic=-1 oops=panic cgroup_no_v1=all \
    nokaslr mitigations=off random.trust_cpu=on audit=0 net.ifnames=0";

pub(crate) fn command(boot: &Boot<'_>, accelerator: Accelerator) -> Command {
    let mut command = Command::new("qemu-system-x86_64");
    match accelerator {
        Accelerator::Kvm => command.args(["-accel", "kvm", "-cpu", "host"]),
        // Page tables of five levels only make translation slower.
        Accelerator::Tcg => command.args(["-accel", "tcg,thread=multi", "-cpu", "max,la57=off"]),
    };
    command
        .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
        .args(["-machine", "q35", "-smp", "2", "-m", &memory()])
        .args(["-device", "virtio-rng-pci"])
        .arg("-kernel")
        .arg(boot.kernel)
        .arg("-initrd")
        .arg(boot.initramfs)
        .args(["-append", KERNEL_LINE])
        .arg("-serial")
        .arg(format!("file:{}", boot.console.display()));
    let root = "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap".to_owned();
    let out = format!("local,id=out,path={},security_model=none", boot.out.display());
    for (name, share) in [("root", root), ("out", out)] {
        command.args(["-fsdev", &share]);
        command.args(["-device", &format!("virtio-9p-pci,fsdev={name},mount_tag={name}")]);
    }
    command.stdin(Stdio::null());
    command
}

/// 4 GiB, or a quarter of what a small machine has.
fn memory() -> String {
    let table = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = table.lines().find_map(|line| {
        line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    });
    let mib = available.map_or(4096, |kib| (kib / 1024 / 4).clamp(1024, 4096));
    format!("{mib}M")
}
