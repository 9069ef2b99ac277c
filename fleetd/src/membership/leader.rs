//! Who decides, as a host knows it that may not be among those who do.

use super::Links;
use super::said::{self, Raft};
use crate::consensus::Consensus;
use crate::core::gossip::{Kind, State};
use crate::core::machine_id::MachineId;

impl Links {
    /// The host to ask: who says that he leads, else any voter that lives. Of those who say it a voter,
    /// since anybody may say it, and the one of the latest generation and term; one that is dead said it
    /// before. One that is no voter, as far as this host knows, may have come to be one.
    pub fn leader(&self, consensus: &Consensus) -> Option<MachineId> {
        // One that was to become a voter, and another did, hears of no leader after that one.
        let followed = consensus.leader().filter(|leader| self.may_live(*leader));
        if followed.is_some() && consensus.has_voter(self.machine) {
            return followed;
        }
        let said = self.gossip.records(None, Kind::Raft).into_iter();
        let said = said.filter_map(|record| Some((said::read::<Raft>(&record)?, record.key.host)));
        let lives = |host: &MachineId| *host != self.machine && self.may_live(*host);
        let leading = said.filter(|(raft, host)| raft.leads && lives(host));
        let view = self.view.borrow();
        let rank = |(raft, host): &(Raft, MachineId)| {
            (view.voters.contains_key(host), raft.generation, raft.term)
        };
        leading.max_by_key(rank).map(|(_, host)| host).or(followed)
    }

    /// Living hosts that say that they lead in a later generation. Anybody may say so; what they hand out
    /// is signed.
    pub fn leaders_after(&self, generation: u64) -> Vec<MachineId> {
        let said = self.gossip.records(None, Kind::Raft).into_iter();
        let said = said.filter_map(|record| Some((said::read::<Raft>(&record)?, record.key.host)));
        let later = said.filter(|(raft, host)| {
            raft.leads && raft.generation > generation && self.may_live(*host)
        });
        later.map(|(_, host)| host).collect()
    }

    /// Any of the voters but this host, for who knows of no leader. Another one with each number.
    pub fn any_voter(&self, number: usize) -> Option<MachineId> {
        let view = self.view.borrow();
        let others = view.voters.keys().filter(|id| **id != self.machine && self.may_live(**id));
        let others: Vec<MachineId> = others.copied().collect();
        others.get(number.checked_rem(others.len())?).copied()
    }

    /// Whether so many of the voters are known to be dead that the others cannot decide.
    pub fn most_voters_are_dead(&self) -> bool {
        let view = self.view.borrow();
        let lives = |id: &&MachineId| **id == self.machine || self.may_live(**id);
        view.voters.keys().filter(lives).count() * 2 <= view.voters.len()
    }

    /// False: it is known to be dead, or to have left.
    pub fn may_live(&self, machine: MachineId) -> bool {
        let seen = self.gossip.seen();
        let seen = seen.borrow();
        let state = seen.members.get(&machine).map(|member| member.state);
        state.is_none_or(|state| matches!(state, State::Alive | State::Suspected))
    }

    /// Until a host is known to be dead.
    pub fn dies(&self, machine: MachineId) -> impl Future<Output = ()> + Send + 'static {
        let mut seen = self.gossip.seen();
        async move {
            let dead = |state| matches!(state, State::Dead | State::Left);
            let is_dead = seen.wait_for(|seen| {
                seen.members.get(&machine).is_some_and(|member| dead(member.state))
            });
            if is_dead.await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
