//! What is printed.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::contender::{self, Contender};
use super::sample::percentile;
use super::stage::Devices;
use super::{Outcome, Row};

/// A table for people.
pub(super) fn text(rows: &[Row], seccomp: bool, rounds: usize) -> String {
    let mut text = String::new();
    let with = if seccomp { "with the default seccomp profile" } else { "without seccomp" };
    let _ = writeln!(
        text,
        "`run` of a program that ends at once, {with}: {rounds} rounds, in milliseconds"
    );
    let _ = writeln!(
        text,
        "{:10}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}  version",
        "", "median", "p95", "least", "/ floor", "cpu", "calls"
    );
    let floor = floor(rows);
    for row in rows {
        let name = row.contender.name;
        match &row.outcome {
            Ok(outcome) => {
                let figures = Figures::of(outcome, floor);
                let calls = figures.calls.map_or("-".to_owned(), |calls| calls.to_string());
                let _ = writeln!(
                    text,
                    "{name:10}{:9.2}{:9.2}{:9.2}{:9.2}{:9.2}{calls:>9}  {}",
                    figures.median,
                    figures.p95,
                    figures.least,
                    figures.ratio,
                    figures.cpu,
                    about(&row.contender)
                );
            }
            Err(error) => {
                let _ = writeln!(text, "{name:10}  not measured: {error}");
            }
        }
    }
    text.push('\n');
    text
}

fn about(contender: &Contender) -> String {
    match contender.devices {
        Devices::Ruled => contender.version.clone(),
        Devices::Free => format!("{}, without device rules: see docs/bench.md", contender.version),
    }
}

/// The same for programs.
pub(super) fn json(tables: &[(bool, Vec<Row>)], rounds: usize) -> Value {
    let tables: Vec<Value> = tables
        .iter()
        .map(|(seccomp, rows)| {
            let floor = floor(rows);
            let rows: Vec<Value> = rows.iter().map(|row| json_row(row, floor)).collect();
            json!({ "seccomp": seccomp, "runtimes": rows })
        })
        .collect();
    json!({ "benchmark": "start", "unit": "ms", "rounds": rounds, "tables": tables })
}

fn json_row(row: &Row, floor: f64) -> Value {
    let contender = &row.contender;
    match &row.outcome {
        Ok(outcome) => {
            let figures = Figures::of(outcome, floor);
            json!({
                "name": contender.name,
                "version": contender.version,
                "device_rules": contender.devices == Devices::Ruled,
                "median": figures.median,
                "p95": figures.p95,
                "least": figures.least,
                "ratio": figures.ratio,
                "cpu": figures.cpu,
                "system_calls": figures.calls,
            })
        }
        Err(error) => json!({ "name": contender.name, "error": error }),
    }
}

/// Milliseconds.
struct Figures {
    median: f64,
    p95: f64,
    least: f64,
    ratio: f64,
    cpu: f64,
    calls: Option<u64>,
}

impl Figures {
    fn of(outcome: &Outcome, floor: f64) -> Figures {
        let wall =
            |percent| millis(percentile(outcome.samples.iter().map(|sample| sample.wall), percent));
        let median = wall(50);
        Figures {
            median,
            p95: wall(95),
            least: wall(0),
            ratio: median / floor,
            cpu: millis(percentile(outcome.samples.iter().map(|sample| sample.cpu), 50)),
            calls: outcome.system_calls,
        }
    }
}

/// The floor's median, not a number if it was not measured.
fn floor(rows: &[Row]) -> f64 {
    rows.iter()
        .find(|row| row.contender.name == contender::FLOOR)
        .and_then(|row| row.outcome.as_ref().ok())
        .map_or(f64::NAN, |outcome| Figures::of(outcome, 1.0).median)
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1000.0
}
