//! What of /proc and /sys a container does not see, or not writable.

/// Hidden: what tells about the host or its hardware. The powercap counters leak what other
/// containers compute (CVE-2020-8694); the thermal ones likewise (advisories of 2025).
const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// The masked paths on a host with this many CPUs.
pub fn masked(cpus: usize) -> Vec<String> {
    let thermal = (0..cpus).map(|cpu| format!("/sys/devices/system/cpu/cpu{cpu}/thermal_throttle"));
    MASKED.iter().map(|path| (*path).to_owned()).chain(thermal).collect()
}

pub const READ_ONLY: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powercap_and_thermal_are_masked_on_every_cpu() {
        let masked = masked(2);
        for path in [
            "/sys/devices/virtual/powercap",
            "/sys/devices/system/cpu/cpu0/thermal_throttle",
            "/sys/devices/system/cpu/cpu1/thermal_throttle",
        ] {
            assert!(masked.iter().any(|m| m == path), "{path}");
        }
    }
}
