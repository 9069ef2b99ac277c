//! `MemoryMax=`, `CPUQuota=`, `TasksMax=` as `linux.resources`, as far as the host enforces them.

use crate::core::unit::container::Limits;
use serde_json::{Map, Value, json};

/// Microseconds; the kernel's default of `cpu.max`.
const PERIOD: u64 = 100_000;

/// One limit that a unit asks for.
struct Limit {
    key: &'static str,
    controller: &'static str,
    resource: &'static str,
    value: Value,
}

fn asked(limits: &Limits) -> Vec<Limit> {
    let mut asked = Vec::new();
    if let Some(bytes) = limits.memory_max {
        let value = json!({ "limit": i64::try_from(bytes).unwrap_or(i64::MAX) });
        asked.push(Limit { key: "MemoryMax", controller: "memory", resource: "memory", value });
    }
    if let Some(quota) = limits.cpu_quota {
        // The kernel refuses less than a millisecond (`cpu.max` in cgroup-v2.rst).
        let micros = ((quota * PERIOD as f64).round() as u64).max(1000);
        let value = json!({ "quota": micros, "period": PERIOD });
        asked.push(Limit { key: "CPUQuota", controller: "cpu", resource: "cpu", value });
    }
    if let Some(tasks) = limits.tasks_max {
        let value = json!({ "limit": i64::try_from(tasks).unwrap_or(i64::MAX) });
        asked.push(Limit { key: "TasksMax", controller: "pids", resource: "pids", value });
    }
    asked
}

/// The limits that need a controller which cgroup2 does not offer here, in words.
pub fn unenforced(limits: &Limits, controllers: &[String]) -> Vec<String> {
    asked(limits)
        .iter()
        .filter(|limit| !controllers.iter().any(|c| c == limit.controller))
        .map(|limit| format!("{}: cgroup2 has no {} controller here", limit.key, limit.controller))
        .collect()
}

/// `linux.resources` with the limits whose controllers are there.
pub fn resources(limits: &Limits, controllers: &[String]) -> Value {
    let mut resources = Map::new();
    for limit in asked(limits) {
        if controllers.iter().any(|c| c == limit.controller) {
            resources.insert(limit.resource.to_owned(), limit.value);
        }
    }
    Value::Object(resources)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits { memory_max: Some(64 << 20), cpu_quota: Some(1.5), tasks_max: Some(20) }
    }

    #[test]
    fn limits_become_resources() {
        let all = ["cpu", "memory", "pids"].map(str::to_owned);
        assert!(unenforced(&limits(), &all).is_empty());
        let expected = json!({
            "memory": { "limit": 67_108_864 },
            "cpu": { "quota": 150_000, "period": 100_000 },
            "pids": { "limit": 20 },
        });
        assert_eq!(resources(&limits(), &all), expected);
    }

    #[test]
    fn a_missing_controller_is_named() {
        let some = ["cpu".to_owned()];
        let missing = unenforced(&limits(), &some);
        assert_eq!(missing[0], "MemoryMax: cgroup2 has no memory controller here");
        assert_eq!(missing.len(), 2);
        assert_eq!(
            resources(&limits(), &some),
            json!({ "cpu": { "quota": 150_000, "period": 100_000 } })
        );
    }

    #[test]
    fn no_limit_asks_for_no_controller() {
        assert!(unenforced(&Limits::default(), &[]).is_empty());
    }
}
