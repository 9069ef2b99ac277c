//! Sets on their way, and what hosts see of each other.

use super::super::group::Proposer;
use super::super::host::{Report, SECOND, Time};
use super::{Happening, World};
use crate::core::cluster::{self, Observed, Seen};
use crate::core::decided::{AssignmentSet, Command, Decided, fleet};
use crate::core::gossip::Version;
use crate::core::machine_id::MachineId;
use crate::core::obey;
use crate::core::schedule::Options;
use crate::pki::signed::{Purpose, Signed, Signer};
use rand::RngExt as _;
use std::sync::Arc;

/// From here on a host that does not answer is dead, and then lost.
const DEAD: Time = 3 * SECOND;
const LOST: Time = 6 * SECOND;

impl World {
    pub(super) fn take_over(&mut self, host: usize, set: AssignmentSet) {
        let index = set.index;
        if let Some(fault) = self.check.takes(&self.hosts[host], &set) {
            self.fail(&fault);
        }
        self.say(format!("h{host} takes over set {index}"));
        self.turn(host, |host, now, out| host.offer(set, now, out));
    }

    pub(super) fn offer(&mut self, host: usize, signed: &Signed) {
        let at = &self.hosts[host];
        // One that has just joined was told then.
        let view = at.set.view.clone().or_else(|| self.group.now().view()).unwrap();
        match obey::read(signed, view.signers(), at.id, at.set.index) {
            Ok(set) => self.take_over(host, set),
            Err(error) => self.say(format!("h{host} refuses a set: {error}")),
        }
    }

    pub(super) fn fetch(&mut self, host: usize) {
        let at = &self.hosts[host];
        if !at.is_up() {
            return;
        }
        let (id, have, life) = (at.id, at.set.index, at.life);
        let can_give = |other: &usize| {
            self.is_voter(*other) && self.hosts[*other].is_up() && self.reaches(host, *other)
        };
        let others: Vec<usize> = (0..self.hosts.len()).filter(can_give).collect();
        if others.is_empty() {
            return;
        }
        let other = others[self.rng.random_range(0..others.len())];
        let decided = Arc::clone(&self.group.history[self.hosts[other].applied]);
        if decided.sets.get(&id).is_some_and(|newest| *newest > have) {
            let signed = self.sign(&decided, id);
            let offer = || Happening::Offer { host, life, signed: Arc::clone(&signed) };
            self.send(other, host, offer);
        }
    }

    /// The set as a voter hands it out.
    pub(in super::super) fn sign(&mut self, decided: &Decided, id: MachineId) -> Arc<Signed> {
        let set = decided.set(id);
        let seed = &decided.fleet.as_ref().unwrap().signer.0;
        let signed = self.signed.entry((id, set.index)).or_insert_with(|| {
            let payload = serde_json::to_string(&set).unwrap();
            Arc::new(Signer::read(seed).unwrap().sign(Purpose::AssignmentSet, payload))
        });
        Arc::clone(signed)
    }

    /// Tells the others how this host is.
    pub(super) fn tell(&mut self, host: usize) {
        let at = &mut self.hosts[host];
        at.said += 1;
        let version = Version { life: at.life, counter: at.said };
        let (obeys, kept) = (at.set.index, at.kept.index);
        let (runs, facts) = (at.there(), at.facts());
        let report = Arc::new(Report { version, obeys, kept, runs, facts });
        let of = at.id;
        for other in 0..self.hosts.len() {
            let voter = self.is_voter(other);
            if other != host && (voter || self.believes(other)) {
                let hear = || Happening::Hear { host: other, of, report: Arc::clone(&report) };
                self.send(host, other, hear);
            }
        }
        self.look(host);
    }

    pub(super) fn hear(&mut self, host: usize, of: MachineId, report: Arc<Report>) {
        let at = &mut self.hosts[host];
        if !at.is_up() {
            return;
        }
        let newer = at.heard.get(&of).is_none_or(|known| known.version < report.version);
        if newer {
            at.heard.insert(of, report);
            self.look(host);
        }
    }

    /// What a host sees of the fleet.
    pub(in super::super) fn observe(&mut self, host: usize, decided: &Decided) -> Observed {
        let mut observed = Observed::default();
        for id in decided.machines.keys() {
            let seen = if *id == self.hosts[host].id {
                let at = &self.hosts[host];
                let (obeys, kept) = (at.set.index, at.kept.index);
                let (facts, runs) = (Some(at.facts()), at.there());
                let (alive, lost, authority) = (true, false, None);
                Seen { alive, lost, facts, obeys, kept, runs, images: None, authority }
            } else {
                self.see(host, *id)
            };
            observed.machines.insert(*id, seen);
        }
        observed
    }

    pub(super) fn see(&mut self, host: usize, id: MachineId) -> Seen {
        let other = self.host_of(id).filter(|_| !self.slandered.contains(&id));
        let answers =
            other.is_some_and(|other| self.hosts[other].is_up() && self.reaches(host, other));
        let now = self.now;
        let at = &mut self.hosts[host];
        let since = match answers {
            true => {
                at.away.remove(&id);
                now
            }
            false => *at.away.entry(id).or_insert(now),
        };
        let (alive, lost) = (now - since < DEAD, now - since >= LOST);
        let report = at.heard.get(&id);
        let (obeys, kept) = report.map_or((0, 0), |report| (report.obeys, report.kept));
        let runs = report.map(|report| report.runs.clone()).unwrap_or_default();
        let facts = report.map(|report| report.facts.clone());
        Seen { alive, lost, facts, obeys, kept, runs, images: None, authority: None }
    }

    /// The leader decides what is left to decide.
    pub(in super::super) fn look(&mut self, host: usize) {
        if !self.hosts[host].is_up() || !self.believes(host) {
            self.hosts[host].led = false;
            return;
        }
        if !self.hosts[host].led {
            self.hosts[host].led = true;
            self.hosts[host].away.clear();
        }
        let decided = Arc::clone(&self.group.history[self.hosts[host].applied]);
        let observed = self.observe(host, &decided);
        if !self.hosts[host].is_deciding {
            let next = cluster::next(&decided, &observed, Options::default(), &mut self.files);
            if !next.commands.is_empty() {
                self.hosts[host].is_deciding = true;
                let mut commands = vec![Command::Expect { index: decided.index }];
                commands.extend(next.commands);
                self.check.lost(host, &observed);
                self.propose(host, Command::All(commands), Proposer::Leader);
            } else if self.is_healed {
                self.check.unplaced = next.unplaced.iter().map(|one| one.unit.clone()).collect();
            }
        }
        if !self.hosts[host].is_changing {
            let own = self.hosts[host].id;
            let voters = cluster::voters(&decided, &observed, own);
            if decided.fleet.as_ref().is_some_and(|fleet| fleet.voters != voters) {
                self.hosts[host].is_changing = true;
                let expect = Command::Expect { index: decided.index };
                let voters = fleet::Command::Voters { voters }.into();
                self.propose(host, Command::All(vec![expect, voters]), Proposer::Voters);
            }
        }
    }
}
