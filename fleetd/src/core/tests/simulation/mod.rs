//! Whole fleets of the parts that decide, in a world that is modelled: the network, the disks, the
//! clocks, the log of the group, the runtime. The same seed gives the same history.
//!
//! Real are the decided facts and their commands, what the leader decides, the scheduler, the unit
//! files, which sets a host takes over and what it makes of them, the lives of units.
//!
//! | File | Owns |
//! |---|---|
//! | `world` | time, and what happens to whom |
//! | `group` | the log that everybody agrees on |
//! | `host` | a host: its disk, its containers, what its agent does |
//! | `client`, `faults`, `units` | what people do, what goes wrong, what there is to run |
//! | `expected`, `check` | what was acknowledged; what has to hold at every step |
//! | `converged` | what has to hold when all is healed |

pub(crate) mod check;
mod client;
pub(crate) mod converged;
mod expected;
mod faults;
mod group;
pub(crate) mod host;
pub(crate) mod units;
pub(crate) mod world;

use host::{MS, SECOND};
use rand::RngExt as _;
use world::{Happening, World};

/// A life of a fleet: faults and clients for a while, then everything is healed.
fn live_through(seed: u64) -> World {
    let mut world = World::new(seed);
    world.run(SECOND);
    let length = world.rng.random_range(10..60);
    for _ in 0..length {
        if world.rng.random_bool(0.5) {
            world.plan(0, Happening::Client);
        }
        if world.rng.random_bool(0.3) {
            world.plan(0, Happening::Fault);
        }
        let time = world.rng.random_range(0..2 * SECOND);
        world.run(time);
    }
    faults::heal(&mut world);
    converged::wait(&mut world);
    world
}

/// The seeds of a run: these, or the one that `FLOTILLA_SEED` names.
fn seeds(all: std::ops::Range<u64>) -> std::ops::Range<u64> {
    let one = std::env::var("FLOTILLA_SEED").ok();
    one.map_or(all, |seed| {
        let seed: u64 = seed.parse().unwrap();
        seed..seed + 1
    })
}

fn live_through_all(all: std::ops::Range<u64>) {
    let (mut steps, mut time) = (0, 0);
    let began = all.clone();
    for seed in seeds(all) {
        let world = live_through(seed);
        steps += world.steps;
        time += world.now / MS;
    }
    eprintln!("seeds {began:?}: {steps} steps in {} simulated seconds", time / 1000);
}

#[test]
fn some_seeds() {
    live_through_all(0..300);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let mut lines = 0;
    for seed in 0..20 {
        let (one, other) = (live_through(seed), live_through(seed));
        assert_eq!(one.trace, other.trace, "seed {seed}");
        lines += one.trace.len();
    }
    assert!(lines > 1000, "{lines} lines are no history");
    assert_ne!(live_through(3).trace, live_through(10).trace);
}

/// 100,000 seeds, in parts that run side by side.
macro_rules! many_seeds {
    ($($part:ident = $from:literal..$to:literal),*) => {$(
        #[test]
        #[ignore = "soak: 12,500 seeds"]
        fn $part() {
            live_through_all($from..$to);
        }
    )*};
}

many_seeds! {
    many_seeds_1 = 100_000..112_500,
    many_seeds_2 = 112_500..125_000,
    many_seeds_3 = 125_000..137_500,
    many_seeds_4 = 137_500..150_000,
    many_seeds_5 = 150_000..162_500,
    many_seeds_6 = 162_500..175_000,
    many_seeds_7 = 175_000..187_500,
    many_seeds_8 = 187_500..200_000
}
