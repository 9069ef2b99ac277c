//! `linux.resources` as files of cgroup v2 and what to write to them.
//!
//! The document speaks cgroup v1; the kernel's Documentation/admin-guide/cgroup-v2.rst has the
//! meaning of each file.

use crate::error::{Error, Result};
use crate::spec::Resources;
use crate::spec::resources::{BlockIo, Cpu, Memory, Pids};

/// One write to a file of the cgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// `memory.max`; what stands before the dot is the controller.
    pub file: String,
    pub value: String,
}

impl Setting {
    fn new(file: &str, value: impl ToString) -> Self {
        Self { file: file.to_owned(), value: value.to_string() }
    }

    /// The controller whose file it is; `None` for the files that every cgroup has.
    pub fn controller(&self) -> Option<&str> {
        let name = self.file.split('.').next().unwrap_or_default();
        (name != "cgroup").then_some(name)
    }
}

/// Everything to write, in an order that the kernel accepts.
pub fn settings(resources: &Resources) -> Result<Vec<Setting>> {
    let mut settings = Vec::new();
    if let Some(memory) = &resources.memory {
        add_memory(memory, &mut settings)?;
    }
    if let Some(cpu) = &resources.cpu {
        add_cpu(cpu, &mut settings)?;
    }
    if let Some(Pids { limit: Some(limit) }) = resources.pids {
        settings.push(Setting::new("pids.max", amount(limit)));
    }
    if let Some(block_io) = &resources.block_io {
        add_block_io(block_io, &mut settings)?;
    }
    for (index, huge) in resources.hugepage_limits.iter().enumerate() {
        let size = &huge.page_size;
        if size.is_empty() || !size.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(Error::new(format_args!(
                "linux.resources.hugepageLimits[{index}].pageSize: must be like 2MB"
            )));
        }
        settings.push(Setting::new(&format!("hugetlb.{size}.max"), huge.limit));
        settings.push(Setting::new(&format!("hugetlb.{size}.rsvd.max"), huge.limit));
    }
    for (device, rdma) in &resources.rdma {
        if device.contains(char::is_whitespace) {
            return Err(Error::new(format_args!(
                "linux.resources.rdma[{device:?}]: no device's name"
            )));
        }
        let amount = |n: Option<u32>| n.map_or_else(|| "max".to_owned(), |n| n.to_string());
        let handles = amount(rdma.hca_handles);
        let objects = amount(rdma.hca_objects);
        settings.push(Setting::new(
            "rdma.max",
            format_args!("{device} hca_handle={handles} hca_object={objects}"),
        ));
    }
    if resources.network.is_some() {
        return Err(not_in_v2("network"));
    }
    for (file, value) in &resources.unified {
        // The key becomes a file's name.
        if file.contains('/') || !file.contains('.') || file.starts_with('.') {
            return Err(Error::new(format_args!(
                "linux.resources.unified[{file:?}]: no file of a cgroup"
            )));
        }
        for line in value.lines() {
            settings.push(Setting::new(file, line));
        }
    }
    Ok(settings)
}

fn not_in_v2(field: &str) -> Error {
    Error::new(format_args!("linux.resources.{field}: cgroup v2 has nothing like it"))
}

/// -1 means no limit.
fn amount(number: i64) -> String {
    if number < 0 { "max".to_owned() } else { number.to_string() }
}

fn add_memory(memory: &Memory, settings: &mut Vec<Setting>) -> Result<()> {
    if memory.kernel.is_some_and(|limit| limit > 0) {
        return Err(not_in_v2("memory.kernel"));
    }
    if memory.kernel_tcp.is_some_and(|limit| limit > 0) {
        return Err(not_in_v2("memory.kernelTCP"));
    }
    if memory.swappiness.is_some() {
        return Err(not_in_v2("memory.swappiness"));
    }
    if memory.disable_oom_killer == Some(true) {
        return Err(not_in_v2("memory.disableOOMKiller"));
    }
    // A limit below what is used only matters for an update: a new cgroup uses nothing.
    if let Some(swap) = swap_limit(memory)? {
        settings.push(Setting::new("memory.swap.max", swap));
    }
    if let Some(limit) = memory.limit.filter(|limit| *limit != 0) {
        settings.push(Setting::new("memory.max", amount(limit)));
    }
    if let Some(reservation) = memory.reservation.filter(|limit| *limit != 0) {
        settings.push(Setting::new("memory.low", amount(reservation)));
    }
    Ok(())
}

/// The document counts memory and swap together, the kernel swap alone.
fn swap_limit(memory: &Memory) -> Result<Option<String>> {
    let fault = |why: &str| Err(Error::new(format_args!("linux.resources.memory.swap: {why}")));
    match (memory.swap, memory.limit.unwrap_or(0)) {
        (None | Some(0), _) => Ok(None),
        (Some(swap), _) if swap < 0 => Ok(Some("max".to_owned())),
        (Some(_), limit) if limit <= 0 => fault("needs a memory.limit"),
        (Some(swap), limit) if swap < limit => {
            fault("is memory and swap together: below memory.limit")
        }
        (Some(swap), limit) => Ok(Some((swap - limit).to_string())),
    }
}

fn add_cpu(cpu: &Cpu, settings: &mut Vec<Setting>) -> Result<()> {
    if cpu.realtime_runtime.is_some_and(|n| n != 0) || cpu.realtime_period.is_some_and(|n| n != 0) {
        return Err(not_in_v2("cpu.realtimeRuntime"));
    }
    if let Some(idle) = cpu.idle {
        settings.push(Setting::new("cpu.idle", idle));
    }
    if let Some(shares) = cpu.shares.filter(|shares| *shares != 0) {
        settings.push(Setting::new("cpu.weight", weight_of_shares(shares)));
    }
    let quota = cpu.quota.filter(|quota| *quota != 0);
    let period = cpu.period.filter(|period| *period != 0);
    if quota.is_some() || period.is_some() {
        let quota = quota.map_or_else(|| "max".to_owned(), amount);
        settings
            .push(Setting::new("cpu.max", format_args!("{quota} {}", period.unwrap_or(100_000))));
    }
    if let Some(burst) = cpu.burst {
        settings.push(Setting::new("cpu.max.burst", burst));
    }
    if let Some(cpus) = cpu.cpus.as_deref().filter(|list| !list.is_empty()) {
        settings.push(Setting::new("cpuset.cpus", cpus));
    }
    if let Some(mems) = cpu.mems.as_deref().filter(|list| !list.is_empty()) {
        settings.push(Setting::new("cpuset.mems", mems));
    }
    Ok(())
}

/// cgroup v1's shares (2 to 262,144, default 1,024) as cgroup v2's weight (1 to 10,000, default
/// 100), on the quadratic curve through those three points that runc and crun use since 2025:
/// 10^((log2(shares)^2 + 125 log2(shares)) / 612 - 7/34).
fn weight_of_shares(shares: u64) -> u64 {
    let shares = shares.clamp(2, 262_144);
    #[expect(clippy::cast_precision_loss, reason = "262,144 at most")]
    let logarithm = (shares as f64).log2();
    let exponent = (logarithm * logarithm + 125.0 * logarithm) / 612.0 - 7.0 / 34.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "1 to 10,000 by the range of shares"
    )]
    let weight = 10_f64.powf(exponent).ceil() as u64;
    weight.clamp(1, 10_000)
}

fn add_block_io(block_io: &BlockIo, settings: &mut Vec<Setting>) -> Result<()> {
    if block_io.leaf_weight.is_some_and(|weight| weight != 0) {
        return Err(not_in_v2("blockIO.leafWeight"));
    }
    if let Some(weight) = block_io.weight.filter(|weight| *weight != 0) {
        settings.push(Setting::new("io.weight", format_args!("default {}", io_weight(weight))));
    }
    for device in &block_io.weight_device {
        if device.leaf_weight.is_some_and(|weight| weight != 0) {
            return Err(not_in_v2("blockIO.weightDevice.leafWeight"));
        }
        if let Some(weight) = device.weight {
            let weight = io_weight(weight);
            settings.push(Setting::new(
                "io.weight",
                format_args!("{}:{} {weight}", device.major, device.minor),
            ));
        }
    }
    for (key, devices) in [
        ("rbps", &block_io.throttle_read_bps_device),
        ("wbps", &block_io.throttle_write_bps_device),
        ("riops", &block_io.throttle_read_iops_device),
        ("wiops", &block_io.throttle_write_iops_device),
    ] {
        for device in devices {
            let rate = if device.rate == 0 { "max".to_owned() } else { device.rate.to_string() };
            settings.push(Setting::new(
                "io.max",
                format_args!("{}:{} {key}={rate}", device.major, device.minor),
            ));
        }
    }
    Ok(())
}

/// cgroup v1's 10 to 1,000 as cgroup v2's 1 to 10,000.
fn io_weight(weight: u16) -> u64 {
    let weight = u64::from(weight.clamp(10, 1000));
    1 + (weight - 10) * 9999 / 990
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(json: &str) -> Result<Vec<String>> {
        let resources: Resources = serde_json::from_str(json).unwrap();
        Ok(settings(&resources)?.iter().map(|s| format!("{}={}", s.file, s.value)).collect())
    }

    #[test]
    fn limits_become_files() {
        assert_eq!(
            lines(r#"{"memory":{"limit":100,"swap":150,"reservation":50},"pids":{"limit":0}}"#)
                .unwrap(),
            ["memory.swap.max=50", "memory.max=100", "memory.low=50", "pids.max=0"]
        );
        assert_eq!(
            lines(r#"{"cpu":{"quota":50000,"cpus":"0-1","idle":1}}"#).unwrap(),
            ["cpu.idle=1", "cpu.max=50000 100000", "cpuset.cpus=0-1"]
        );
        assert_eq!(lines(r#"{"memory":{"limit":-1}}"#).unwrap(), ["memory.max=max"]);
        assert_eq!(
            lines(r#"{"blockIO":{"weight":1000,"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":7}]}}"#)
                .unwrap(),
            ["io.weight=default 10000", "io.max=8:0 rbps=7"]
        );
        assert_eq!(
            lines(r#"{"unified":{"memory.high":"7","io.max":"a\nb"}}"#).unwrap(),
            ["io.max=a", "io.max=b", "memory.high=7"]
        );
        assert_eq!(lines("{}").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn shares_lie_on_the_curve_through_minimum_default_and_maximum() {
        for (shares, weight) in [(2, 1), (1024, 100), (262_144, 10_000), (1, 1), (1 << 40, 10_000)]
        {
            assert_eq!(weight_of_shares(shares), weight, "{shares}");
        }
    }

    #[test]
    fn what_version_two_lacks_is_refused_by_name() {
        for (json, field) in [
            (r#"{"memory":{"swappiness":10}}"#, "memory.swappiness"),
            (r#"{"memory":{"disableOOMKiller":true}}"#, "memory.disableOOMKiller"),
            (r#"{"memory":{"kernel":5}}"#, "memory.kernel"),
            (r#"{"cpu":{"realtimeRuntime":5}}"#, "cpu.realtimeRuntime"),
            (r#"{"network":{"classID":5}}"#, "network"),
            (r#"{"memory":{"swap":5}}"#, "memory.swap"),
            (r#"{"unified":{"../x":"1"}}"#, "unified"),
        ] {
            let error = lines(json).unwrap_err().to_string();
            assert!(error.contains(field), "{error}");
        }
    }
}
