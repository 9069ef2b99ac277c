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
    /// What lies over the host's root: packages that the host does not have.
    pub(crate) layer: &'a Path,
    /// The host's folder that the guest writes to.
    pub(crate) out: &'a Path,
    /// A file for what the guest prints.
    pub(crate) console: &'a Path,
}

/// What every guest's kernel is told: cgroup v2 only, and a fault ends the guest at once. Where the
/// host is busy its timers come late: no check of them, and no watchdog.
const KERNEL_LINE: &str = "console=ttyS0 quiet panic=-1 oops=panic cgroup_no_v1=all \
    no_timer_check nowatchdog nokaslr mitigations=off random.trust_cpu=on audit=0 net.ifnames=0";

pub(crate) fn command(boot: &Boot<'_>, accelerator: Accelerator) -> Command {
    let mut command = Command::new("qemu-system-x86_64");
    match accelerator {
        Accelerator::Kvm => command.args(["-accel", "kvm", "-cpu", "host"]),
        // One thread for both processors: with a thread each, one of them may run an instruction that
        // the other has replaced long since, which a kernel that patches itself does not survive
        // (an `Oops: int3` where a static key was switched). Two machines run at once anyway.
        // Page tables of five levels only make translation slower.
        Accelerator::Tcg => command.args(["-accel", "tcg,thread=single", "-cpu", "max,la57=off"]),
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
        .arg(format!("file:{}", escape(boot.console)));
    for (tag, path, readonly) in
        [("root", Path::new("/"), "on"), ("layer", boot.layer, "on"), ("out", boot.out, "off")]
    {
        let path = escape(path);
        command.arg("-fsdev").arg(format!(
            "local,id={tag},path={path},security_model=none,readonly={readonly},multidevs=remap"
        ));
        command.arg("-device").arg(format!("virtio-9p-pci,fsdev={tag},mount_tag={tag}"));
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

/// A path as part of an option of QEMU, where a comma would end it.
fn escape(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}
