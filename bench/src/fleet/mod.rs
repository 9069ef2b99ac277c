//! `bench fleet`: what a fleet does and how long it takes, part by part.
//!
//! | File | Owns |
//! |---|---|
//! | `start` | one unit, from the client to the program |
//! | `failover` | a host dies |
//! | `many` | as many containers as one host gets at once |
//! | `idle` | what daemons take that have nothing to do |
//! | `swarm` | the same beside a peer |
//! | `benches` | what fleetd's own benchmarks say of fleets that are simulated |
//! | `ground`, `events` | hosts of a playground, and what they tell |
//! | `units`, `stamps`, `bare` | what is started, when it says that it runs, and the same without a fleet |
//! | `table` | what is printed |
//! | `undo` | nothing stays behind |

mod bare;
mod benches;
mod events;
mod failover;
mod ground;
mod idle;
mod many;
mod stamps;
mod start;
mod swarm;
mod table;
mod undo;
mod units;

use serde_json::json;
use stamps::Stamps;
use table::Table;

/// What the command line asks for.
pub struct Options {
    /// Of what is measured again and again.
    pub rounds: usize,
    /// Print a document instead of tables.
    pub json: bool,
    /// One of [`PARTS`]; none: all of them.
    pub only: Option<String>,
}

/// In their order.
pub const PARTS: [&str; 8] = [
    start::PART,
    failover::PART,
    many::PART,
    idle::PART,
    swarm::PART,
    benches::SCHEDULER,
    benches::LARGE,
    benches::GOSSIP,
];

/// Measures and prints. A part that fails does not keep the others from being measured.
pub fn run(options: &Options) -> Result<(), String> {
    undo::at_signals()?;
    let stamps = Stamps::listen()?;
    let mut tables = Vec::new();
    let mut failed = Vec::new();
    for part in PARTS {
        if options.only.as_deref().is_some_and(|only| only != part) {
            continue;
        }
        match measure(part, &stamps, options.rounds) {
            Ok(of_part) => {
                if !options.json {
                    of_part.iter().for_each(|table| print!("{}", table.text()));
                }
                tables.extend(of_part);
            }
            Err(error) => {
                eprintln!("flotilla-bench: {part}: {error}");
                failed.push(part);
            }
        }
    }
    if options.json {
        let tables: Vec<_> = tables.iter().map(Table::json).collect();
        println!("{}", json!({ "benchmark": "fleet", "tables": tables }));
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(format!("not measured: {}", failed.join(", "))),
    }
}

fn measure(part: &str, stamps: &Stamps, rounds: usize) -> Result<Vec<Table>, String> {
    match part {
        start::PART => start::run(stamps, rounds),
        failover::PART => failover::run(stamps, rounds),
        many::PART => many::run(stamps, rounds),
        idle::PART => idle::run(stamps),
        swarm::PART => swarm::run(stamps, rounds),
        benches::SCHEDULER => benches::scheduler(),
        benches::LARGE => benches::large(),
        benches::GOSSIP => benches::gossip(),
        _ => Err("there is no such part".to_owned()),
    }
}
