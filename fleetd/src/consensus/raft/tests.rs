use super::log::Log;
use super::machine::Machine;
use super::*;
use crate::store::writer::Writer;
use openraft::StorageError;
use openraft::testing::{StoreBuilder, Suite};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) struct Dir(pub(crate) PathBuf);

impl Dir {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("flotilla-raft-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn open(dir: &Dir) -> (Log, Machine) {
    let (store, _) = crate::store::Store::open(&dir.0.join("fleetd.redb"), "m").unwrap();
    let database = Arc::new(store.database);
    let writer = Writer::start(Arc::clone(&database)).unwrap();
    let (publish, _) = tokio::sync::watch::channel(Arc::default());
    let machine = Machine::open(&database, writer.clone(), store.decided, publish).unwrap();
    (Log::open(database, writer).unwrap(), machine)
}

struct Fresh;

impl StoreBuilder<Group, Log, Machine, Dir> for Fresh {
    async fn build(&self) -> Result<(Dir, Log, Machine), StorageError<MachineId>> {
        let dir = Dir::new();
        let (log, machine) = open(&dir);
        Ok((dir, log, machine))
    }
}

/// The checks that openraft has for a storage.
#[test]
fn the_storage_keeps_openrafts_promises() {
    Suite::test_all(Fresh).unwrap();
}
