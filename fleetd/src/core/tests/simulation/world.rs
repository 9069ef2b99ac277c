//! A whole fleet: hosts, the network between them, the group that decides, and time. Everything is
//! drawn from one seed.

use super::check::Checker;
use super::group::{Group, Proposer};
use super::host::{Act, Host, MS, Report, SECOND, Time, Turn};
use super::{client, faults};
use crate::core::cluster::{self, Observed, Read, Seen};
use crate::core::decided::{AssignmentSet, Command, Decided, Outcome, Refusal, fleet};
use crate::core::gossip::Version;
use crate::core::machine_id::MachineId;
use crate::core::obey;
use crate::core::schedule::Options;
use crate::pki::signed::{Purpose, Signed, Signer};
use fleetd_api::ExitReason;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

/// From here on a host that does not answer is dead, and then lost.
const DEAD: Time = 3 * SECOND;
const LOST: Time = 6 * SECOND;
const TICK: Time = 500 * MS;
/// A host that has come back goes on by itself if it can ask nobody for so long.
const ALONE: Time = 10 * SECOND;

pub(crate) enum Happening {
    Tick,
    /// A fault or the end of one; a client does something.
    Fault,
    Client,
    Wake {
        host: usize,
        life: u64,
    },
    Decide {
        host: usize,
        life: u64,
        term: u64,
        command: Command,
        from: Proposer,
    },
    /// The log comes to a host, up to there.
    Apply {
        host: usize,
        position: usize,
    },
    Hear {
        host: usize,
        of: MachineId,
        report: Arc<Report>,
    },
    /// A host asks a voter for its set; the answer.
    Fetch {
        host: usize,
    },
    Offer {
        host: usize,
        life: u64,
        signed: Arc<Signed>,
    },
    Launched {
        host: usize,
        life: u64,
        unit: String,
        run: u64,
    },
    Ready {
        host: usize,
        boot: u64,
        run: u64,
    },
    Ends {
        host: usize,
        boot: u64,
        run: u64,
    },
    /// There is something to hear about a run.
    OfRun {
        host: usize,
        life: u64,
        unit: String,
        run: u64,
    },
}

/// How packets travel.
pub(super) struct Network {
    pub(super) loss: f64,
    pub(super) twice: f64,
    pub(super) delay: Time,
    pub(super) cut: BTreeSet<(usize, usize)>,
}

pub(super) struct World {
    pub(super) seed: u64,
    pub(super) now: Time,
    pub(super) rng: StdRng,
    pub(super) hosts: Vec<Host>,
    pub(super) network: Network,
    pub(super) group: Group,
    pub(super) check: Checker,
    pub(super) trace: Vec<String>,
    pub(super) steps: u64,
    /// How often starts fail, and runs end by themselves.
    pub(super) failing: f64,
    pub(super) ending: f64,
    /// Living hosts that others take for dead.
    pub(super) slandered: BTreeSet<MachineId>,
    pub(super) ids: u128,
    pub(super) is_healed: bool,
    files: Read,
    queue: BTreeMap<(Time, u64), Happening>,
    count: u64,
    signed: BTreeMap<(MachineId, u64), Arc<Signed>>,
}

impl World {
    /// A fleet that was just formed.
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let count = 1 + usize::try_from(seed % 7).unwrap();
        let id = |number: usize| MachineId(number as u128 + 1);
        let hosts = (0..count).map(|number| Host::new(number, id(number), &mut rng)).collect();
        let network = Network { loss: 0.0, twice: 0.0, delay: 5 * MS, cut: BTreeSet::new() };
        let mut world = Self {
            seed,
            now: 0,
            rng,
            hosts,
            network,
            group: Group::new(id(0)),
            check: Checker::default(),
            trace: Vec::new(),
            steps: 0,
            failing: 0.0,
            ending: 0.0,
            slandered: BTreeSet::new(),
            ids: count as u128,
            is_healed: false,
            files: Read::default(),
            queue: BTreeMap::new(),
            count: 0,
            signed: BTreeMap::new(),
        };
        for number in 1..count {
            let command = super::group::join(id(number));
            world.group.commit(command, Proposer::Client).unwrap();
        }
        world.decided();
        world.plan(0, Happening::Tick);
        world
    }

    pub(super) fn say(&mut self, line: impl AsRef<str>) {
        let (seconds, rest) = (self.now / SECOND, self.now % SECOND / MS);
        self.trace.push(format!("{seconds}.{rest:03} {}", line.as_ref()));
    }

    /// Ends the test, with all that is needed to see it again.
    pub(super) fn fail(&self, fault: &str) -> ! {
        let mut tail = String::new();
        for line in self.trace.iter().rev().take(60).rev() {
            let _ = writeln!(tail, "  {line}");
        }
        panic!(
            "{fault}\nseed {}, step {}, after\n{tail}see it again: \
             FLOTILLA_SEED={} cargo test -p fleetd --lib core::tests::simulation::some_seeds",
            self.seed, self.steps, self.seed
        );
    }

    pub(super) fn plan(&mut self, after: Time, happening: Happening) {
        self.count += 1;
        self.queue.insert((self.now + after, self.count), happening);
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, time: Time) {
        let end = self.now + time;
        while let Some(first) = self.queue.first_entry().filter(|first| first.key().0 <= end) {
            self.now = first.key().0;
            let happening = first.remove();
            self.steps += 1;
            self.happen(happening);
        }
        self.now = end;
    }

    fn happen(&mut self, happening: Happening) {
        if let Some(host) = happening.host()
            && self.hosts[host].is_paused
        {
            self.hosts[host].waiting.push(happening);
            return;
        }
        match happening {
            Happening::Tick => self.tick(),
            Happening::Fault => faults::fault(self),
            Happening::Client => client::act(self),
            Happening::Wake { host, life } => {
                if self.lives(host, life) {
                    self.turn(host, |host, now, out| host.wake(now, out));
                }
            }
            Happening::Decide { host, life, term, command, from } => {
                self.decide(host, (life, term), command, from);
            }
            Happening::Apply { host, position } => self.apply(host, position),
            Happening::Hear { host, of, report } => self.hear(host, of, report),
            Happening::Fetch { host } => self.fetch(host),
            Happening::Offer { host, life, signed } => {
                if self.lives(host, life) {
                    self.offer(host, &signed);
                }
            }
            Happening::Launched { host, life, unit, run } => {
                if self.lives(host, life) {
                    let fails = self.rng.random_bool(self.failing);
                    self.turn(host, |host, now, out| host.launched(&unit, run, (now, fails), out));
                    self.began(host, run);
                }
            }
            Happening::Ready { host, boot, run } => self.of_container(host, boot, run, true),
            Happening::Ends { host, boot, run } => self.of_container(host, boot, run, false),
            Happening::OfRun { host, life, unit, run } => {
                if self.lives(host, life) {
                    self.turn(host, |host, now, out| host.hear_of_run(&unit, run, now, out));
                }
            }
        }
    }

    fn lives(&self, host: usize, life: u64) -> bool {
        self.hosts[host].is_up() && self.hosts[host].life == life
    }

    /// Lets a host do something, and carries out what comes of it.
    pub(super) fn turn(&mut self, number: usize, act: impl FnOnce(&mut Host, Time, &mut Turn<'_>)) {
        let mut turn = Turn { host: number, rng: &mut self.rng, acts: Vec::new() };
        act(&mut self.hosts[number], self.now, &mut turn);
        let mut says = false;
        for act in turn.acts {
            match act {
                Act::After(after, happening) => self.plan(after, happening),
                Act::Starts(unit, order) => {
                    self.say(format!("h{number} starts {unit}, order {order}"));
                }
                Act::Stops(unit) => {
                    self.say(format!("h{number} ends {unit}"));
                    if let Some(fault) = self.check.stops(&self.hosts[number], &unit, self.now) {
                        self.fail(&fault);
                    }
                }
                Act::Says => says = true,
            }
        }
        if says {
            self.tell(number);
        }
    }

    /// A container has come to be, or not.
    fn began(&mut self, host: usize, run: u64) {
        let Some(container) = self.hosts[host].containers.get(&run).cloned() else { return };
        self.say(format!("h{host} runs {} as {run}", container.unit));
        if let Some(fault) = self.check.began(&self.hosts, host, &container.unit) {
            self.fail(&fault);
        }
        let boot = self.hosts[host].boot;
        let ready = self.rng.random_range(50 * MS..3 * SECOND);
        if self.is_healed || self.rng.random_bool(0.9) {
            let ready = if self.is_healed { ready.min(SECOND) } else { ready };
            self.plan(ready, Happening::Ready { host, boot, run });
        }
        if container.unit == "job.container" || self.rng.random_bool(self.ending) {
            let ends = self.rng.random_range(MS..10 * SECOND);
            self.plan(ends, Happening::Ends { host, boot, run });
        }
    }

    fn of_container(&mut self, host: usize, boot: u64, run: u64, is_ready: bool) {
        let at = &mut self.hosts[host];
        let clock = at.clock + self.now;
        let Some(container) = at.containers.get_mut(&run).filter(|_| at.boot == boot) else {
            return;
        };
        if container.ended.is_some() {
            return;
        }
        if is_ready {
            container.ready = true;
        } else {
            let signal = self.rng.random_bool(0.2).then(|| "KILL".to_owned());
            let code = signal.is_none().then(|| self.rng.random_range(0..2));
            let exit = ExitReason { code, signal, oom: false, error: None };
            container.ended = Some((exit, clock));
        }
        let unit = container.unit.clone();
        let what = if is_ready { "is ready" } else { "has ended" };
        self.say(format!("h{host} {unit} as {run} {what}"));
        if self.hosts[host].is_up() {
            self.turn(host, |host, now, out| host.hear_of_run(&unit, run, now, out));
        }
    }

    pub(super) fn connects(&self, from: usize, to: usize) -> bool {
        !self.network.cut.contains(&(from, to))
    }

    fn reaches(&self, from: usize, to: usize) -> bool {
        self.connects(from, to) && self.connects(to, from)
    }

    /// Sends: lost, late, twice, in any order.
    fn send(&mut self, from: usize, to: usize, message: impl Fn() -> Happening) {
        if from != to && !self.connects(from, to) {
            return;
        }
        let copies = 1 + usize::from(self.rng.random_bool(self.network.twice));
        for _ in 0..copies {
            if !self.rng.random_bool(self.network.loss) {
                let after = self.rng.random_range(0..self.network.delay);
                self.plan(after, message());
            }
        }
    }

    pub(super) fn host_of(&self, id: MachineId) -> Option<usize> {
        self.hosts.iter().position(|host| host.id == id)
    }

    fn voters(&self) -> &BTreeSet<MachineId> {
        &self.group.members
    }

    fn is_voter(&self, host: usize) -> bool {
        self.group.members.contains(&self.hosts[host].id)
    }

    /// Whether a voter could decide now: most of the members are there for it.
    fn has_quorum(&self, host: usize) -> bool {
        self.hosts[host].is_up() && self.is_voter(host) && self.has_most(host, self.voters())
    }

    /// Whether most of these are there for a host. Nobody speaks with one that was removed.
    fn has_most(&self, host: usize, of: &BTreeSet<MachineId>) -> bool {
        let decided = self.group.now();
        let there = of.iter().filter(|id| decided.machines.contains_key(*id));
        let there = there.filter_map(|id| self.host_of(*id)).filter(|other| {
            self.hosts[*other].is_up() && (*other == host || self.reaches(host, *other))
        });
        there.count() * 2 > of.len()
    }

    /// The members become those that were decided on, if most of both are there.
    fn change_members(&mut self, leader: usize) {
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

    fn tick(&mut self) {
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
    fn confirm(&mut self, host: usize) {
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

    fn elect(&mut self) {
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

    pub(super) fn believes(&self, host: usize) -> bool {
        self.group.leader == Some(host) || self.hosts[host].leads_until > self.now
    }

    fn apply(&mut self, host: usize, position: usize) {
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

    fn take_over(&mut self, host: usize, set: AssignmentSet) {
        let index = set.index;
        if let Some(fault) = self.check.takes(&self.hosts[host], &set) {
            self.fail(&fault);
        }
        self.say(format!("h{host} takes over set {index}"));
        self.turn(host, |host, now, out| host.offer(set, now, out));
    }

    fn offer(&mut self, host: usize, signed: &Signed) {
        let at = &self.hosts[host];
        // One that has just joined was told then.
        let view = at.set.view.clone().or_else(|| self.group.now().view()).unwrap();
        match obey::read(signed, view.signers(), at.id, at.set.index) {
            Ok(set) => self.take_over(host, set),
            Err(error) => self.say(format!("h{host} refuses a set: {error}")),
        }
    }

    fn fetch(&mut self, host: usize) {
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
    pub(super) fn sign(&mut self, decided: &Decided, id: MachineId) -> Arc<Signed> {
        let set = decided.set(id);
        let seed = &decided.fleet.as_ref().unwrap().signer.0;
        let signed = self.signed.entry((id, set.index)).or_insert_with(|| {
            let payload = serde_json::to_string(&set).unwrap();
            Arc::new(Signer::read(seed).unwrap().sign(Purpose::AssignmentSet, payload))
        });
        Arc::clone(signed)
    }

    /// Tells the others how this host is.
    fn tell(&mut self, host: usize) {
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

    fn hear(&mut self, host: usize, of: MachineId, report: Arc<Report>) {
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
    pub(super) fn observe(&mut self, host: usize, decided: &Decided) -> Observed {
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

    fn see(&mut self, host: usize, id: MachineId) -> Seen {
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
    pub(super) fn look(&mut self, host: usize) {
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

    pub(super) fn propose(&mut self, host: usize, command: Command, from: Proposer) {
        let (life, term) = (self.hosts[host].life, self.group.term);
        let after = self.rng.random_range(MS..self.network.delay.max(2 * MS));
        self.plan(after, Happening::Decide { host, life, term, command, from });
    }

    fn decide(&mut self, host: usize, (life, term): (u64, u64), command: Command, from: Proposer) {
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

    fn commit(&mut self, leader: usize, command: Command, from: Proposer) {
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

    pub(super) fn decided(&mut self) {
        let before = Arc::default();
        self.decided_after(&before, false);
    }

    fn decided_after(&mut self, before: &Arc<Decided>, by_leader: bool) {
        let expected = Arc::clone(self.group.expected.last().unwrap());
        let after = Arc::clone(self.group.now());
        if let Some(fault) = self.check.decided((before, &after), &expected, by_leader) {
            self.fail(&fault);
        }
    }
}

impl Happening {
    /// The host that has to be awake for it.
    fn host(&self) -> Option<usize> {
        match self {
            Self::Tick | Self::Fault | Self::Client => None,
            Self::Wake { host, .. }
            | Self::Decide { host, .. }
            | Self::Apply { host, .. }
            | Self::Hear { host, .. }
            | Self::Fetch { host }
            | Self::Offer { host, .. }
            | Self::Launched { host, .. }
            | Self::Ready { host, .. }
            | Self::Ends { host, .. }
            | Self::OfRun { host, .. } => Some(*host),
        }
    }
}
