//! `flotilla-bench start [--rounds N] [--json]`, `flotilla-bench fleet [--rounds N] [--only PART] [--json]`

use std::process::ExitCode;

use bench::{fleet, start};

const USAGE: &str = "usage: flotilla-bench start [--rounds N] [--json]
       flotilla-bench fleet [--rounds N] [--only PART] [--json]";

enum Benchmark {
    Start(start::Options),
    Fleet(fleet::Options),
}

fn main() -> ExitCode {
    let result = match options(std::env::args().skip(1)) {
        Ok(Benchmark::Start(options)) => start::run(&options),
        Ok(Benchmark::Fleet(options)) => fleet::run(&options),
        Err(error) => {
            eprintln!("flotilla-bench: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flotilla-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Benchmark, String> {
    let name = words.next();
    let (mut rounds, mut json, mut only) = (None, false, None);
    let is_fleet = match name.as_deref() {
        Some("start") => false,
        Some("fleet") => true,
        _ => return Err("name a benchmark".into()),
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => json = true,
            "--rounds" => rounds = Some(number(&words.next().unwrap_or_default())?),
            "--only" if is_fleet => only = Some(part(words.next().unwrap_or_default())?),
            _ => return Err(format!("unknown argument {word:?}")),
        }
    }
    Ok(match is_fleet {
        false => Benchmark::Start(start::Options { rounds: rounds.unwrap_or(100), json }),
        true => Benchmark::Fleet(fleet::Options { rounds: rounds.unwrap_or(50), json, only }),
    })
}

fn number(rounds: &str) -> Result<usize, String> {
    let number = rounds.parse().ok().filter(|rounds| (1..=100_000).contains(rounds));
    number.ok_or_else(|| format!("--rounds {rounds:?}: must be 1 to 100000"))
}

fn part(name: String) -> Result<String, String> {
    match fleet::PARTS.contains(&name.as_str()) {
        true => Ok(name),
        false => Err(format!("--only {name:?}: must be one of {}", fleet::PARTS.join(", "))),
    }
}
