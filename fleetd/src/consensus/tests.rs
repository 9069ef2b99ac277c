use super::*;
use crate::core::decided::unit;
use crate::store::tests::{fill, small_disk};
use fleetd_api::DesiredState;
use std::path::PathBuf;

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("flotilla-consensus-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

const MACHINE: &str = "00000000000000000000000000000001";

fn submit(unit: &str, text: &str) -> Command {
    let submit = unit::Command::Submit {
        unit: unit.to_owned(),
        text: text.to_owned(),
        drop_ins: std::collections::BTreeMap::new(),
        hash: "abc".to_owned(),
        replace: false,
        desired: Some(DesiredState::Launched),
        made_from: None,
        secrets: Default::default(),
    };
    submit.into()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    let result = runtime.block_on(future);
    // As a killed fleetd: nothing is shut down in order.
    runtime.shutdown_background();
    result
}

/// The file may still be held by a thread of the group before.
async fn start_again(path: &Path) -> Consensus {
    loop {
        match Consensus::start(path, "m2").await {
            Ok((consensus, _)) => return consensus,
            Err(e) if e.contains("already open") => tokio::task::yield_now().await,
            Err(e) => panic!("{e}"),
        }
    }
}

#[test]
fn what_was_answered_is_there_after_the_end() {
    let dir = Dir::new("end");
    let path = dir.0.join("fleetd.redb");
    let before = block_on(async {
        let (consensus, _) = Consensus::start(&path, MACHINE).await.unwrap();
        for n in 0..50 {
            let decision =
                consensus.propose(submit(&format!("u{n}.container"), "x")).await.unwrap();
            assert_eq!((decision.index, decision.outcome), (n + 1, Outcome::Created));
            assert_eq!(consensus.decided().index, n + 1, "it is visible");
        }
        consensus.decided()
    });
    let after = block_on(async { start_again(&path).await.decided() });
    assert_eq!(after, before);
}

#[test]
fn a_refusal_is_the_same_for_everybody_and_changes_nothing() {
    let dir = Dir::new("refusal");
    block_on(async {
        let (consensus, _) = Consensus::start(&dir.0.join("fleetd.redb"), MACHINE).await.unwrap();
        let restart = unit::Command::Restart { unit: "a.container".to_owned() };
        let error = consensus.propose(restart.into()).await.unwrap_err();
        assert!(matches!(error, Error::Refused(Refusal::Unknown { .. })), "{error}");
        assert_eq!(consensus.decided().index, 0);
    });
}

/// Submits units until the disk is full. Gives those that were acknowledged, and the refusal.
async fn submit_until_full(consensus: &Consensus) -> (Vec<String>, Error) {
    let mut answered = Vec::new();
    loop {
        let unit = format!("u{}.container", answered.len());
        match consensus.propose(submit(&unit, &"x".repeat(60_000))).await {
            Ok(_) => answered.push(unit),
            Err(error) => return (answered, error),
        }
    }
}

#[test]
fn on_a_full_disk_units_still_end_and_with_room_everything_goes_on() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: needs root");
        return;
    }
    let disk = small_disk("64m");
    let path = disk.join("fleetd.redb");
    let published = block_on(async {
        let (consensus, _) = Consensus::start(&path, MACHINE).await.unwrap();
        assert_eq!(consensus.disk(), Disk::Room);
        for unit in ["before.container", "ends.container"] {
            consensus.propose(submit(unit, "x")).await.unwrap();
        }
        let filler = disk.join("filler");
        fill(&filler);
        let (answered, error) = submit_until_full(&consensus).await;
        assert!(matches!(&error, Error::Store(e) if e.no_space()), "{error}");
        let mut group = consensus.group.clone();
        group.wait_for(|state| matches!(state, State::Runs(_))).await.unwrap();
        // What was given up does not end in other files.
        fill(&disk.join("filler 2"));
        let error = consensus.propose(submit("still.container", "x")).await.unwrap_err();
        assert!(matches!(error, Error::Full(_)), "{error}");
        assert_eq!(consensus.disk(), Disk::ReserveUsed);
        let destroy = unit::Command::Destroy { unit: "ends.container".to_owned() };
        consensus.propose(destroy.into()).await.unwrap();
        for _ in 0..300 {
            for desired in [DesiredState::Loaded, DesiredState::Launched] {
                let unit = "before.container".to_owned();
                consensus.propose(unit::Command::Desire { unit, desired }.into()).await.unwrap();
            }
        }
        // A fleetd that starts on it finds what was given up, too.
        drop((consensus, group));
        drop(tokio::time::timeout(Duration::from_secs(60), start_again(&path)).await.unwrap());
        fill(&disk.join("filler 3"));
        let again = tokio::time::timeout(Duration::from_secs(60), start_again(&path));
        let consensus = again.await.expect("it starts");
        assert_eq!(consensus.disk(), Disk::ReserveUsed);
        for filler in ["filler", "filler 2", "filler 3"] {
            std::fs::remove_file(disk.join(filler)).unwrap();
        }
        let mut disks = consensus.disks();
        disks.wait_for(|disk| *disk == Disk::Room).await.unwrap();
        consensus.propose(submit("after.container", "x")).await.unwrap();
        let decided = consensus.decided();
        assert!(decided.units["ends.container"].destroyed);
        assert!(answered.iter().all(|unit| decided.units.contains_key(unit)));
        decided
    });
    let after = block_on(async { start_again(&path).await.decided() });
    assert!(after == published, "what is there is not what was answered");
}

#[test]
fn a_start_on_a_full_disk_goes_on_with_the_reserve() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: needs root");
        return;
    }
    let disk = small_disk("32m");
    let path = disk.join("fleetd.redb");
    block_on(async {
        let (consensus, _) = Consensus::start(&path, MACHINE).await.unwrap();
        consensus.propose(submit("u0.container", "x")).await.unwrap();
    });
    take_all_pages(&path);
    fill(&disk.join("filler"));
    block_on(async {
        let again = tokio::time::timeout(Duration::from_secs(60), start_again(&path));
        let consensus = again.await.expect("it starts");
        for number in 0..3000 {
            let desired = [DesiredState::Loaded, DesiredState::Launched][number % 2];
            propose_again(&consensus, || {
                unit::Command::Desire { unit: "u0.container".to_owned(), desired }.into()
            })
            .await;
            if consensus.disk() == Disk::ReserveUsed {
                break;
            }
        }
        assert_eq!(consensus.disk(), Disk::ReserveUsed);
        let destroy = unit::Command::Destroy { unit: "u0.container".to_owned() };
        consensus.propose(destroy.into()).await.unwrap();
    });
}

/// Also if the disk was full, and the reserve helps.
async fn propose_again(consensus: &Consensus, command: impl Fn() -> Command) {
    let mut group = consensus.group.clone();
    while let Err(error) = consensus.propose(command()).await {
        assert!(matches!(&error, Error::Store(e) if e.no_space()), "{error}");
        group.wait_for(|state| matches!(state, State::Runs(_))).await.unwrap();
    }
}

/// So that whoever writes next needs space.
fn take_all_pages(path: &Path) {
    const TAKEN: redb::TableDefinition<u32, &[u8]> = redb::TableDefinition::new("taken");
    let mut number = 0;
    for size in [60_000, 3_000] {
        loop {
            number += 1;
            let taken = store::offline(path, |database| {
                let transaction = database.begin_write()?;
                transaction.open_table(TAKEN)?.insert(number, vec![7; size].as_slice())?;
                Ok(transaction.commit()?)
            });
            match taken {
                Err(error) if error.no_space() => break,
                // The file may still be held by a thread of the group before.
                Err(_) => std::thread::yield_now(),
                Ok(()) => {}
            }
        }
    }
}

/// As a recovery does while no fleetd runs.
fn alone_with(
    path: &Path,
    change: impl Fn(Decided) -> Result<Decided, String>,
) -> Result<(), String> {
    let own: MachineId = MACHINE.parse().unwrap();
    loop {
        match raft::alone::alone(path, own, Voter::default(), &change) {
            // The thread that wrote closes the file a moment later.
            Err(e) if e.contains("already open") => std::thread::yield_now(),
            done => return done,
        }
    }
}

#[test]
fn a_member_goes_on_alone_with_all_of_its_log_or_nothing_is_changed() {
    let dir = Dir::new("alone");
    let path = dir.0.join("fleetd.redb");
    let last = block_on(async {
        let (consensus, _) = Consensus::start(&path, MACHINE).await.unwrap();
        consensus.propose(submit("a.container", "[Container]\n")).await.unwrap();
        consensus.last_log_id()
    });
    assert_eq!(alone_with(&path, |_| Err("no".to_owned())), Err("no".to_owned()));
    let raise = |mut decided: Decided| {
        assert!(decided.units.contains_key("a.container"), "its log counts");
        let above = decided.index;
        decided.apply(&Command::Raise { above }).map_err(|e| e.to_string())?;
        Ok(decided)
    };
    assert_eq!(alone_with(&path, raise), Ok(()));
    block_on(async {
        let consensus = start_again(&path).await;
        let decided = consensus.decided();
        assert!(decided.units.contains_key("a.container"));
        assert_eq!(decided.index / decided::GENERATION, 1, "refused once, raised once");
        consensus.propose(submit("b.container", "[Container]\n")).await.unwrap();
        assert!(consensus.last_log_id() > last, "it goes on where the log ended");
    });
}
