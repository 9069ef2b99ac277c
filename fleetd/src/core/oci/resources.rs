//! The unit's limits, and which devices it may open.

use crate::core::unit::container::Limits;
use serde_json::{Value, json};

/// Microseconds; the kernel's default (cgroup-v2.rst, `cpu.max`).
const CPU_PERIOD: f64 = 100_000.0;
/// The least quota that the kernel takes.
const CPU_QUOTA_MIN: f64 = 1_000.0;

pub(super) fn resources(limits: &Limits) -> Value {
    let mut all = serde_json::Map::new();
    all.insert("devices".to_owned(), devices());
    if let Some(bytes) = limits.memory_max {
        all.insert("memory".to_owned(), json!({"limit": bytes}));
    }
    if let Some(share) = limits.cpu_quota {
        let quota = (share * CPU_PERIOD).max(CPU_QUOTA_MIN).round() as u64;
        all.insert("cpu".to_owned(), json!({"quota": quota, "period": CPU_PERIOD as u64}));
    }
    if let Some(tasks) = limits.tasks_max {
        all.insert("pids".to_owned(), json!({"limit": tasks}));
    }
    all.into()
}

/// null, zero, full, tty, random, urandom; console, ptmx and the terminals of pts (the
/// specification's default devices). Making a node is allowed, opening it is not.
fn devices() -> Value {
    let node = |major: u32, minor: Option<u32>| {
        let mut rule = json!({"allow": true, "type": "c", "major": major, "access": "rwm"});
        if let Some(minor) = minor {
            rule["minor"] = minor.into();
        }
        rule
    };
    json!([
        {"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "access": "m"},
        {"allow": true, "type": "b", "access": "m"},
        node(1, Some(3)), node(1, Some(5)), node(1, Some(7)), node(5, Some(0)), node(1, Some(8)),
        node(1, Some(9)), node(5, Some(1)), node(5, Some(2)), node(136, None),
    ])
}
