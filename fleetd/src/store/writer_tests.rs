//! Power cuts and failing disks, from many seeds: the database lies on a disk in memory that loses what
//! was not synced, whole or in part, and refuses writes. What the group does with it is done here in
//! the same order: an entry of the log is acknowledged when it is written durably, what follows from it
//! is written soon.

use super::*;
use crate::core::decided::{Command, Decided, machine, unit};
use crate::core::machine_id::MachineId;
use crate::store::key::Key;
use crate::store::sealed::Sealed;
use crate::store::simulated::Disk;
use crate::store::{facts, log};
use fleetd_api::DesiredState;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// A host's database as the group uses it.
struct Group {
    disk: Disk,
    database: Database,
    failure: Failure,
    decided: Decided,
    /// All entries that are in the log; those that were acknowledged.
    entries: Vec<Command>,
    acknowledged: usize,
    waiting: Vec<Job>,
}

impl Group {
    /// Opens what is on the disk, and goes on from there as a fleetd does: facts first, then what the
    /// log has beyond them.
    fn open(disk: Disk, known: Vec<Command>, acknowledged: usize) -> Result<Self, String> {
        let sealed = Sealed::over(disk.clone(), Key::of("store.key".into(), [7; 64]));
        let database = redb::Builder::new().create_with_backend(sealed);
        let database = database.map_err(|e| e.to_string())?;
        crate::store::begin(&database, "m").map_err(|e| e.to_string())?;
        let mut decided = facts::read(&database).map_err(|e| e.to_string())?;
        let applied: u64 = log::get(&database, "applied").map_err(|e| e.to_string())?.unwrap_or(0);
        let entries: Vec<(u64, Command)> = log::read(&database, 1..).map_err(|e| e.to_string())?;
        if entries.len() < acknowledged {
            return Err(format!("{} entries of {acknowledged} acknowledged", entries.len()));
        }
        let (mut log, mut waiting) = (Vec::new(), Vec::new());
        for ((index, entry), number) in entries.into_iter().zip(1..) {
            if index != number {
                return Err(format!("entry {index} is where {number} was"));
            }
            if known.get(log.len()).is_some_and(|known| *known != entry) {
                return Err(format!("entry {index} is another one than was written"));
            }
            if index > applied {
                waiting.push(apply(&mut decided, &entry, index));
            }
            log.push(entry);
        }
        let mut again = Decided::default();
        log.iter().for_each(|command| drop(again.apply(command)));
        if again != decided {
            return Err(format!("facts of {applied} and the log do not fit together"));
        }
        let failure = Failure::default();
        Ok(Self { disk, database, failure, decided, entries: log, acknowledged, waiting })
    }

    /// Decides on a command; false: the disk has failed.
    fn propose(&mut self, command: Command) -> bool {
        self.entries.push(command.clone());
        let index = self.entries.len() as u64;
        let bytes = log::json(&command).unwrap();
        let work: Work = Box::new(move |to| log::append(to, &[(index, bytes)]));
        let told = Arc::new(Mutex::new(None));
        let tell = Arc::clone(&told);
        let done: Done = Box::new(move |result| *tell.lock().unwrap() = Some(result.is_ok()));
        self.waiting.push(Job { work, done: Some(done) });
        write(&self.database, std::mem::take(&mut self.waiting), &self.failure);
        if told.lock().unwrap().take() != Some(true) {
            return false;
        }
        self.acknowledged = self.entries.len();
        self.waiting.push(apply(&mut self.decided, &command, index));
        true
    }
}

/// What follows from an entry, to be written soon.
fn apply(decided: &mut Decided, command: &Command, index: u64) -> Job {
    let before = decided.clone();
    let _ = decided.apply(command);
    let after = decided.clone();
    let work: Work = Box::new(move |to| {
        facts::write(to, &before, &after)?;
        log::put(to, "applied", &log::json(&index)?)
    });
    Job { work, done: None }
}

fn command(rng: &mut StdRng) -> Command {
    let unit = format!("u{}.container", rng.random_range(0..20));
    match rng.random_range(0..4) {
        0 => {
            let machine = MachineId(rng.random_range(0..5));
            machine::Command::Join { machine, address: unit, key: None }.into()
        }
        1 => unit::Command::Destroy { unit }.into(),
        _ => {
            let text = "x".repeat(rng.random_range(0..20_000));
            let hash = rng.random_range(0..1000).to_string();
            let (drop_ins, desired) = (Default::default(), Some(DesiredState::Launched));
            let replace = true;
            unit::Command::Submit {
                unit,
                text,
                drop_ins,
                hash,
                replace,
                desired,
                made_from: None,
                secrets: Default::default(),
            }
            .into()
        }
    }
}

/// Gives what was acknowledged in the end.
fn live_through(seed: u64) -> Vec<Command> {
    let mut rng = StdRng::seed_from_u64(seed);
    let fail = |fault: String| -> ! { panic!("seed {seed}: {fault}") };
    let mut group = Group::open(Disk::default(), Vec::new(), 0).unwrap_or_else(|e| fail(e));
    for _ in 0..rng.random_range(2..6) {
        if rng.random_bool(0.5) {
            group.disk.content().good = Some(rng.random_range(0..60));
        }
        for _ in 0..rng.random_range(0..15) {
            if !group.propose(command(&mut rng)) {
                // After the first error nothing is acknowledged any more, whatever the disk says then.
                group.disk.content().good = None;
                assert!(!group.propose(command(&mut rng)), "seed {seed}");
                group.entries.pop();
                break;
            }
        }
        let Group { disk, database, entries, acknowledged, .. } = group;
        let after = disk.crash(&mut rng);
        // The process has died: what its end would still write is written nowhere.
        disk.content().good = Some(0);
        drop(database);
        group = Group::open(after, entries, acknowledged).unwrap_or_else(|e| fail(e));
    }
    group.entries
}

#[test]
fn what_was_acknowledged_is_there_after_power_cuts_and_full_disks() {
    let seeds = match std::env::var("FLOTILLA_SEED") {
        Ok(seed) => {
            let seed: u64 = seed.parse().unwrap();
            seed..seed + 1
        }
        Err(_) => 0..200,
    };
    let kept: usize = seeds.map(|seed| live_through(seed).len()).sum();
    assert!(kept > 0);
}

#[test]
fn the_same_seed_leaves_the_same_log() {
    (0..10).for_each(|seed| assert_eq!(live_through(seed), live_through(seed), "seed {seed}"));
}

#[test]
#[ignore = "soak: 10,000 seeds"]
fn what_was_acknowledged_is_there_after_power_cuts_for_many_seeds() {
    (10_000..20_000).for_each(|seed| drop(live_through(seed)));
}
