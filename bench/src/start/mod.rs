//! `bench start`: how long `run` of a program that ends at once takes, from the spawn of the runtime to its end, for
//! every runtime on this machine and for the floor.
//!
//! The runtimes take turns in random order, so that what disturbs the machine disturbs all. All get the same
//! bundle, from the same memory file system, in a private mount namespace that has cgroup2 at /sys/fs/cgroup: on a
//! hybrid host the peers would otherwise use cgroup v1, or refuse.

mod bundle;
mod calls;
mod contender;
mod sample;
mod stage;
mod table;

pub(crate) use contender::our_program;
pub(crate) use sample::{Random, percentile_of};

use contender::Contender;
use sample::Sample;
use stage::{Devices, Stage};

/// What the command line asks for.
pub struct Options {
    /// Measured runs of each runtime.
    pub rounds: usize,
    /// Print a document instead of tables.
    pub json: bool,
}

/// Runs that are not measured.
const WARM_UP: usize = 3;

/// What crun says where it lacks CAP_SYS_RESOURCE: before it loads a device filter it raises a limit that kernels
/// since 5.11 do not look at. It is then measured without device rules, which is less to do.
const CANNOT_RAISE_LIMIT: &str = "RLIM_MEMLOCK";

/// What was seen of a contender.
struct Row {
    contender: Contender,
    /// Or why it cannot run the bundle.
    outcome: Result<Outcome, String>,
}

struct Outcome {
    samples: Vec<Sample>,
    /// None without strace.
    system_calls: Option<u64>,
}

/// Measures and prints. An error if something could not be measured that must be: the floor and `ocirun`.
pub fn run(options: &Options) -> Result<(), String> {
    let contenders = contender::find()?;
    let stage = Stage::set()?;
    let mut tables = Vec::new();
    for seccomp in [false, true] {
        bundle::write(&stage, seccomp)?;
        let rows = measure(contenders.clone(), &stage, options.rounds, seccomp);
        if !options.json {
            print!("{}", table::text(&rows, seccomp, options.rounds));
        }
        tables.push((seccomp, rows));
    }
    if options.json {
        println!("{}", table::json(&tables, options.rounds));
    }
    stage.strike()?;
    let ours = tables.iter().flat_map(|(_, rows)| rows).filter(|row| row.contender.is_ours);
    match ours.filter_map(|row| row.outcome.as_ref().err()).next() {
        Some(error) => Err(error.clone()),
        None => Ok(()),
    }
}

fn measure(contenders: Vec<Contender>, stage: &Stage, rounds: usize, seccomp: bool) -> Vec<Row> {
    let mut rows: Vec<Row> = contenders
        .into_iter()
        .map(|mut contender| {
            let mut outcome = prepare(&contender, stage, seccomp);
            if outcome.as_ref().is_err_and(|error| error.contains(CANNOT_RAISE_LIMIT)) {
                contender.devices = Devices::Free;
                outcome = prepare(&contender, stage, seccomp);
            }
            Row { contender, outcome }
        })
        .collect();
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let mut random = sample::Random::seeded();
    for _ in 0..rounds {
        random.shuffle(&mut order);
        for &at in &order {
            let row = &mut rows[at];
            let Ok(outcome) = &mut row.outcome else { continue };
            match row.contender.run(stage, seccomp) {
                Ok(sample) => outcome.samples.push(sample),
                Err(error) => row.outcome = Err(error),
            }
        }
    }
    rows
}

fn prepare(contender: &Contender, stage: &Stage, seccomp: bool) -> Result<Outcome, String> {
    for _ in 0..WARM_UP {
        contender.run(stage, seccomp)?;
    }
    let system_calls = calls::count(contender, stage, seccomp)?;
    Ok(Outcome { samples: Vec::new(), system_calls })
}
