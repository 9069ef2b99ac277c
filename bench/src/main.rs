//! `flotilla-bench start [--rounds N] [--json]`

use std::process::ExitCode;

const USAGE: &str = "usage: flotilla-bench start [--rounds N] [--json]";

fn main() -> ExitCode {
    match options(std::env::args().skip(1)) {
        Ok(options) => match bench::start::run(&options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("flotilla-bench: {error}");
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprintln!("flotilla-bench: {error}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn options(mut words: impl Iterator<Item = String>) -> Result<bench::start::Options, String> {
    if words.next().as_deref() != Some("start") {
        return Err("name a benchmark".into());
    }
    let mut options = bench::start::Options { rounds: 100, json: false };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => options.json = true,
            "--rounds" => {
                let rounds = words.next().unwrap_or_default();
                options.rounds = rounds
                    .parse()
                    .ok()
                    .filter(|rounds| (1..=100_000).contains(rounds))
                    .ok_or_else(|| format!("--rounds {rounds:?}: must be 1 to 100000"))?;
            }
            _ => return Err(format!("unknown argument {word:?}")),
        }
    }
    Ok(options)
}
