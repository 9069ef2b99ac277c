use super::log::Log;
use super::machine::Machine;
use super::network::{Network, Rpc, Wire};
use super::*;
use crate::store::writer::Writer;
use openraft::error::RaftError;
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{VoteRequest, VoteResponse};
use openraft::testing::{StoreBuilder, Suite};
use openraft::{StorageError, Vote};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::SetOnce;

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

/// A member to whom a handshake takes `handshake`: whoever gives up before begins anew.
#[derive(Clone, Default)]
struct Busy {
    handshake: Duration,
    connected: Arc<SetOnce<()>>,
    under_way: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

/// Is under way until it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Wire for Busy {
    async fn call(&self, _: MachineId, _: &Voter, _: Rpc, _: Vec<u8>) -> io::Result<Vec<u8>> {
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(under_way, Ordering::SeqCst);
        let _counted = Counted(Arc::clone(&self.under_way));
        if !self.connected.initialized() {
            tokio::time::sleep(self.handshake).await;
            let _ = self.connected.set(());
        }
        let response: Result<_, RaftError<MachineId>> =
            Ok(VoteResponse::<MachineId>::new(Vote::default(), None, true));
        Ok(serde_json::to_vec(&response)?)
    }
}

/// How many messages, each with 200 ms, it takes until one is answered.
async fn until_answered(wire: &Busy) -> Option<usize> {
    let [own, other] = [1, 2].map(MachineId);
    let at = Voter { address: "127.0.0.1:7400".to_owned() };
    let mut network = Network { own, wire: wire.clone() };
    let mut peer = network.new_client(other, &at).await;
    for sent in 1..=20 {
        let option = RPCOption::new(Duration::from_millis(200));
        if peer.vote(VoteRequest::new(Vote::default(), None), option).await.is_ok() {
            return Some(sent);
        }
    }
    None
}

#[tokio::test(start_paused = true)]
async fn a_member_that_takes_longer_than_a_message_has_is_reached_in_the_end() {
    let wire = Busy { handshake: Duration::from_millis(1500), ..Busy::default() };
    assert_eq!(until_answered(&wire).await, Some(8));
    assert_eq!(wire.most.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_never_answers_is_asked_no_more_than_twice_at_once() {
    let wire = Busy { handshake: Duration::from_secs(1 << 20), ..Busy::default() };
    assert_eq!(until_answered(&wire).await, None);
    assert_eq!(wire.most.load(Ordering::SeqCst), 2);
}
