//! How full hosts are, now and after moves: what a person judges a rebalance by.

use super::fleet::{Fleet, Resources};
use super::plan::Change;
use std::collections::BTreeMap;

/// What the units of one host ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    pub units: usize,
    pub asked: Resources,
}

/// By host. Units that are not known ask for nothing.
pub fn loads(fleet: &Fleet, moves: &[Change]) -> BTreeMap<String, Load> {
    let mut loads: BTreeMap<String, Load> =
        fleet.hosts.keys().map(|host| (host.clone(), Load::default())).collect();
    let moved = |unit: &str, from: &str| {
        moves.iter().find_map(|change| match change {
            Change::Move { unit: name, from: left, to, .. } if name == unit && left == from => {
                Some(to.host.clone())
            }
            _ => None,
        })
    };
    for assignment in &fleet.assignments {
        let Some(unit) = fleet.units.get(&assignment.unit) else { continue };
        let host = moved(&assignment.unit, &assignment.host);
        let Some(load) = loads.get_mut(host.as_ref().unwrap_or(&assignment.host)) else { continue };
        load.units += 1;
        load.asked = sum(load.asked, unit.requests);
    }
    loads
}

fn sum(one: Resources, other: Resources) -> Resources {
    Resources {
        cpu: one.cpu.saturating_add(other.cpu),
        memory: one.memory.saturating_add(other.memory),
        tasks: one.tasks.saturating_add(other.tasks),
    }
}
