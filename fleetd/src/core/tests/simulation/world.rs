//! A whole fleet: hosts, the network between them, the group that decides, and time. Everything is
//! drawn from one seed.

mod deciding;
mod telling;

use super::check::Checker;
use super::group::{Group, Proposer};
use super::host::{Act, Host, MS, Report, SECOND, Time, Turn};
use super::{client, faults};
use crate::core::cluster::Read;
use crate::core::decided::Command;
use crate::core::machine_id::MachineId;
use crate::pki::signed::Signed;
use fleetd_api::ExitReason;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

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
