//! Finding hosts, finding them again, spreading news and records among them.

use super::interface::{Output, Timer};
use super::machine::Gossip;
use super::member::{Event, State, Tracked};
use super::node::Node;
use super::reason::Reason;
use super::relay::lock;
use super::wire::note;
use crate::core::machine_id::MachineId;
use foca::Identity as _;
use rand::RngExt as _;
use std::time::Duration;

pub(super) const PURGE_PERIOD: Duration = Duration::from_secs(60);
/// How often a host comes back in [`RENEWAL_TIME`] after it was taken for down.
const RENEWALS: usize = 3;
const RENEWAL_TIME: Duration = Duration::from_secs(10);
/// Above it records that are heard are not passed on: push-pull brings them.
const MAX_WAITING: usize = 1_024;
/// Between two push-pulls that bring news.
const PUSH_GAP: Duration = Duration::from_secs(1);
/// A push-pull that has not ended by then never will: its place is free again.
const SYNC_LOST: Duration = Duration::from_secs(60);
/// How many hosts that are away are called at once.
const CALLS: usize = 2;

impl Gossip {
    pub(super) fn join(&mut self, nodes: Vec<Node>) {
        for node in nodes {
            if node.host == self.own.host || self.seeds.len() >= self.parameters.max_hosts {
                continue;
            }
            self.seeds.retain(|seed| seed.host != node.host);
            self.seeds.push(node.clone());
            self.with_foca(|foca, runtime| foca.announce(node, runtime));
        }
    }

    /// Calls hosts that are not there: who was cut off, or could not be found so far. Also where
    /// nobody is left: foca by itself is silent then.
    pub(super) fn call(&mut self) {
        self.timers.set(self.now + self.parameters.call_period, Timer::Call);
        let away =
            |tracked: &&Tracked| tracked.swim == foca::State::Down && tracked.state != State::Left;
        let unseen = |seed: &&Node| !self.members.contains_key(&seed.host);
        let dead = self.members.values().filter(away).map(|tracked| &tracked.node);
        let mut away: Vec<Node> = dead.chain(self.seeds.iter().filter(unseen)).cloned().collect();
        for _ in 0..CALLS {
            if away.is_empty() {
                break;
            }
            let node = away.swap_remove(self.rng.random_range(0..away.len()));
            self.with_foca(|foca, runtime| foca.announce(node, runtime));
        }
        self.renewals.retain(|at| self.now.saturating_sub(*at) < RENEWAL_TIME);
        note(&self.notes).may_renew = self.renewals.len() < RENEWALS;
    }

    /// foca has taken another identity: this host was taken for down.
    pub(super) fn renewed(&mut self) {
        self.members_changed = true;
        self.own = self.foca.identity().clone();
        self.incarnation = 0;
        self.renewals.push(self.now);
        if self.renewals.len() == RENEWALS {
            self.event(Event::Outdone);
        }
        let mut notes = note(&self.notes);
        notes.own = self.own.clone();
        notes.may_renew = self.renewals.len() < RENEWALS;
    }

    /// Others remember a life of this host that its store does not: the next one is after it.
    pub(super) fn begin_later_life(&mut self, heard: u64) {
        if let Some(life) = heard.checked_add(1)
            && life > self.own.life
            && self.later_life.is_none_or(|last| self.now.saturating_sub(last) > RENEWAL_TIME / 10)
        {
            self.later_life = Some(self.now);
            let node = Node { life, renewal: 0, ..self.own.clone() };
            self.with_foca(|foca, runtime| foca.change_identity(node, runtime));
            self.renewed();
        }
    }

    pub(super) fn joined(&mut self, host: MachineId) {
        self.event(Event::Joined(host));
        if self.members.len() == 1 {
            // The first one that it meets knows who there is, and everybody's records.
            self.plan_sync(Duration::ZERO);
        }
    }

    /// A cut has healed: both sides have records that the other has not.
    pub(super) fn returned(&mut self) {
        let spread = Duration::from_millis(self.rng.random_range(0..1_000));
        self.plan_sync(spread);
    }

    pub(super) fn heard(&mut self, nodes: Vec<(Node, u16)>) {
        let known = note(&self.notes).known.clone();
        let count = nodes.len();
        let mut nodes = nodes;
        nodes.retain(|(node, _)| !note(&self.notes).is_leap(node));
        (nodes.len()..count).for_each(|_| self.dropped.count(Reason::Unbelievable));
        let mut room = self.parameters.max_hosts.saturating_sub(known.len());
        let mut fits = |host| {
            let is_new = !known.contains_key(&host);
            let fits = !is_new || room > 0;
            room -= usize::from(is_new && fits);
            fits
        };
        let others =
            nodes.into_iter().filter(|(node, _)| node.addr() != self.own.host && fits(node.host));
        let alive: Vec<_> = others
            .map(|(node, incarnation)| foca::Member::new(node, incarnation, foca::State::Alive))
            .collect();
        // Each of them has told the others itself.
        self.with_foca(|foca, runtime| foca.apply_many(alive.into_iter(), false, runtime));
        note(&self.notes).members = true;
    }

    /// News about who is dead does not wait for the next round.
    pub(super) fn pass_on_soon(&mut self) {
        if !std::mem::replace(&mut self.urgent, true) {
            self.timers.set(self.now + self.parameters.urgent, Timer::Urgent);
        }
    }

    pub(super) fn pass_urgent_on(&mut self) {
        self.urgent = false;
        self.with_foca(|foca, runtime| foca.gossip(runtime));
    }

    /// Gives this host's new records to foca.
    pub(super) fn broadcast(&mut self) {
        let (small, large) = {
            let mut records = lock(&self.records);
            records.relays = self.foca.custom_broadcast_backlog() < MAX_WAITING;
            records.take_unsent()
        };
        let mut skipped = false;
        for record in small {
            if self.foca.custom_broadcast_backlog() < MAX_WAITING {
                // It can be read and is small enough: refused is nothing.
                skipped |= self.foca.add_broadcast(&record).is_err();
            } else {
                skipped = true;
            }
        }
        if large || skipped {
            // Those who get it pass it on likewise.
            self.pushes = self.parameters.fan_out.get();
            self.plan_sync(self.parameters.gossip_period);
        }
    }

    /// Compares records with somebody in this time at the latest.
    pub(super) fn plan_sync(&mut self, after: Duration) {
        let at = self.now + after;
        if self.sync_planned.is_none_or(|planned| planned > at) {
            self.sync_planned = Some(at);
            self.timers.set(at, Timer::Sync);
        }
    }

    pub(super) fn sync(&mut self) {
        if self.sync_planned.is_none_or(|planned| planned > self.now) {
            return;
        }
        self.sync_planned = None;
        let now = self.now;
        self.syncing.retain(|_, since| now.saturating_sub(*since) < SYNC_LOST);
        if let Some(peer) = self.sync_peer() {
            self.pushes = self.pushes.saturating_sub(1);
            self.begin_sync(peer);
        }
        if self.pushes > 0 {
            return self.plan_sync(PUSH_GAP);
        }
        self.pushed.clear();
        let part = self.rng.random_range(0.5..1.0);
        self.plan_sync(self.parameters.sync_period.mul_f64(part));
    }

    pub(super) fn begin_sync(&mut self, peer: Node) {
        self.pushed.insert(peer.host);
        self.syncing.insert(peer.host, self.now);
        self.outputs.push(Output::Sync(peer));
    }

    /// Somebody who is there, and was not asked a moment ago. None also while enough are asked.
    fn sync_peer(&mut self) -> Option<Node> {
        let there = |tracked: &&Tracked| tracked.state == State::Alive;
        let free = |tracked: &&Tracked| {
            let host = &tracked.node.host;
            !self.syncing.contains_key(host) && !self.pushed.contains(host)
        };
        let peers = self.members.values().filter(there).filter(free);
        let peers: Vec<_> = peers.map(|tracked| &tracked.node).collect();
        if peers.is_empty() {
            // Everybody has it, or will be asked later.
            self.pushes = 0;
            return None;
        }
        if self.syncing.len() >= self.parameters.syncs {
            return None;
        }
        peers.get(self.rng.random_range(0..peers.len())).copied().cloned()
    }

    pub(super) fn purge(&mut self) {
        self.timers.set(self.now + PURGE_PERIOD, Timer::Purge);
        let due = |(at, _): &mut (Duration, foca::Timer<Node>)| *at <= self.now;
        let due: Vec<_> = self.removals.extract_if(.., |_, at| due(at)).collect();
        for (host, (_, timer)) in due {
            self.forget(host);
            self.foca_timer(timer);
        }
        let (members, now, forget) = (&self.members, self.now, self.parameters.forget);
        let strangers = &mut self.strangers;
        let mut records = lock(&self.records);
        let hosts: Vec<MachineId> = records.sums().map(|(host, _)| host).collect();
        strangers.retain(|host, _| hosts.contains(host) && !members.contains_key(host));
        for host in hosts.into_iter().filter(|host| !members.contains_key(host)) {
            strangers.entry(host).or_insert(now);
        }
        records.purge(|host| {
            strangers.get(&host).is_none_or(|since| now.saturating_sub(*since) < forget / 24)
        });
    }
}
