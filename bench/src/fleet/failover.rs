//! Part `failover`: the power of a host is cut, until the programs of its units run elsewhere.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::ground::{Ground, eventually, said};
use super::stamps::Stamps;
use super::start::led;
use super::table::{Row, Table};
use super::units::{self, Network};
use crate::sys;

pub(super) const PART: &str = "failover";
/// Of `Singleton=available`, at defaults.
const TARGET: f64 = 10.0;
const PATIENCE: Duration = Duration::from_secs(120);
const REPLICAS: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Victim {
    Leader,
    Other,
}

pub(super) fn run(stamps: &Stamps, rounds: usize) -> Result<Vec<Table>, String> {
    let ground = Ground::up("failover", 3)?;
    ground.import(&units::root(stamps)?, units::IMAGE)?;
    let (mut others, mut leaders) = (Vec::new(), Vec::new());
    // Some seconds each: a tenth of the rounds tells as much.
    for _ in 0..rounds.div_ceil(10).max(3) {
        others.push(round(&ground, stamps, Victim::Other)?);
        leaders.push(round(&ground, stamps, Victim::Leader)?);
    }
    let rows = vec![
        Row::new("a host dies", others).target(TARGET),
        Row::new("the host that leads dies", leaders).target(TARGET),
    ];
    let title =
        "three hosts, the power of one is cut, until all programs of its units run elsewhere";
    Ok(vec![Table { part: PART, title: title.to_owned(), unit: "s", rows }])
}

/// Seconds.
pub(super) fn round(ground: &Ground, stamps: &Stamps, victim: Victim) -> Result<f64, String> {
    let leader = led(ground)?;
    let others = ground.hosts().into_iter().filter(|host| *host != leader);
    let others: Vec<String> = others.collect();
    let (first, second) = match others.as_slice() {
        [first, second] => (first.clone(), second.clone()),
        _ => return Err("there are not three hosts".to_owned()),
    };
    let (victim, ask) = match victim {
        Victim::Leader => (leader, first),
        Victim::Other => (first, second),
    };
    let more = format!("[X-Fleet]\nReplicas={REPLICAS}\n");
    let path = units::write(stamps, "web@.container", Network::None, &more)?;
    said(&mut ground.ctl(&ask, ["start".as_ref(), path.as_os_str()]))?;
    let lost = units_of(ground, &ask, &victim)?;
    if lost.is_empty() {
        return Err(format!("kill {victim}: none of {REPLICAS} units is there"));
    }
    stamps.clear()?;
    let began = sys::monotonic_nanos();
    ground.play(["kill", &victim])?;
    let ran = stamps.of_all(lost.len(), PATIENCE)?;
    let last = ran.values().max().copied().unwrap_or_default();
    let names: BTreeSet<String> = ran.into_keys().collect();
    if names != lost {
        return Err(format!("kill {victim}: {lost:?} were there, and {names:?} began elsewhere"));
    }
    ground.play(["start", &victim])?;
    ground.until_settled()?;
    said(&mut ground.ctl(&ask, ["destroy", "web@.container"]))?;
    Ok(Duration::from_nanos(last.saturating_sub(began)).as_secs_f64())
}

/// Names without suffix of what runs on a host.
fn units_of(ground: &Ground, ask: &str, host: &str) -> Result<BTreeSet<String>, String> {
    let begun = Instant::now();
    let mut found = BTreeSet::new();
    eventually("every unit's host is known", || {
        found.clear();
        let mut placed = 0;
        for unit in ground.units(ask)? {
            let Some(machine) = &unit.state.machine else { continue };
            placed += 1;
            if ground.host_of(ask, machine)?.as_deref() == Some(host) {
                found.insert(unit.name.trim_end_matches(".container").to_owned());
            }
        }
        Ok(placed == REPLICAS || begun.elapsed() > PATIENCE)
    })?;
    Ok(found)
}
