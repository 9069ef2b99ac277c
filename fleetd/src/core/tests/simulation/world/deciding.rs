//! The group that decides, as far as its hosts, its network and its leader are the world's.

use super::super::faults;
use super::super::group::Proposer;
use super::super::host::{MS, SECOND, Time};
use super::{Happening, World};
use crate::core::decided::{Command, Decided, Outcome, Refusal};
use crate::core::machine_id::MachineId;
use rand::RngExt as _;
use std::collections::BTreeSet;
use std::sync::Arc;

const TICK: Time = 500 * MS;
/// A host that has come back goes on by itself if it can ask nobody for so long.
const ALONE: Time = 10 * SECOND;

impl World {
    pub(super) fn voters(&self) -> &BTreeSet<MachineId> {
        &self.group.members
    }

    pub(super) fn is_voter(&self, host: usize) -> bool {
        self.group.members.contains(&self.hosts[host].id)
    }

    /// Whether a voter could decide now: most of the members are there for it.
    pub(super) fn has_quorum(&self, host: usize) -> bool {
        self.hosts[host].is_up() && self.is_voter(host) && self.has_most(host, self.voters())
    }

    /// Whether most of these are there for a host. Nobody speaks with one that was removed.
    pub(super) fn has_most(&self, host: usize, of: &BTreeSet<MachineId>) -> bool {
        let decided = self.group.now();
        let there = of.iter().filter(|id| decided.machines.contains_key(*id));
        let there = there.filter_map(|id| self.host_of(*id)).filter(|other| {
            self.hosts[*other].is_up() && (*other == host || self.reaches(host, *other))
        });
        there.count() * 2 > of.len()
    }

    /// The members become those that were decided on, if most of both are there.
    pub(super) fn change_members(&mut self, leader: usize) {
        let decided = &self.group.history[self.hosts[leader].applied];
        let wanted = decided.fleet.as_ref().map(|fleet| fleet.voters.clone()).unwrap_or_default();
        if wanted != self.group.members
            && self.has_quorum(leader)
            && self.has_most(leader, &wanted)
            && wanted.contains(&self.hosts[leader].id)
        {
            self.say(format!("the members are {wanted:?}"));
            self.group.members = wanted;
        }
    }

    pub(super) fn tick(&mut self) {
        self.plan(TICK, Happening::Tick);
        self.elect();
        for host in 0..self.hosts.len() {
            if !self.hosts[host].is_up() {
                continue;
            }
            self.turn(host, |host, now, out| {
                host.keep(out);
                host.wake(now, out);
            });
            self.confirm(host);
            if self.rng.random_bool(0.3) {
                self.plan(0, Happening::Fetch { host });
            }
            if self.rng.random_bool(0.3) {
                self.tell(host);
            }
            // What is missing of the log comes with the leader's next message.
            if let Some(leader) = self.group.leader
                && self.reaches(leader, host)
                && self.is_voter(host)
            {
                let position = self.group.position();
                self.plan(0, Happening::Apply { host, position });
            }
            self.look(host);
        }
    }

    /// A host that has come back asks the leader for the newest set before it begins anything.
    pub(super) fn confirm(&mut self, host: usize) {
        let at = &self.hosts[host];
        if at.confirmed {
            return;
        }
        let id = at.id;
        let leader = self.group.leader.filter(|leader| self.has_quorum(*leader));
        let belongs = self.group.now().machines.contains_key(&id);
        let reaches = |leader| leader == host || self.reaches(host, leader);
        let answers = belongs && leader.is_some_and(reaches);
        if answers && self.rng.random_bool(0.7) {
            let decided = Arc::clone(self.group.now());
            if decided.sets.get(&id).is_some_and(|newest| *newest > self.hosts[host].set.index) {
                self.take_over(host, decided.set(id));
            }
            self.check.confirmed(&self.hosts[host]);
        } else if self.now - self.hosts[host].came < ALONE {
            return;
        }
        self.turn(host, |host, now, out| host.confirm(now, out));
    }

    pub(super) fn elect(&mut self) {
        if let Some(leader) = self.group.leader {
            if self.has_quorum(leader) {
                self.hosts[leader].leads_until = self.now + 2 * SECOND;
                self.change_members(leader);
                return;
            }
            self.group.leader = None;
        }
        let able: Vec<usize> =
            (0..self.hosts.len()).filter(|host| self.has_quorum(*host)).collect();
        if able.is_empty() || self.rng.random_bool(0.3) {
            return;
        }
        let leader = able[self.rng.random_range(0..able.len())];
        self.group.leader = Some(leader);
        self.group.term += 1;
        self.hosts[leader].leads_until = self.now + 2 * SECOND;
        let term = self.group.term;
        self.say(format!("h{leader} leads in term {term}"));
        // What the one before has proposed is in the log of the new one, or it never is.
        if let Some((command, from)) = self.group.uncertain.take()
            && self.rng.random_bool(0.5)
            && !faults::ends_the_fleet(self, &command)
        {
            self.commit(leader, command, from);
        }
    }

    pub(in super::super) fn believes(&self, host: usize) -> bool {
        self.group.leader == Some(host) || self.hosts[host].leads_until > self.now
    }

    pub(super) fn apply(&mut self, host: usize, position: usize) {
        let position = position.min(self.group.position());
        let at = &mut self.hosts[host];
        if !at.is_up() || at.applied >= position {
            return;
        }
        at.applied = position;
        let decided = Arc::clone(&self.group.history[position]);
        let (id, have) = (at.id, at.set.index);
        if decided.sets.get(&id).is_some_and(|newest| *newest > have) {
            self.take_over(host, decided.set(id));
        }
        self.look(host);
    }

    pub(in super::super) fn propose(&mut self, host: usize, command: Command, from: Proposer) {
        let (life, term) = (self.hosts[host].life, self.group.term);
        let after = self.rng.random_range(MS..self.network.delay.max(2 * MS));
        self.plan(after, Happening::Decide { host, life, term, command, from });
    }

    pub(super) fn decide(
        &mut self,
        host: usize,
        (life, term): (u64, u64),
        command: Command,
        from: Proposer,
    ) {
        if faults::ends_the_fleet(self, &command) {
            return;
        }
        let current = self.group.leader == Some(host) && self.group.term == term;
        if current && self.lives(host, life) && self.has_quorum(host) {
            self.commit(host, command, from);
        } else if self.group.term == term && self.group.uncertain.is_none() {
            self.group.uncertain = Some((command, from));
        }
        if self.hosts[host].life == life {
            match from {
                Proposer::Leader => self.hosts[host].is_deciding = false,
                Proposer::Voters => self.hosts[host].is_changing = false,
                Proposer::Client => {}
            }
            self.look(host);
        }
    }

    pub(super) fn commit(&mut self, leader: usize, command: Command, from: Proposer) {
        self.group.uncertain = None;
        let before = Arc::clone(self.group.now());
        let words = format!("{command:?}");
        let result = self.group.commit(command, from);
        let index = self.group.now().index;
        let short: String = words.chars().take(400).collect();
        self.say(format!("decides {index} by h{leader} ({from:?}): {result:?}: {short}"));
        let bad = match (from, &result) {
            (Proposer::Leader, Ok(Outcome::Same)) => {
                self.group.log.len() == self.hosts[leader].applied + 1
            }
            (Proposer::Leader, Err(refusal)) => !matches!(refusal, Refusal::Newer { .. }),
            _ => false,
        };
        if bad {
            self.fail("the leader has proposed what changes nothing, or cannot be");
        }
        self.decided_after(&before, from == Proposer::Leader);
        let position = self.group.position();
        self.hosts[leader].applied = self.hosts[leader].applied.max(position - 1);
        self.apply(leader, position);
        for host in 0..self.hosts.len() {
            if host != leader && self.is_voter(host) {
                self.send(leader, host, || Happening::Apply { host, position });
            }
        }
        let after = Arc::clone(self.group.now());
        for id in crate::core::decided::changed(&before.sets, &after.sets) {
            if let Some(host) = self.host_of(id) {
                self.send(leader, host, || Happening::Fetch { host });
            }
        }
    }

    pub(in super::super) fn decided(&mut self) {
        let before = Arc::default();
        self.decided_after(&before, false);
    }

    pub(super) fn decided_after(&mut self, before: &Arc<Decided>, by_leader: bool) {
        let expected = Arc::clone(self.group.expected.last().unwrap());
        let after = Arc::clone(self.group.now());
        if let Some(fault) = self.check.decided((before, &after), &expected, by_leader) {
            self.fail(&fault);
        }
    }
}
