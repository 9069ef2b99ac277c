//! The state machine: takes an input, lets foca and the rules around it act, tells what follows.

use super::clock::Lived;
use super::health::Health;
use super::interface::{Input, Output, Probe, Timer, Turn};
use super::member::{Event, Member, Members, State};
use super::node::Node;
use super::parameters::Parameters;
use super::reason::{Dropped, Reason};
use super::record::Kind;
use super::records::Records;
use super::relay::{Relay, Shared, lock};
use super::timers::Timers;
use super::wire::{Notes, Noticed, Wire, note};
use crate::core::machine_id::MachineId;
use foca::Foca;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU8;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub struct Gossip {
    pub(super) foca: Foca<Node, Wire, StdRng, Relay>,
    pub(super) parameters: Parameters,
    pub(super) own: Node,
    /// This host's own incarnation, as seen in what it sends.
    pub(super) incarnation: foca::Incarnation,
    lived: Lived,
    pub(super) now: Duration,
    pub(super) timers: Timers<Timer>,
    pub(super) health: Health,
    pub(super) members: Members,
    pub(super) records: Shared,
    pub(super) notes: Notes,
    pub(super) rng: StdRng,
    pub(super) probe: Option<Probe>,
    pub(super) probes: u64,
    pub(super) checks: u64,
    pub(super) running_checks: usize,
    pub(super) urgent: bool,
    pub(super) seeds: Vec<Node>,
    /// Since when.
    pub(super) syncing: BTreeMap<MachineId, Duration>,
    pub(super) listeners: Vec<MachineId>,
    /// Hosts that have to hear more than packets hold, and wait for a push-pull.
    pub(super) owed: BTreeSet<MachineId>,
    pub(super) sync_planned: Option<Duration>,
    /// How many more push-pulls are to bring news, and who had one.
    pub(super) pushes: usize,
    pub(super) pushed: BTreeSet<MachineId>,
    pub(super) renewals: Vec<Duration>,
    /// When this host last took a later life than its store gave it.
    pub(super) later_life: Option<Duration>,
    /// When hosts that are down are forgotten.
    pub(super) removals: BTreeMap<MachineId, (Duration, foca::Timer<Node>)>,
    /// Hosts that have records and are no members, and since when.
    pub(super) strangers: BTreeMap<MachineId, Duration>,
    pub(super) dropped: Dropped,
    pub(super) outputs: Vec<Output>,
    pub(super) members_changed: bool,
    transmissions: NonZeroU8,
    generation: u64,
    left: bool,
}

impl Gossip {
    /// A host that knows nobody yet. Equal seeds and inputs give equal outputs: foca draws from a
    /// generator of this seed, and it and we iterate over vectors and trees only.
    pub fn new(own: Node, generation: u64, parameters: Parameters, seed: [u8; 32]) -> Self {
        let mut rng = StdRng::from_seed(seed);
        let notes = Arc::new(Mutex::new(Noticed::new(own.clone(), parameters.max_hosts)));
        let records = Records::new(own.host, own.life, parameters.limits);
        let records = Arc::new(Mutex::new(records));
        let foca = Foca::with_custom_broadcast(
            own.clone(),
            parameters.foca(1),
            StdRng::from_rng(&mut rng),
            Wire(Arc::clone(&notes)),
            Relay(Arc::clone(&records)),
        );
        let mut gossip = Self {
            foca,
            own,
            incarnation: 0,
            lived: Lived::default(),
            now: Duration::ZERO,
            timers: Timers::default(),
            health: Health::default(),
            members: Members::new(),
            records,
            notes,
            rng,
            probe: None,
            probes: 0,
            checks: 0,
            running_checks: 0,
            urgent: false,
            seeds: Vec::new(),
            syncing: BTreeMap::new(),
            listeners: Vec::new(),
            owed: BTreeSet::new(),
            sync_planned: None,
            pushes: 0,
            pushed: BTreeSet::new(),
            renewals: Vec::new(),
            later_life: None,
            removals: BTreeMap::new(),
            strangers: BTreeMap::new(),
            dropped: Dropped::default(),
            outputs: Vec::new(),
            members_changed: false,
            transmissions: NonZeroU8::MIN,
            generation,
            left: false,
            parameters,
        };
        gossip.timers.set(gossip.parameters.call_period, Timer::Call);
        gossip.timers.set(super::peers::PURGE_PERIOD, Timer::Purge);
        gossip.fit();
        gossip.plan_sync(gossip.parameters.sync_period);
        gossip
    }

    /// Takes one input. `clock` may jump in both directions: what was not lived through does not
    /// count.
    pub fn handle(&mut self, input: Input<'_>, clock: Duration) -> Turn {
        let passed = self.lived.advance(clock);
        self.now = passed.now;
        lock(&self.records).now = self.now;
        if passed.away {
            self.was_away();
        } else if passed.late > self.parameters.gossip_period / 2 {
            self.health.sign_of_trouble();
        }
        if !self.left {
            let writes = matches!(input, Input::Write { .. } | Input::WriteSet { .. });
            self.run_timers();
            self.take(input);
            self.settle();
            if !writes {
                self.tell_at_once();
            }
        }
        // Who has left waits for nothing.
        let next = self.timers.next().filter(|_| !self.left);
        let next = next.unwrap_or(self.now + Duration::from_secs(3_600));
        let next = if lock(&self.records).has_written() { self.now } else { next };
        self.lived.expect(next);
        Turn {
            outputs: std::mem::take(&mut self.outputs),
            wake: next.saturating_sub(self.now),
            members: std::mem::take(&mut self.members_changed),
        }
    }

    fn take(&mut self, input: Input<'_>) {
        match input {
            Input::Wake => {}
            Input::Packet { packet, generation } => self.packet(packet, generation),
            Input::Join(nodes) => self.join(nodes),
            Input::Checked { number, answer } => self.checked(number, answer),
            Input::Heard(nodes) => self.heard(nodes),
            Input::Synced(host) => {
                self.syncing.remove(&host);
                self.pay();
            }
            Input::Write { kind, name, value } => {
                let written = lock(&self.records).write(kind, name, value);
                self.count(written);
            }
            Input::WriteSet { host, version, value } => {
                let written = lock(&self.records).write_set(host, version, value);
                self.count(written);
            }
            Input::Signers(keys) => lock(&self.records).signers = keys,
            Input::Listeners(hosts) => self.set_listeners(hosts),
            Input::Leave => self.leave(),
        }
    }

    fn count(&mut self, result: Result<(), Reason>) {
        if let Err(reason) = result {
            self.dropped.count(reason);
        }
    }

    /// This host was stopped, or its clock was set. Health suffers, and a check that ran meanwhile
    /// says nothing.
    fn was_away(&mut self) {
        self.health.sign_of_trouble();
        self.restart_checks();
    }

    fn run_timers(&mut self) {
        while let Some(timer) = self.timers.due(self.now) {
            match timer {
                Timer::Foca(timer) => self.foca_timer(timer),
                Timer::Repeat(count) => self.repeat(count),
                Timer::Tell(host) => self.tell(host),
                Timer::Urgent => self.pass_urgent_on(),
                Timer::Check(host) => self.begin_check(host),
                Timer::CheckLate(host, number) => self.check_late(host, number),
                Timer::Call => self.call(),
                Timer::Sync => self.sync(),
                Timer::Purge => self.purge(),
            }
            self.settle();
        }
    }

    fn packet(&mut self, packet: &[u8], generation: u64) {
        use foca::Codec as _;
        let Ok(header) = Wire(Arc::clone(&self.notes)).decode_header(packet) else {
            return self.dropped.count(Reason::Malformed);
        };
        if header.src.host == self.own.host {
            if header.src.address != self.own.address {
                note(&self.notes).twin = Some(header.src.address);
            }
            return self.dropped.count(Reason::Ourselves);
        }
        if note(&self.notes).is_leap(&header.src) {
            return self.dropped.count(Reason::Unbelievable);
        }
        if !note(&self.notes).has_room(header.src.host) {
            return self.dropped.count(Reason::Limit);
        }
        if header.message == foca::Message::TurnUndead && !note(&self.notes).may_renew {
            return self.dropped.count(Reason::TooManyRenewals);
        }
        if generation > self.generation {
            self.generation = generation;
            self.outputs.push(Output::Event(Event::Generation(generation)));
        }
        self.is_meant(&header);
        self.answered(&header);
        self.with_foca(|foca, runtime| foca.handle_data(packet, runtime));
    }

    /// A packet for this host in another life tells what its sender knows: an earlier one means
    /// that it has to hear of this one, and foca would not say a word.
    fn is_meant(&mut self, header: &foca::Header<Node>) {
        let to = &header.dst;
        if to.host != self.own.host || *to == self.own || header.message == foca::Message::Announce
        {
            return;
        }
        if self.own.outranks(to) {
            let from = header.src.clone();
            self.with_foca(|foca, runtime| foca.announce(from, runtime));
        } else if to.address == self.own.address && !note(&self.notes).is_leap(to) {
            note(&self.notes).later_life = Some(to.life);
        }
    }

    /// Lets foca do something, and does what it asks for.
    pub(super) fn with_foca(
        &mut self,
        act: impl FnOnce(
            &mut Foca<Node, Wire, StdRng, Relay>,
            &mut super::runtime::Collected,
        ) -> Result<(), foca::Error>,
    ) {
        let mut collected = super::runtime::Collected::default();
        match act(&mut self.foca, &mut collected) {
            Ok(()) => {}
            // Counted where it was found.
            Err(foca::Error::Decode(_)) if note(&self.notes).take_refusal() => {}
            Err(_) => self.dropped.count(Reason::Malformed),
        }
        self.follow(collected);
    }

    /// What an input has changed becomes visible.
    fn settle(&mut self) {
        if self.foca.identity() != &self.own {
            self.renewed();
        }
        let noticed = note(&self.notes).take();
        if let Some(address) = noticed.twin {
            self.outputs.push(Output::Event(Event::Twin(self.own.host, address)));
        }
        if let Some(life) = noticed.later_life {
            self.begin_later_life(life);
        }
        if noticed.members {
            self.observe();
        }
        self.broadcast();
        let changed = lock(&self.records).take_changed();
        for key in changed {
            if key.kind == Kind::Leave {
                self.said_to_leave(key.host);
            }
            self.outputs.push(Output::Event(Event::Record(key)));
        }
    }

    /// Adjusts to the number of hosts.
    pub(super) fn fit(&mut self) {
        let hosts = self.foca.num_members() + 1;
        let config = self.parameters.foca(hosts);
        if self.transmissions != config.max_transmissions {
            self.transmissions = config.max_transmissions;
            // Refused are changes of times only, and there is none.
            let refused = self.foca.set_config(config).is_err();
            debug_assert!(!refused);
        }
    }

    fn leave(&mut self) {
        let life = self.own.life.to_string();
        let written = lock(&self.records).write(Kind::Leave, "", Some(life.as_bytes()));
        self.count(written);
        // Before they hear that this host is down, and listen to it no longer.
        self.tell_at_once();
        self.broadcast();
        // To nine others, some of them twice: the word must get through at once, or not at all.
        self.with_foca(|foca, runtime| {
            foca.leave_cluster(&mut *runtime)?;
            foca.gossip(&mut *runtime)?;
            foca.gossip(&mut *runtime)
        });
        self.left = true;
    }

    pub fn own(&self) -> &Node {
        &self.own
    }

    /// The other hosts.
    pub fn members(&self) -> impl Iterator<Item = Member> {
        self.members.values().map(super::member::Tracked::member)
    }

    /// Hosts that are there, with their incarnations: what a push-pull tells.
    pub fn present(&self) -> Vec<(Node, u16)> {
        let there = |state| matches!(state, State::Alive | State::Suspected);
        let others = self.members.values().filter(|tracked| there(tracked.state));
        let others = others.map(|tracked| (tracked.node.clone(), tracked.incarnation));
        others.chain([(self.own.clone(), self.incarnation)]).collect()
    }

    pub fn records(&self) -> Shared {
        Arc::clone(&self.records)
    }

    /// What was dropped since the start, but for what was dropped before it was opened.
    pub fn dropped(&self) -> Dropped {
        let of_records = lock(&self.records).dropped.clone();
        self.dropped.clone().plus(&note(&self.notes).dropped).plus(&of_records)
    }

    /// How many hosts foca keeps, whatever it makes of them.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.foca.iter_membership_state().count()
    }

    /// How much waits: timers, news about hosts, records.
    pub fn backlog(&self) -> (usize, usize, usize) {
        (self.timers.len(), self.foca.updates_backlog(), self.foca.custom_broadcast_backlog())
    }
}
