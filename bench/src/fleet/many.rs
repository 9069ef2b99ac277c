//! Part `many`: real containers on one host, from the spawn of the client until the last program runs.

use std::process::Stdio;
use std::time::Duration;

use super::ground::{Ground, eventually, said};
use super::stamps::Stamps;
use super::table::{Row, Table};
use super::units::{self, Network};
use crate::sys;

pub(super) const PART: &str = "many";
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) fn run(stamps: &Stamps, rounds: usize) -> Result<Vec<Table>, String> {
    let ground = Ground::up("many", 1)?;
    ground.import(&units::root(stamps)?, units::IMAGE)?;
    let mut rows = vec![
        Row::new("50, Network=none", Vec::new()),
        Row::new("200, Network=none", Vec::new()),
        Row::new("200, an address each", Vec::new()),
    ];
    let kinds = [(50, Network::None), (200, Network::None), (200, Network::Default)];
    for _ in 0..rounds.div_ceil(10).max(3) {
        for (row, (count, network)) in rows.iter_mut().zip(kinds) {
            row.samples.push(start(&ground, stamps, count, network)?);
        }
    }
    let title = "replicas of one unit on one host, from the spawn of the client until all run";
    Ok(vec![Table { part: PART, title: title.to_owned(), unit: "s", rows }])
}

/// Seconds.
pub(super) fn start(
    ground: &Ground,
    stamps: &Stamps,
    count: usize,
    network: Network,
) -> Result<f64, String> {
    let more = format!("[X-Fleet]\nReplicas={count}\n");
    let path = units::write(stamps, "many@.container", network, &more)?;
    stamps.clear()?;
    let began = sys::monotonic_nanos();
    let mut client = ground.ctl("h1", ["start".as_ref(), path.as_os_str()]);
    let client = client.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut client = client.map_err(|error| format!("run fleetctl: {error}"))?;
    let ran = stamps.of_all(count, PATIENCE);
    let status = client.wait().map_err(|error| format!("wait for fleetctl: {error}"))?;
    if !status.success() {
        return Err(format!("fleetctl start of {count} replicas: {status}"));
    }
    let last = ran?.into_values().max().unwrap_or_default();
    said(&mut ground.ctl("h1", ["destroy", "many@.container"]))?;
    eventually("nothing of them is left", || Ok(ground.units("h1")?.is_empty()))?;
    Ok(Duration::from_nanos(last.saturating_sub(began)).as_secs_f64())
}
