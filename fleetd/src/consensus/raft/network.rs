//! How the members of the group speak to each other: openraft's messages as JSON over a [`Wire`].

use super::{Group, Voter};
use crate::core::machine_id::MachineId;
use openraft::error::{
    InstallSnapshotError, RPCError, RaftError, RemoteError, Timeout, Unreachable,
};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use openraft::{RPCTypes, Raft};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::error::Error;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Which question a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rpc {
    Append,
    Vote,
    Snapshot,
}

/// Carries one message to a member and its answer back.
pub trait Wire: Clone + Send + Sync + 'static {
    fn call(
        &self,
        to: MachineId,
        at: &Voter,
        rpc: Rpc,
        message: Vec<u8>,
    ) -> impl Future<Output = io::Result<Vec<u8>>> + Send;
}

/// Of a fleet of one.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl Wire for Nobody {
    async fn call(&self, to: MachineId, _: &Voter, _: Rpc, _: Vec<u8>) -> io::Result<Vec<u8>> {
        Err(io::Error::other(format!("host {to} is not connected")))
    }
}

/// Answers a message of another member.
pub async fn answer(raft: &Raft<Group>, rpc: Rpc, message: &[u8]) -> io::Result<Vec<u8>> {
    match rpc {
        Rpc::Append => json(&raft.append_entries(parse(message)?).await),
        Rpc::Vote => json(&raft.vote(parse(message)?).await),
        Rpc::Snapshot => json(&raft.install_snapshot(parse(message)?).await),
    }
}

fn json<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(value)?)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    Ok(serde_json::from_slice(bytes)?)
}

/// How long a message whose time is up goes on for the sake of the next one. openraft gives an append
/// no longer than a heartbeat's interval. Ended with that, a handshake or a write that takes longer
/// would begin anew with each message and never come to its end: a busy host would follow nobody.
const LATE: Duration = Duration::from_secs(2);
/// So many to one member at once: one that is late, and one that may find a better connection.
const AT_ONCE: usize = 2;

pub struct Network<W> {
    pub own: MachineId,
    pub wire: W,
}

/// One other member.
pub struct Peer<W> {
    own: MachineId,
    id: MachineId,
    at: Voter,
    wire: W,
    under_way: Arc<Semaphore>,
}

impl<W: Wire> RaftNetworkFactory<Group> for Network<W> {
    type Network = Peer<W>;

    async fn new_client(&mut self, id: MachineId, at: &Voter) -> Peer<W> {
        let under_way = Arc::new(Semaphore::new(AT_ONCE));
        Peer { own: self.own, id, at: at.clone(), wire: self.wire.clone(), under_way }
    }
}

type Failed<E> = RPCError<MachineId, Voter, RaftError<MachineId, E>>;

impl<W: Wire> Peer<W> {
    /// Goes on when nobody waits for the answer any more.
    async fn carry(&self, rpc: Rpc, message: Vec<u8>, within: Duration) -> io::Result<Vec<u8>> {
        let permit = Arc::clone(&self.under_way).acquire_owned().await;
        let (wire, id, at) = (self.wire.clone(), self.id, self.at.clone());
        let call = tokio::spawn(async move {
            let _permit = permit;
            tokio::time::timeout(within, wire.call(id, &at, rpc, message)).await
        });
        call.await.map_err(io::Error::other)?.map_err(io::Error::from)?
    }

    async fn call<Q, A, E>(
        &self,
        (rpc, action): (Rpc, RPCTypes),
        question: &Q,
        option: &RPCOption,
    ) -> Result<A, Failed<E>>
    where
        Q: Serialize,
        A: DeserializeOwned,
        E: Error + DeserializeOwned,
    {
        let unreachable = |e: io::Error| RPCError::Unreachable(Unreachable::new(&e));
        let message = json(question).map_err(unreachable)?;
        let timeout = option.hard_ttl();
        let call = self.carry(rpc, message, timeout.max(LATE));
        let answer = tokio::time::timeout(timeout, call).await.map_err(|_| {
            RPCError::Timeout(Timeout { action, id: self.own, target: self.id, timeout })
        })?;
        let answer: Result<A, RaftError<MachineId, E>> =
            answer.and_then(|bytes| parse(&bytes)).map_err(unreachable)?;
        answer.map_err(|e| RPCError::RemoteError(RemoteError::new(self.id, e)))
    }
}

impl<W: Wire> RaftNetwork<Group> for Peer<W> {
    async fn append_entries(
        &mut self,
        question: AppendEntriesRequest<Group>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<MachineId>, RPCError<MachineId, Voter, RaftError<MachineId>>>
    {
        self.call((Rpc::Append, RPCTypes::AppendEntries), &question, &option).await
    }

    async fn install_snapshot(
        &mut self,
        question: InstallSnapshotRequest<Group>,
        option: RPCOption,
    ) -> Result<InstallSnapshotResponse<MachineId>, Failed<InstallSnapshotError>> {
        self.call((Rpc::Snapshot, RPCTypes::InstallSnapshot), &question, &option).await
    }

    async fn vote(
        &mut self,
        question: VoteRequest<MachineId>,
        option: RPCOption,
    ) -> Result<VoteResponse<MachineId>, RPCError<MachineId, Voter, RaftError<MachineId>>> {
        self.call((Rpc::Vote, RPCTypes::Vote), &question, &option).await
    }
}
