//! Whole fleets of whole daemons, in one process that simulates time, network, disks and randomness.
//! The same seed gives the same history.
//!
//! Real is everything of fleetd but the agent: how hosts come into a fleet, TLS, HTTP, Raft on its
//! database, gossip, sets on their way. In the place of the agent and its containers is the host of
//! the [pure simulation](crate::core), which lives by the same rules.
//!
//! A seed is a process of its own: runtimes and libraries count and draw per process, and a fault of
//! one leaves the others alone.
//!
//! | File | Owns |
//! |---|---|
//! | `drive` | one life of a fleet, step by step; crashes and starts |
//! | `world` | what is known of all hosts, and the trace |
//! | `host`, `agent` | one host: its fleetd, and what stands for the agent |
//! | `sockets`, `wall` | the network and the clocks, as fleetd sees them |
//! | `clients`, `faults` | what people do, and what goes wrong |
//! | `registers`, `check` | what was acknowledged; what has to hold at every step |
//! | `converged` | what has to hold when all is healed |

mod agent;
mod check;
mod clients;
mod converged;
mod drive;
mod faults;
mod host;
mod registers;
pub(crate) mod sockets;
mod wall;
mod world;

pub(crate) use world::published;

use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::cell::RefCell;
use std::process::{Command, Stdio};
use std::time::Duration;

thread_local! {
    static RNG: RefCell<StdRng> = RefCell::new(StdRng::seed_from_u64(0));
}

/// Draws from the seed.
pub(super) fn draw<T>(from: impl FnOnce(&mut StdRng) -> T) -> T {
    RNG.with_borrow_mut(from)
}

/// How long a commit to a simulated disk takes.
pub(crate) fn commit_takes() -> Duration {
    let slow = draw(|rng| rng.random_bool(0.02));
    Duration::from_micros(draw(|rng| rng.random_range(100..if slow { 50_000 } else { 5_000 })))
}

/// Lives through one seed in this process, and says what happened.
fn live_through(seed: u64) {
    let life = std::thread::spawn(move || {
        // Whichever task it is of: without it the rest would only wait.
        std::panic::set_hook(Box::new(|panic| world::fail(&panic.to_string())));
        RNG.set(StdRng::seed_from_u64(seed));
        let drawn = draw(|rng| rng.next_u64());
        crate::sys::simulated::begin(drawn, wall::now);
        drive::live();
    });
    life.join().unwrap();
}

const ONE: &str = "simulation::one_seed";

/// The same in a process of its own. Gives what it says.
fn begin(seed: u64) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", ONE, "--nocapture", "--include-ignored"]);
    command.env("FLOTILLA_SEED", seed.to_string()).env("FLOTILLA_TRACE", "1");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn end(seed: u64, child: std::process::Child) -> String {
    let output = child.wait_with_output().unwrap();
    let trace = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let lines: Vec<&str> = trace.lines().collect();
        let tail = lines[lines.len().saturating_sub(60)..].join("\n  ");
        panic!(
            "{}\nseed {seed}, after\n  {tail}\nsee it again: FLOTILLA_SEED={seed} cargo test -p fleetd --lib \
             {ONE} -- --exact --include-ignored --nocapture",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    trace
}

/// As many at a time as there are processors. All are lived through, whatever becomes of one.
fn live_through_all(all: std::ops::Range<u64>) {
    let next = std::sync::Mutex::new(seeds(all));
    let next = || next.lock().unwrap().next();
    let failed = std::sync::Mutex::new(Vec::new());
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(|| {
                while let Some(seed) = next() {
                    if std::panic::catch_unwind(|| end(seed, begin(seed))).is_err() {
                        failed.lock().unwrap().push(seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "seeds that failed: {failed:?}");
}

/// The seeds of a run: these, or the one that `FLOTILLA_SEED` names.
fn seeds(all: std::ops::Range<u64>) -> std::ops::Range<u64> {
    let one = std::env::var("FLOTILLA_SEED").ok();
    one.map_or(all, |seed| {
        let seed: u64 = seed.parse().unwrap();
        seed..seed + 1
    })
}

#[test]
#[ignore = "soak: one seed, which the others begin as a process"]
fn one_seed() {
    seeds(0..1).for_each(live_through);
}

#[test]
fn some_seeds() {
    live_through_all(0..30);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..4 {
        let (one, other) = (begin(seed), begin(seed));
        let (one, other) = (end(seed, one), end(seed, other));
        let both = one.lines().zip(other.lines());
        let differ = both.enumerate().find(|(_, (one, other))| {
            one != other && !one.starts_with("test result") && !one.starts_with("running")
        });
        assert!(differ.is_none(), "seed {seed}: {differ:?}");
        assert!(one.lines().count() > 100, "seed {seed} has no history");
    }
}

#[test]
#[ignore = "soak: 1,000 seeds"]
fn many_seeds() {
    live_through_all(1_000..2_000);
}
