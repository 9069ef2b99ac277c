//! Parts `scheduler`, `large` and `gossip`: fleets that are simulated in one process, by benchmarks of fleetd's
//! own (`fleetd/benches/`, `fleetd/src/gossip/tests/measure.rs`), which print a line a row. cargo builds and
//! runs them.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use super::ground::said;
use super::table::{Row, Table};

pub(super) const SCHEDULER: &str = "scheduler";
pub(super) const LARGE: &str = "large";
pub(super) const GOSSIP: &str = "gossip";

/// A line of their output.
#[derive(Deserialize)]
struct Line {
    name: String,
    samples: Vec<f64>,
}

/// Where hosts and units are told apart by rules that look at other units, fewer are asked for.
const APART: &str = "Conflicts=";
const PLACES: f64 = 10_000.0;
const PLACES_APART: f64 = 2_000.0;

pub(super) fn scheduler() -> Result<Vec<Table>, String> {
    let rows = lines(&["bench", "--quiet", "-p", "fleetd", "--bench", "schedule", "--", "--json"])?
        .into_iter()
        .map(|line| {
            let least = if line.name.contains(APART) { PLACES_APART } else { PLACES };
            Row::new(line.name, line.samples).at_least(least)
        });
    let title = "places found by the scheduler alone on 5,000 hosts, one core";
    let rows = rows.collect();
    Ok(vec![Table { part: SCHEDULER, title: title.to_owned(), unit: "places/s", rows }])
}

pub(super) fn large() -> Result<Vec<Table>, String> {
    let rows = lines(&["bench", "--quiet", "-p", "fleetd", "--bench", "fleet", "--", "--json"])?
        .into_iter()
        .map(|line| Row::new(line.name, line.samples).target(0.5));
    let title = "until every host has its set, checked and on disk; stub agents, see docs/bench.md";
    let rows = rows.collect();
    Ok(vec![Table { part: LARGE, title: title.to_owned(), unit: "s", rows }])
}

/// In simulated seconds: how long anything takes on this machine does not come into it.
pub(super) fn gossip() -> Result<Vec<Table>, String> {
    const TEST: &str = "gossip::tests::measure::figures";
    let test = ["test", "--quiet", "-p", "fleetd", "--lib", TEST];
    let rows = lines(&[&test[..], &["--", "--ignored", "--nocapture"]].concat())?;
    let rows = rows.into_iter().map(|line| Row::new(line.name, line.samples));
    let (times, rates) = rows.partition(|row| row.name.contains("until"));
    let table =
        |title: &str, unit, rows| Table { part: GOSSIP, title: title.to_owned(), unit, rows };
    Ok(vec![
        table("a thousand simulated hosts, in simulated time", "s", times),
        table("each of a thousand simulated hosts, with the headers of IP and UDP", "/s", rates),
    ])
}

fn lines(arguments: &[&str]) -> Result<Vec<Line>, String> {
    let mut cargo = Command::new("cargo");
    cargo.args(arguments).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    let text = said(&mut cargo)?;
    let lines = text.lines().filter(|line| line.starts_with('{')).map(serde_json::from_str);
    let lines: Vec<Line> =
        lines.collect::<Result<_, _>>().map_err(|error| format!("read what cargo ran: {error}"))?;
    match lines.is_empty() {
        true => Err(format!("cargo {}: it printed no line of figures", arguments.join(" "))),
        false => Ok(lines),
    }
}
