//! From foca's opinion to a verdict: a host is dead when foca says that it is down and a check over
//! a reliable stream, begun after the suspicion, has failed.
//!
//! The check of a suspected host begins when half of the suspicion's time is over, so that its
//! result is there when it is needed and a short suspicion costs none. Where foca would call a host
//! down by itself, it is told only after the check has failed; where it hears it from others, it
//! believes it, and this host looks for itself before it says so.

use super::interface::{Output, Timer};
use super::machine::Gossip;
use super::member::{Check, Event, State, Tracked};
use super::node::Node;
use super::relay::lock;
use super::wire::note;
use crate::core::machine_id::MachineId;
use std::time::Duration;

/// For how long a failed check is an argument.
const FRESH: Duration = Duration::from_secs(3);
/// How soon the end of a suspicion is looked at again while the check runs.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Gossip {
    /// Compares what foca says now with what it said before.
    pub(super) fn observe(&mut self) {
        let known =
            |this: &Self, member: &foca::Member<Node>| match this.members.get(&member.id().host) {
                Some(tracked) => tracked.is(member),
                None => member.state() == foca::State::Down && this.has_place(member.id().host),
            };
        let all = self.foca.iter_membership_state();
        let others = all.filter(|member| member.id().host != self.own.host);
        let mut news: Vec<_> = others.filter(|member| !known(self, member)).cloned().collect();
        // foca's own order is random, and the same for the same seed; this one can be read.
        news.sort_by_key(|member| member.id().host);
        for member in &news {
            self.news_of(member);
        }
        if !news.is_empty() {
            self.members_changed = true;
            self.fit();
        }
    }

    fn news_of(&mut self, member: &foca::Member<Node>) {
        let host = member.id().host;
        // foca keeps it for as long, whatever it is.
        note(&self.notes).known.insert(host, member.id().life);
        let (is_new, before) = match self.members.get(&host) {
            Some(tracked) => (false, tracked.clone()),
            // Somebody who is away already is no news for who comes later.
            None if member.state() == foca::State::Down => return,
            None => (true, Tracked::new(member, self.now)),
        };
        let tracked = Tracked {
            node: member.id().clone(),
            incarnation: member.incarnation(),
            swim: member.state(),
            ..before.clone()
        };
        self.members.insert(host, tracked);
        if is_new {
            self.joined(host);
        }
        let (then, now) = (&before.node, member.id());
        if then.life == now.life && then.address != now.address {
            // An address is for a life.
            self.event(Event::Twin(host, now.address));
        }
        match member.state() {
            foca::State::Alive => self.is_alive(host, &before),
            foca::State::Suspect => self.is_suspected(host, &before),
            foca::State::Down => self.is_down(host, &before),
        }
    }

    fn is_alive(&mut self, host: MachineId, before: &Tracked) {
        let now = self.now;
        let Some(tracked) = self.members.get_mut(&host) else { return };
        let life = tracked.node.life;
        tracked.check = Check::None;
        tracked.enter(State::Alive, now);
        match before.state {
            State::Dead | State::Left => {
                self.event(Event::Returned(host));
                self.returned();
            }
            State::Suspected => {
                if before.told {
                    // It was suspected by this host, and wrongly.
                    self.health.sign_of_trouble();
                }
                self.event(Event::Cleared(host));
            }
            State::Alive => {}
        }
        if before.node.life != life && matches!(before.state, State::Alive | State::Suspected) {
            self.event(Event::Restarted(host));
        }
        if before.state != State::Alive {
            self.pass_on_soon();
        }
    }

    fn is_suspected(&mut self, host: MachineId, before: &Tracked) {
        let now = self.now;
        let Some(tracked) = self.members.get_mut(&host) else { return };
        tracked.check = Check::None;
        tracked.enter(State::Suspected, now);
        let half = self.parameters.suspicion * self.health.factor() / 2;
        self.timers.set(now + half, Timer::Check(host));
        if before.state != State::Suspected {
            self.event(Event::Suspected(host));
        }
        self.pass_on_soon();
    }

    fn is_down(&mut self, host: MachineId, before: &Tracked) {
        let left = lock(&self.records).left_in(host, before.node.life);
        let now = self.now;
        let Some(tracked) = self.members.get_mut(&host) else { return };
        if left {
            tracked.check = Check::None;
            tracked.enter(State::Left, now);
            if before.state != State::Left {
                self.event(Event::Left(host));
            }
            return self.pass_on_soon();
        }
        match tracked.check {
            Check::Failed(at) if now.saturating_sub(at) < FRESH => self.is_dead(host),
            Check::Runs(_) => {}
            Check::None | Check::Answered | Check::Failed(_) => {
                self.timers.set(now, Timer::Check(host))
            }
        }
        let Some(tracked) = self.members.get_mut(&host) else { return };
        if tracked.state == State::Alive {
            tracked.enter(State::Suspected, now);
            self.event(Event::Suspected(host));
        }
        self.pass_on_soon();
    }

    fn is_dead(&mut self, host: MachineId) {
        let now = self.now;
        if let Some(tracked) = self.members.get_mut(&host)
            && !matches!(tracked.state, State::Dead | State::Left)
        {
            tracked.enter(State::Dead, now);
            self.members_changed = true;
            self.event(Event::Dead(host));
        }
    }

    /// A host has said that it leaves; it may have been called down before that was heard.
    pub(super) fn said_to_leave(&mut self, host: MachineId) {
        let Some(tracked) = self.members.get(&host) else { return };
        if tracked.swim == foca::State::Down && tracked.state != State::Left {
            let before = tracked.clone();
            self.members_changed = true;
            self.is_down(host, &before);
        }
    }

    pub(super) fn begin_check(&mut self, host: MachineId) {
        let Some(tracked) = self.members.get_mut(&host) else { return };
        if tracked.state != State::Suspected || matches!(tracked.check, Check::Runs(_)) {
            return;
        }
        if self.running_checks >= self.parameters.checks {
            return self.timers.set(self.now + LOOK_AGAIN, Timer::Check(host));
        }
        self.checks += 1;
        self.running_checks += 1;
        tracked.check = Check::Runs(self.checks);
        let within = self.parameters.check;
        let node = tracked.node.clone();
        self.outputs.push(Output::Check { number: self.checks, node, within });
        self.timers.set(self.now + within, Timer::CheckLate(host, self.checks));
    }

    pub(super) fn check_late(&mut self, host: MachineId, number: u64) {
        self.running_checks = self.running_checks.saturating_sub(1);
        let runs = |tracked: &Tracked| tracked.check == Check::Runs(number);
        if self.members.get(&host).is_some_and(runs) {
            self.check_ended(host, false);
        }
    }

    pub(super) fn checked(&mut self, number: u64, answer: Option<Node>) {
        let runs = |tracked: &Tracked| tracked.check == Check::Runs(number);
        let host = self.members.iter().find(|(_, tracked)| runs(tracked)).map(|(host, _)| *host);
        let Some(host) = host else { return };
        // Another one at its address is not the host that was asked for.
        let answer = answer.filter(|node| node.host == host);
        self.check_ended(host, answer.is_some());
        // It may be in another life than the one that was suspected.
        let news = |node: &Node| self.members.get(&host).is_some_and(|known| known.node != *node);
        if let Some(node) = answer.filter(news) {
            self.heard(vec![(node, 0)]);
        }
    }

    fn check_ended(&mut self, host: MachineId, answered: bool) {
        let now = self.now;
        let Some(tracked) = self.members.get_mut(&host) else { return };
        tracked.check = if answered { Check::Answered } else { Check::Failed(now) };
        let (node, is_down) = (tracked.node.clone(), tracked.swim == foca::State::Down);
        if is_down && !answered {
            return self.is_dead(host);
        }
        if is_down {
            // It is there, and does not know that it is taken for down: its answer to this is
            // answered with the news, and it comes back under a new identity.
            self.with_foca(|foca, runtime| foca.announce(node, runtime));
        }
        // As long as it is suspected, the result has to be a fresh one.
        self.timers.set(now + self.parameters.suspicion / 2, Timer::Check(host));
    }

    /// What a check found out while this host was away is worth nothing.
    pub(super) fn restart_checks(&mut self) {
        let runs =
            |tracked: &&mut Tracked| matches!(tracked.check, Check::Runs(_) | Check::Failed(_));
        let mut hosts = Vec::new();
        for tracked in self.members.values_mut().filter(runs) {
            tracked.check = Check::None;
            hosts.push(tracked.node.host);
        }
        for host in hosts {
            self.timers.set(self.now, Timer::Check(host));
        }
    }

    pub(super) fn foca_timer(&mut self, timer: foca::Timer<Node>) {
        if let foca::Timer::ChangeSuspectToDown { member_id, incarnation, .. } = &timer {
            let suspected =
                foca::Member::new(member_id.clone(), *incarnation, foca::State::Suspect);
            if !self.members.get(&member_id.host).is_some_and(|tracked| tracked.is(&suspected)) {
                // Refuted. foca 2.0 would change nothing, and yet tell the host that it is down:
                // it would take another identity for every suspicion.
                return;
            }
            if let Some(again) = self.not_yet_down(member_id.host) {
                return self.timers.set(self.now + again, Timer::Foca(timer));
            }
        }
        self.with_foca(|foca, runtime| foca.handle_timer(timer, runtime));
    }

    /// The time of a suspicion is over. None: the check has failed, too. Else when to look again.
    fn not_yet_down(&mut self, host: MachineId) -> Option<Duration> {
        match self.members.get(&host)?.check {
            Check::Failed(at) if self.now.saturating_sub(at) < FRESH => None,
            Check::Answered => Some(self.parameters.suspicion / 2),
            Check::Runs(_) => Some(LOOK_AGAIN),
            Check::None | Check::Failed(_) => {
                self.begin_check(host);
                Some(LOOK_AGAIN)
            }
        }
    }

    fn has_place(&self, host: MachineId) -> bool {
        note(&self.notes).known.contains_key(&host)
    }

    pub(super) fn forget(&mut self, host: MachineId) {
        let stays = |tracked: &Tracked| tracked.swim != foca::State::Down;
        if self.members.get(&host).is_some_and(stays) {
            return;
        }
        note(&self.notes).known.remove(&host);
        if self.members.remove(&host).is_some() {
            self.members_changed = true;
            self.event(Event::Forgotten(host));
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        self.outputs.push(Output::Event(event));
    }
}
